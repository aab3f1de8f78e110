"""`bunsen demo`: a first experiment, through the HTTP API as any client would."""

import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import orjson

from app.cli.options import read_settings, setting_options
from app.domain.lifecycle import DONE
from app.embedded.errors import CannotStart
from app.settings import Settings

PROJECT = "demo"
POLL = 0.2  # seconds between looks at the statuses
PATIENCE = 60.0  # seconds for a service that went away to come back


@click.command("demo")
@click.option("--url", default=None, help="The service's URL (that of the `bunsen up` on the data folder).")
@click.option("--token", default=None, help="A token (the one in the data folder).")
@setting_options("data", "port")
def command(url: str | None, token: str | None, **typed: Any) -> None:
    """Train a classifier on scikit-learn's digits, and show what the service makes of it."""
    settings = read_settings(typed)
    url = (url or _kept_url(settings) or settings.api_url).rstrip("/")
    headers = {"Authorization": f"token {token or _kept_token(settings)}"}
    timeout = httpx.Timeout(60, connect=5)
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=timeout, trust_env=False) as client:
        Demo(client, url).run()


def digits_folder() -> Path:
    """The example project: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_examples" / "digits"
    return inside if inside.is_dir() else package.parent / "examples" / "digits"


def pack(folder: Path) -> bytes:
    """The files of a folder as a tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            archive.add(path, arcname=path.name)
    return packed.getvalue()


def _kept_url(settings: Settings) -> str | None:
    """Where the `bunsen up` on the data folder answers, unless another address was named."""
    if settings.model_fields_set & {"host", "port", "advertise_url"}:
        return None
    try:
        return (settings.data / "url").read_text().strip() or None
    except OSError:
        return None


def _kept_token(settings: Settings) -> str:
    path = settings.data / "token"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise CannotStart(
            f"There is no token to read at {path} ({error.strerror}): is a `bunsen up` running there? "
            "Another folder: --data; another service: --url and --token."
        ) from None


class Demo:
    """One run of the demo. What the service refuses, and its absence, raise CannotStart."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url
        self._begin = time.monotonic()
        self._experiment = ""
        self._seen = 0  # statuses that were shown

    def run(self) -> None:
        """Upload, create, follow, and say where to look next."""
        user = self._ask("GET", "/users")["username"]
        project = f"/{user}/{PROJECT}"
        if not self._exists(project):
            self._ask("POST", "/projects", json={"name": PROJECT})
        folder = digits_folder()
        click.echo(f"Uploading {folder} to {user}/{PROJECT}")
        self._ask("PUT", f"{project}/repo/upload", files={"repo": ("digits.tar.gz", pack(folder))})
        spec = (folder / "experiment.yml").read_text()
        number = self._ask("POST", f"{project}/experiments", json={"config": spec})["id"]
        self._experiment = f"{project}/experiments/{number}"
        click.echo(f"Experiment {number}: {self._url}/api/v1{self._experiment}")
        self._until_started(project)
        status = self._show_log(self._experiment, first="first line of the training")
        self._show_statuses()
        self._show_metrics()
        if status != "succeeded":
            raise CannotStart(f"The experiment ended {status}; its last message above says why.")
        self._show_next()

    def _until_started(self, project: str) -> None:
        built = False
        while True:
            status = self._show_statuses()
            if status == "building" and not built:
                name = self._ask("GET", self._experiment)["build_job"]
                if name is not None:
                    built = True
                    self._show_log(f"{project}/builds/{name.rpartition('.')[2]}")
                    continue
            if status == "running" or status in DONE:
                return
            time.sleep(POLL)

    def _show_statuses(self) -> str:
        """Print those that are new. Gives the last one."""
        page = self._ask("GET", f"{self._experiment}/statuses", params={"limit": 1000})
        for row in page["results"][self._seen :]:
            message = f": {row['message']}" if row["message"] else ""
            self._say(f"{row['status']}{message}")
        self._seen = len(page["results"])
        return str(page["results"][-1]["status"])

    def _show_log(self, path: str, first: str | None = None) -> str:
        """Print a log as it is written. Gives the status at its end."""
        for event in self._follow(f"{path}/logs/lines"):
            if event["event"] == "end":
                return str(event["status"])
            if event["event"] == "gap":
                click.echo(f"    (lines from {event['from_time']} to {event['to_time']} are lost)")
            if event["event"] == "line":
                if first:
                    self._say(f"the {first}:")
                    first = None
                click.echo(f"    {event['text']}")
        raise AssertionError("a followed log ends with its end")

    def _follow(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a log to its end. A stream that was cut goes on at the next line."""
        position, heard = 0, time.monotonic()
        while True:
            try:
                with self._client.stream("GET", path, params={"follow": True, "offset": position}) as answer:
                    if answer.status_code >= 500:
                        raise httpx.ReadError("the service is not ready")
                    if answer.status_code != 200:
                        answer.read()
                        raise CannotStart(_refusal(answer))
                    for line in answer.iter_lines():
                        event = orjson.loads(line)
                        heard = time.monotonic()
                        position = event.get("seq", position - 1) + 1
                        yield event
                        if event["event"] == "end":
                            return
            except httpx.TransportError:
                if time.monotonic() - heard > PATIENCE:
                    raise CannotStart(_away(self._url)) from None
            time.sleep(POLL)

    def _show_metrics(self) -> None:
        page = self._ask("GET", f"{self._experiment}/metrics", params={"limit": 1000})
        rows = page["results"]
        if not rows:
            return
        names = sorted({name for row in rows for name in row["values"]})
        click.echo(f"\n{page['count']} metrics; the first, the last and some between:\n")
        click.echo("  " + "".join(f"{name:>12}" for name in ["step", *names]))
        for row in rows[:: max(1, len(rows) // 6)] + rows[-1:]:
            values = (f"{row['values'][name]:12.4f}" if name in row["values"] else " " * 12 for name in names)
            click.echo(f"  {row['step']:>12}" + "".join(values))

    def _show_next(self) -> None:
        here = f"{self._url}/api/v1{self._experiment}"
        project = here.partition("/experiments/")[0]
        auth = '-H "Authorization: token $TOKEN"'
        click.echo(
            f"""
What to look at next, with TOKEN set to the one that `bunsen up` keeps in its data folder:

  its outputs        curl -sS {auth} {here}/outputs | tar -tz
  the model alone    curl -sSO {auth} {here}/outputs/files/model.pkl
  its TensorBoard    curl -sS -X POST {auth} {here}/tensorboard/start
                     and open the `url` that this answers
  once more          curl -sS -X POST {auth} {here}/restart
  the best of all    curl -sS {auth} '{project}/experiments?sort=-metric.accuracy'
  every call         {self._url}/docs"""
        )

    def _exists(self, path: str) -> bool:
        return self._send("GET", path).status_code != 404

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._send(method, path, **options)
        if answer.is_error:
            raise CannotStart(_refusal(answer))
        return answer.json() if answer.headers.get("content-type", "").endswith("json") else None

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer; reading goes on over a restart of the service. Raises CannotStart when it is away."""
        begin = time.monotonic()
        while True:
            try:
                answer = self._client.request(method, path, **options)
            except httpx.TransportError:
                answer = None
            if answer is not None and not (method == "GET" and answer.status_code == 503):
                return answer
            if method != "GET" or not self._experiment or time.monotonic() - begin > PATIENCE:
                raise CannotStart(_away(self._url))
            time.sleep(POLL)

    def _say(self, text: str) -> None:
        click.echo(f"{time.monotonic() - self._begin:6.1f} s  {text}")


def _away(url: str) -> str:
    return f"No service answers at {url}: start one with `make run`, or name another by --url."


def _refusal(answer: httpx.Response) -> str:
    """The service's own words."""
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"it answered {answer.status_code}, and is perhaps no Bunsen"
    return f"The service at {answer.url.copy_with(raw_path=b'/')} says no: {detail}"

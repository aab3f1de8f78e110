"""How the documented calls are made: real curl, with only the `{{…}}` of the printed text filled in."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CURLRC = 'silent\nshow-error\nno-location\nwrite-out = "\\n%{http_code} %{content_type}"\n'


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    status: int
    media: str
    body: bytes

    def json(self) -> Any:
        assert self.media == "application/json", self
        return json.loads(self.body)


@dataclass(frozen=True)
class Service:
    """A service that runs, and the token of its user `root`."""

    url: str
    token: str
    headers: dict[str, str] = field(init=False)
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", {"Authorization": f"token {self.token}"})
        client = httpx.Client(base_url=f"{self.url}/api/v1", headers=self.headers, timeout=30)
        object.__setattr__(self, "http", client)

    def create(self, project: str, **body: Any) -> "Experiment":
        answer = self.http.post(f"/root/{project}/experiments", json=body)
        assert answer.status_code == 201, answer.text
        return Experiment(self, project, answer.json()["id"])


@dataclass(frozen=True)
class Experiment:
    """One of root's experiments."""

    service: Service
    project: str
    id: int

    @property
    def url(self) -> str:
        return f"{self.service.url}/api/v1/root/{self.project}/experiments/{self.id}"

    def get(self, below: str = "") -> Any:
        answer = self.service.http.get(f"{self.url}{below}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, below: str, body: Any = None) -> httpx.Response:
        return self.service.http.post(f"{self.url}/{below}", json=body)

    def statuses(self) -> list[Any]:
        return [(row["status"], row["message"]) for row in self.get("/statuses")["results"]]

    def curl(self, printed: str, **values: Any) -> Answer:
        """Run a printed call for this experiment."""
        fill = {
            "base_api_url": self.service.url.removeprefix("http://"),
            "username": "root",
            "project": self.project,
            "id": self.id,
            "experiment_id": self.id,
            "token": self.service.token,
            **values,
        }
        command = re.sub(r"\{\{(\w+)\}\}", lambda found: str(fill[found[1]]), printed)
        with tempfile.TemporaryDirectory() as home:
            Path(home, ".curlrc").write_text(CURLRC)
            environment = {"CURL_HOME": home, "HOME": home, "PATH": "/usr/local/bin:/usr/bin:/bin"}
            done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, timeout=60)
        assert done.returncode == 0, (command, done.stderr)
        body, _, last = done.stdout.rpartition(b"\n")
        status, _, media = last.decode().partition(" ")
        return Answer(int(status), media.split(";")[0], body)

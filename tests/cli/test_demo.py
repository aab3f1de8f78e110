"""`bunsen demo` trains the example project on a real service, in an environment from the registry."""

import re
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import httpx

from app.cli.demo import digits_folder, pack
from tests.cli.conftest import Bunsen
from tests.embedded.processes import ROOT
from tests.supervisor.service import Up, data_folder


def _show_while_the_api_dies(up: Up) -> str:
    """All that a second demo prints, when the API is killed in the middle of its training."""
    command = [sys.executable, "-m", "app.cli", "demo", "--url", up.url, "--token", up.token]
    shown = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as demo:
        assert demo.stdout
        for line in demo.stdout:
            shown += line
            if "epoch  3 of 30" in line:
                up.part("api").kill()
    assert demo.returncode == 0, shown
    return shown


def test_shows_build_and_log_live_over_a_death_of_the_api_then_metrics_and_what_is_next(
    command_line: Bunsen,
) -> None:
    with data_folder() as data:
        up = Up(data).start()
        try:
            up.wait_ready()
            printed = re.search(r"\n  \S*bunsen (demo --data \S+)\n", up.output)
            assert printed, up.output
            shown = command_line(*printed[1].split())
            again = _show_while_the_api_dies(up)
            with httpx.Client(
                base_url=f"{up.url}/api/v1/root/demo", headers={"Authorization": f"token {up.token}"}
            ) as client:
                experiments = client.get("/experiments", params={"sort": "id"}).json()["results"]
                number = experiments[0]["id"]
                outputs = client.get(f"/experiments/{number}/outputs").content
                metrics = client.get(f"/experiments/{number}/metrics").json()["results"]
        finally:
            up.stop()
    assert shown.exit_code == 0, shown.output + shown.stderr
    in_order = ["Uploading", "building", "Step 1/2: pip install", "running", "first line", "epoch  1 of 30"]
    places = [shown.output.find(words) for words in [*in_order, "epoch 30 of 30", "succeeded", "30 metrics"]]
    assert -1 not in places
    assert places == sorted(places)
    assert f"{up.url}/api/v1/root/demo/experiments/{number}/outputs" in shown.output
    assert [point["step"] for point in metrics] == list(range(1, 31))
    assert experiments[0]["last_metric"]["accuracy"] > 0.9
    with tarfile.open(fileobj=BytesIO(outputs)) as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert "model.pkl" in names
    assert any(name.startswith("events.out.tfevents.") for name in names)
    assert "Step 1/2" not in again  # the environment is shared
    epochs = [int(number) for number in re.findall(r"epoch +(\d+) of 30", again)]
    assert epochs == list(range(1, 31))
    assert [row["last_status"] for row in experiments] == ["succeeded", "succeeded"]


def test_says_in_a_sentence_that_no_service_answers(command_line: Bunsen) -> None:
    result = command_line("demo", "--url", "http://127.0.0.1:1", "--token", "t")
    assert result.exit_code == 1
    assert "No service answers at" in result.stderr
    assert "make run" in result.stderr


def test_says_where_it_looked_for_a_token(command_line: Bunsen, tmp_path: Path) -> None:
    result = command_line("demo", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert str(tmp_path / "token") in result.stderr
    assert "--data" in result.stderr


def test_uploads_the_files_of_the_example_alone() -> None:
    with tarfile.open(fileobj=BytesIO(pack(digits_folder()))) as archive:
        assert archive.getnames() == ["experiment.yml", "requirements.txt", "train.py"]


def test_needs_only_what_the_requirements_name_by_version() -> None:
    lines = (digits_folder() / "requirements.txt").read_text().splitlines()
    assert all(re.match(r"#|[a-z-]+==\d", line) for line in lines)

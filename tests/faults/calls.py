"""A client that goes on asking while parts of the service are killed and come back."""

import time
import uuid
from typing import Any

import httpx

from tests.supervisor.service import Up

DONE = {"succeeded", "failed", "stopped"}
AWAY = {502, 503}


class Patient:
    """Repeats each call until it is answered; creates carry an idempotency key, so that once is once."""

    def __init__(self, up: Up, project: str = "kills") -> None:
        self._up = up
        self._project = project

    def call(self, method: str, path: str, *, seconds: float = 60.0, **options: Any) -> httpx.Response:
        """An answer that is none of a service that is away."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self._up.client() as client:
                    answer = client.request(method, f"/api/v1/{path}", **options)
                if answer.status_code not in AWAY:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"{method} {path} was not answered"
            time.sleep(0.05)

    def make_project(self) -> None:
        answer = self.call("POST", "projects", json={"name": self._project})
        assert answer.status_code in {201, 400}, answer.text  # 400: an unanswered try had made it

    @property
    def experiments(self) -> str:
        return f"root/{self._project}/experiments"

    def create(self, cmd: str, **spec: Any) -> int:
        config = {"version": 1, "kind": "experiment", "run": {"cmd": cmd}, **spec}
        return self._made(self.experiments, {"config": config})

    def track(self) -> int:
        """One that is only tracked."""
        return self._made(self.experiments, {})

    def clone(self, id: int, call: str) -> int:
        return self._made(f"{self.experiments}/{id}/{call}", {})

    def _made(self, path: str, body: dict[str, Any]) -> int:
        answer = self.call("POST", path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def get(self, id: int) -> dict[str, Any]:
        answer = self.call("GET", f"{self.experiments}/{id}")
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()
        return row

    def status(self, id: int) -> str:
        return str(self.get(id)["last_status"])

    def wait(self, id: int, words: set[str], seconds: float = 120.0) -> str:
        deadline = time.monotonic() + seconds
        while (word := self.status(id)) not in words:
            assert time.monotonic() < deadline, f"{id} stays {word}: {self.history(id)}"
            time.sleep(0.1)
        return word

    def history(self, id: int) -> list[tuple[str, str | None]]:
        answer = self.call("GET", f"{self.experiments}/{id}/statuses", params={"limit": 1000})
        return [(row["status"], row["message"]) for row in answer.json()["results"]]

    def jobs(self, id: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("GET", f"{self.experiments}/{id}/jobs").json()["results"]
        return rows

    def log_so_far(self, id: int) -> list[str]:
        """The lines that are stored by now."""
        return self.call("GET", f"{self.experiments}/{id}/logs").text.splitlines()

    def log(self, id: int) -> list[str]:
        """The whole log, followed to its end; taken up again at the next line where it was cut."""
        lines: list[str] = []
        while True:
            try:
                with (
                    self._up.client() as client,
                    client.stream(
                        "GET",
                        f"/api/v1/{self.experiments}/{id}/logs",
                        params={"follow": "true", "offset": len(lines)},
                    ) as answer,
                ):
                    if answer.status_code == 200:
                        for line in answer.iter_lines():
                            lines.append(line)  # noqa: PERF402 - what came before a cut counts
                        return lines
            except httpx.TransportError:
                time.sleep(0.1)

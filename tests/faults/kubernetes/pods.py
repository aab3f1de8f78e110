"""A patient client of the service that also knows what the cluster said, and when."""

import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from tests.faults.calls import DONE, Patient
from tests.faults.kubernetes.kube import Namespace, attempt, until
from tests.supervisor.service import Up

# Seconds in which a status follows the cluster's own; beside other tests on the same cores that shows little.
PROMPT = 20.0 if "PYTEST_XDIST_WORKER" in os.environ else 2.0
WORDS = ["created", "scheduled", "starting", "running", "succeeded"]
RECOVERY = 15.0  # seconds after a restart in which all is caught up with
LOOK = 0.2  # seconds between two looks at all statuses


def tell(row: str, what: str, seconds: float) -> None:
    """A measured time: shown with `-s`, and by a failure."""
    sys.stdout.write(f"[row {row}] {what}: {seconds:.2f} s\n")


def told(what: str) -> str:
    """Shell that waits until a test says so, by a file in the outputs."""
    return f'until [ -e "$POLYAXON_RUN_OUTPUTS_PATH/{what}" ]; do sleep 0.1; done'


def reported(text: str) -> datetime:
    return datetime.fromisoformat(text)


class OnPods(Patient):
    """Experiments of one project whose pods lie in `namespace`."""

    def __init__(self, up: Up, namespace: Namespace, project: str = "faults") -> None:
        super().__init__(up, project)
        self.namespace = namespace
        self._first: dict[tuple[int, str], datetime] = {}  # when a status of an experiment was first seen
        self._closing = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def open(self) -> "OnPods":
        self.make_project()
        self._looking.start()
        return self

    def close(self) -> None:
        self._closing.set()
        self._looking.join(60)

    def _look(self) -> None:
        """What the list of experiments says, again and again: a status' own time is the cluster's."""
        while not self._closing.wait(LOOK):
            try:
                with self._up.client() as client:
                    while not self._closing.wait(LOOK):
                        found = client.get(f"/api/v1/{self.experiments}", params={"limit": 100})
                        now = datetime.now(UTC)
                        for row in found.raise_for_status().json()["results"]:
                            self._first.setdefault((row["id"], row["last_status"]), now)
            except httpx.HTTPError:
                continue

    def seen(self, id: int, word: str) -> datetime:
        """When a reader first saw that status."""
        until(lambda: (id, word) in self._first)
        return self._first[id, word]

    def outputs(self, id: int) -> Path:
        """Its outputs, as this machine sees them."""
        volume = self._up.environment["BUNSEN_OUTPUTS_VOLUME"]
        return Path(volume.partition(":")[2], self.get(id)["uuid"])

    def job(self, id: int) -> dict[str, Any]:
        """The only job, once it is there."""
        until(lambda: bool(self.jobs(id)))
        (job,) = self.jobs(id)
        return job

    def pod(self, id: int, number: int = 1) -> str:
        """The name of the only job's pod."""
        return attempt(self.job(id), number)

    def rows(self, id: int) -> list[dict[str, Any]]:
        answer = self.call("GET", f"{self.experiments}/{id}/statuses", params={"limit": 1000})
        return list(answer.json()["results"])

    def row(self, id: int, met: Callable[[str, str], bool], seconds: float = 60.0) -> dict[str, Any]:
        """The first status whose word and message meet the condition, now or soon."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            rows = self.rows(id)
            found[:] = [row for row in rows if met(row["status"], row["message"] or "")]
            return bool(found)

        until(there, seconds)
        return found[0]

    def moves(self, id: int) -> list[str]:
        """Its statuses, each once however much was said while it had it."""
        return [word for word, _ in groupby(word for word, _ in self.history(id))]

    def end(self, id: int, seconds: float = 120.0) -> tuple[str, str]:
        """The last status and its message, of which there is one that is final."""
        self.wait(id, DONE, seconds)
        history = self.history(id)
        assert [word for word, _ in history if word in DONE] == [history[-1][0]], history
        return history[-1][0], history[-1][1] or ""

    def lag(self, id: int, row: str, name: str | None = None) -> float:
        """Seconds from the cluster's word that the command ended to the experiment's last status, as seen."""
        word, _ = self.end(id)
        ended = self.namespace.ended(name or self.pod(id))
        seconds = (self.seen(id, word) - ended.at).total_seconds()
        tell(row, f"{word} after the cluster's end", seconds)
        return seconds

    def details(self, id: int) -> dict[str, Any]:
        """The details of the only job's last status."""
        path = f"{self.experiments}/{id}/jobs/{self.job(id)['id']}/statuses"
        found: dict[str, Any] = self.call("GET", path).json()["results"][-1]["details"]
        return found

    def stop(self, id: int) -> None:
        assert self.call("POST", f"{self.experiments}/{id}/stop").status_code == 200

    def delete(self, id: int) -> None:
        assert self.call("DELETE", f"{self.experiments}/{id}").status_code == 204

    def said(self, id: int, text: str, seconds: float = 60.0) -> None:
        """Wait until the log as stored has this."""
        until(lambda: text in self.call("GET", f"{self.experiments}/{id}/logs").text, seconds)

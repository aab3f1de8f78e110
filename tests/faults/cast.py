"""Experiments that cover every state, each with the end that it must come to whatever is killed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.calls import Patient

# Says in the outputs that it was started, once a start: the folder is the experiment's own.
START = 'echo start >> "$POLYAXON_RUN_OUTPUTS_PATH/starts.$(echo "$POLYAXON_TASK_INFO" | tr -dc a-z0-9)"; '


def numbered(lines: int, pause: float) -> str:
    """A command that prints numbered lines."""
    return f"i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); sleep {pause}; done"


def checksum(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def expected_log(lines: int) -> str:
    return checksum([f"line {n}" for n in range(lines)])


@dataclass(frozen=True)
class Part:
    """One experiment: how it is made and what is done to it, and how it must end."""

    name: str
    begin: Callable[[Patient], int]
    end: str
    lines: int | None = None  # how many numbered lines its log must hold, each once, in order
    starts: int | None = 1  # how often each of its jobs was started; None: once at most
    meddle: Callable[[Patient, int], None] | None = None


def _spec(cmd: str, **spec: Any) -> Callable[[Patient], int]:
    return lambda patient: patient.create(START + cmd, **spec)


def _stop(patient: Patient, id: int) -> None:
    patient.wait(id, {"running", "stopped"})
    assert patient.call("POST", f"{patient.experiments}/{id}/stop").status_code == 200


def _delete(patient: Patient, id: int) -> None:
    patient.wait(id, {"running"})
    assert patient.call("DELETE", f"{patient.experiments}/{id}").status_code in {204, 404}


def _finish_tracked(patient: Patient, id: int) -> None:
    for word in ("running", "succeeded"):
        answer = patient.call("POST", f"{patient.experiments}/{id}/statuses", json={"status": word})
        assert answer.status_code in {201, 409}, answer.text


SMALL = {"environment": {"resources": {"cpu": {"requests": 0.1}}}}
BUILD = {"build": {"build_steps": ["sleep 0.5", "echo built"]}}
FAIL_ONCE = 'F="$POLYAXON_RUN_OUTPUTS_PATH/second"; if [ -e "$F" ]; then exit 0; fi; touch "$F"; exit 1'
FORGOTTEN = "3600.0417"  # what a daemon that wiped its environment is known by
DAEMON = (
    f"(setsid sleep 3600 >/dev/null 2>&1 &) ; (env -i setsid sleep {FORGOTTEN} >/dev/null 2>&1 &) ; sleep 0.3"
)
GONE = "deleted"  # the end of one that is deleted while it runs


def cast(lines: int, pause: float) -> list[Part]:
    """Twenty experiments; the long ones print `lines` lines with `pause` seconds between."""
    talk = numbered(lines, pause)
    return [
        *(Part(f"talks {n}", _spec(talk, **SMALL), "succeeded", lines) for n in range(4)),
        Part("deleted", _spec(f"{DAEMON}; sleep 3600", **SMALL), GONE, None, None, _delete),
        Part("fails", _spec(f"{talk}; exit 3", **SMALL), "failed", lines),
        Part("fails at once", _spec("exit 1", **SMALL), "failed", 0),
        Part("silent", _spec("sleep 2", **SMALL), "succeeded", 0),
        Part("daemon", _spec(DAEMON, **SMALL), "succeeded", 0),
        Part("timeout", _spec("sleep 3600", **SMALL, termination={"timeout": 2}), "failed", 0),
        Part("retried", _spec(FAIL_ONCE, **SMALL, termination={"max_retries": 1}), "succeeded", 0, 2),
        Part("stopped", _spec("sleep 3600", **SMALL), "stopped", 0, None, _stop),
        Part(
            "stubborn", _spec("trap '' TERM; while :; do sleep 0.2; done", **SMALL), "stopped", 0, None, _stop
        ),
        Part("built", _spec(talk, **SMALL, **BUILD), "succeeded", lines),
        Part("built too", _spec(talk, **SMALL, **BUILD), "succeeded", lines),
        Part("build fails", _spec("true", build={"build_steps": ["exit 7"]}), "failed", None, 0),
        Part(
            "three jobs",
            _spec("sleep 1", environment={"pytorch": {"n_workers": 2}, **SMALL["environment"]}),
            "succeeded",
            0,
            None,
        ),
        Part(
            "worker fails",
            _spec(
                'case "$POLYAXON_TASK_INFO" in *worker*) exit 5;; esac; sleep 3600',
                environment={"pytorch": {"n_workers": 1}, **SMALL["environment"]},
            ),
            "failed",
            0,
            None,
        ),
        Part("tracked", Patient.track, "succeeded", None, None, _finish_tracked),
        Part(
            "never fits",
            _spec("true", environment={"resources": {"cpu": {"requests": 900}}}),
            "stopped",
            None,
            0,
            None,
        ),
    ]

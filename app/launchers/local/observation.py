"""From the records in a job's folder to what is seen of the job, in words a person can act on."""

import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.domain.lifecycle import Status
from app.domain.runs import JobObservation, JobRef
from app.launchers.amounts import bytes_text, seconds_text
from app.launchers.local.plans import Plan
from app.launchers.local.runner import records

Record = dict[str, object]

NEEDS_IMAGE = ("apt-get", "apt ", "apk ", "yum ", "dnf ", "sudo ")


@dataclass(frozen=True, slots=True)
class Records:
    """What lies in a job's folder at one moment."""

    runner: Record | None
    started: Record | None
    end: Record | None
    note: str | None


def read_records(folder: Path) -> Records:
    """All records of the job; those that are not there are None. Raises OSError but for missing files."""
    path = str(folder)
    end = records.read_record(path, records.END)
    runner = records.read_record(path, records.RUNNER)
    started = records.read_record(path, records.STARTED) if runner else None
    return Records(runner, started, end, records.read_note(path) if runner and not end else None)


def observe(ref: JobRef, seen: Records, plan: Plan | None, node: str) -> JobObservation | None:
    """What is there of the job; None as long as nothing was started."""
    if seen.end is not None:
        return _ended(ref, seen.end, plan, node)
    if seen.runner is None:
        return None
    started = _time(seen.started.get("at")) if seen.started else None
    status = Status.RUNNING if seen.started else Status.STARTING
    return JobObservation(ref, status, message=seen.note, started_at=started, node=node)


def _ended(ref: JobRef, end: Record, plan: Plan | None, node: str) -> JobObservation:
    reason = str(end["reason"])
    code = end.get("exit_code")
    exit_code = code if isinstance(code, int) else None
    if reason == "stopped":
        status = Status.STOPPED
    elif reason == "exited" and exit_code == 0:
        status = Status.SUCCEEDED
    else:
        status = Status.FAILED
    return JobObservation(
        ref,
        status,
        message=_message(reason, end, exit_code, plan, ref),
        exit_code=exit_code,
        started_at=_time(end.get("started_at")),
        finished_at=_time(end.get("finished_at")),
        infrastructure=reason in {"lost", "runner_ended", "service_stopped"},
        retryable=reason != "timeout",
        node=node,
        details=_details(end, status),
    )


def _message(reason: str, end: Record, code: int | None, plan: Plan | None, ref: JobRef) -> str | None:
    given = end.get("message")
    if reason == "exited":
        return _exit_message(end, code)
    if reason == "stopped":
        return "stopped"
    if reason == "timeout":
        seconds = end.get("timeout")
        return f"ran longer than its timeout of {seconds_text(seconds)}"
    if reason == "out_of_memory":
        return _memory_message(end, plan, ref)
    if reason == "start_failed":
        return f"could not be started: {given}"
    if reason == "service_stopped":
        return "infrastructure: the service was stopped, and its jobs with it"
    if reason == "runner_ended":
        return "infrastructure: its runner was told to end (SIGTERM), as when the machine shuts down"
    return f"infrastructure: {given}"


def _exit_message(end: Record, code: int | None) -> str | None:
    if code == 0:
        return None
    stage = end.get("stage")
    ended_by = _signal_name(code)
    how = f"{ended_by} (exit code {code})" if ended_by else f"exit code {code}"
    if stage == "run":
        return f"ended by {how}" if ended_by else f"failed with {how}"
    if stage == "code":
        said = str(end.get("tail") or "").strip().splitlines()
        return f"its code could not be unpacked: {said[-1].removeprefix('bunsen: ') if said else how}"
    text = f"{stage} failed with {how}"
    if any(word in str(stage) for word in NEEDS_IMAGE):
        text += "; steps run without root and without an image here: a cluster has them"
    return text


def _signal_name(code: int | None) -> str | None:
    """The signal that a shell's exit code tells of, None where it tells of none."""
    try:
        return signal.Signals((code or 0) - 128).name
    except ValueError:
        return None


def _memory_message(end: Record, plan: Plan | None, ref: JobRef) -> str:
    used = end.get("used")
    limit = plan.job(ref).memory_limit if plan else None
    if not isinstance(used, int):
        return "out of memory (OOM): killed by the kernel, since the machine or its container had none left"
    return f"out of memory (OOM): used {bytes_text(used)} of {bytes_text(limit or 0)}"


def _details(end: Record, status: Status) -> dict[str, object]:
    details: dict[str, object] = {"reason": end["reason"]}
    if end.get("used") is not None:
        details["memory_used"] = end["used"]
    if status is Status.FAILED:
        details["stage"] = end.get("stage")
        details["last_lines"] = str(end.get("tail") or "").splitlines()[-10:]
    return details


def _time(nanoseconds: object) -> datetime | None:
    """Microseconds are kept; `fromtimestamp` alone would round through a float."""
    if not isinstance(nanoseconds, int):
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)

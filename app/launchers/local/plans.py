"""What was decided for each run before its first process: users, ports, GPUs, amounts. Kept on disk."""

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from app.domain.runs import JobRef, RunKind
from app.launchers.local.runner.records import read_record, write_record


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """One job's share. `memory_limit` is in bytes, `gpus` names devices as CUDA does."""

    ref: JobRef
    role: str
    index: int
    port: int
    gpus: tuple[str, ...]
    memory_limit: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One attempt of a run. `cpu` and `memory` are what it counts for, in all."""

    run: str
    attempt: int
    kind: RunKind
    principal: str
    uid: int | None
    cpu: float
    memory: int
    environment: str | None
    jobs: tuple[PlannedJob, ...]
    boot: str | None = None  # the machine's boot that it was made in

    @property
    def name(self) -> str:
        return f"{self.run}-{self.attempt}"

    @property
    def gpus(self) -> frozenset[str]:
        """All devices of the run."""
        return frozenset(gpu for job in self.jobs for gpu in job.gpus)

    def job(self, ref: JobRef) -> PlannedJob:
        """The share of one of its jobs."""
        return next(job for job in self.jobs if job.ref == ref)


class Plans:
    """All plans, in memory and on disk; one is forgotten with the last of its jobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plans: dict[str, Plan] = {}
        self._by_job: dict[JobRef, Plan] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read what an earlier process left. Raises OSError."""
        for path in self._folder.iterdir():
            record = None if path.name.startswith(".") else read_record(str(self._folder), path.name)
            if not record:
                path.unlink()
            else:
                self._take(_plan(record))

    def add(self, plan: Plan) -> None:
        """Keep it, durably: after a power cut it tells what was launched. Raises OSError."""
        write_record(str(self._folder), plan.name, asdict(plan), durable=True)
        self._take(plan)

    def find(self, run: str, attempt: int) -> Plan | None:
        """The plan of that attempt of a run."""
        return self._plans.get(f"{run}-{attempt}")

    def of(self, ref: JobRef) -> Plan | None:
        """The plan that the job belongs to."""
        return self._by_job.get(ref)

    def all(self) -> list[Plan]:
        """Every plan there is."""
        with self._lock:
            return list(self._plans.values())

    def refs(self) -> list[JobRef]:
        """The jobs of all plans, but those that were dropped."""
        with self._lock:
            return list(self._by_job)

    def use(self, uid: int) -> bool:
        """Whether some plan has that user."""
        return any(plan.uid == uid for plan in self.all())

    def drop(self, ref: JobRef) -> None:
        """The job is gone; with the last one its plan goes."""
        with self._lock:
            plan = self._by_job.pop(ref, None)
            if plan is not None and not any(job.ref in self._by_job for job in plan.jobs):
                self._plans.pop(plan.name, None)
                (self._folder / plan.name).unlink(missing_ok=True)

    def _take(self, plan: Plan) -> None:
        with self._lock:
            self._plans[plan.name] = plan
            self._by_job.update({job.ref: plan for job in plan.jobs})


def _plan(record: dict[str, object]) -> Plan:
    """The reverse of `asdict`, for a record that this module wrote."""
    fields = dict(record)
    fields["kind"] = RunKind(str(fields["kind"]))
    fields["jobs"] = tuple(_jobs(fields["jobs"]))
    return Plan(**fields)  # type: ignore[arg-type]


def _jobs(records: object) -> Iterator[PlannedJob]:
    assert isinstance(records, list)
    for record in records:
        yield PlannedJob(**{**record, "ref": JobRef(**record["ref"]), "gpus": tuple(record["gpus"])})

"""Measures what live jobs use: cores since the last look, memory, GPUs."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.domain.runs import JobRef
from app.launchers.base import JobUsage
from app.launchers.local import gpus
from app.launchers.local.plans import Plans
from app.launchers.local.runner.memory import proportional, resident
from app.launchers.local.runner.processes import Process, all_processes, descendants

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Sample:
    time: float
    cpu: dict[tuple[int, int], int] = field(default_factory=dict)  # ticks of each process


class Meter:
    """Remembers the last look at each job. `measure` blocks."""

    def __init__(self, plans: Plans, memory: int) -> None:
        self._plans = plans
        self._memory = memory
        self._samples: dict[JobRef, _Sample] = {}

    def measure(self, runners: Sequence[tuple[JobRef, int]]) -> list[JobUsage]:
        """The use of the jobs beside these runners (their pids); 0 percent at the first look."""
        table = all_processes()
        devices = {gpu for ref, _ in runners for gpu in self._gpus(ref)}
        measured = gpus.usage(devices)
        kept = {ref for ref, _ in runners}
        self._samples = {ref: sample for ref, sample in self._samples.items() if ref in kept}
        return [self._job(ref, pid, table, measured) for ref, pid in runners]

    def _job(
        self,
        ref: JobRef,
        pid: int,
        table: dict[int, Process],
        measured: dict[str, dict[str, object]],
    ) -> JobUsage:
        members = descendants({pid}, table)
        percent, by_core = self._cores(ref, members)
        pids = [process.pid for process in members]
        used = proportional(pids)
        return JobUsage(
            ref=ref,
            cpu_percentage=round(percent, 1),
            percpu_percentage=by_core,
            n_cpus=len(by_core),
            memory_used=sum(map(resident, pids)) if used is None else used,
            memory_limit=self._limit(ref),
            gpu_resources=tuple(measured[gpu] for gpu in self._gpus(ref) if gpu in measured),
        )

    def _cores(self, ref: JobRef, members: Sequence[Process]) -> tuple[float, tuple[float, ...]]:
        """Percent of one core since the last look: in all, and by the core where each process ran last."""
        now = time.monotonic()
        before = self._samples.get(ref)
        self._samples[ref] = _Sample(now, {(p.pid, p.start): p.ticks for p in members})
        by_core = [0.0] * (os.cpu_count() or 1)
        if before is None or now <= before.time:
            return 0.0, tuple(by_core)
        for process in members:
            ticks = process.ticks - before.cpu.get((process.pid, process.start), 0)
            by_core[process.core % len(by_core)] += 100 * ticks / _TICKS / (now - before.time)
        return sum(by_core), tuple(round(percent, 1) for percent in by_core)

    def _gpus(self, ref: JobRef) -> tuple[str, ...]:
        plan = self._plans.of(ref)
        return plan.job(ref).gpus if plan is not None else ()

    def _limit(self, ref: JobRef) -> int:
        plan = self._plans.of(ref)
        limit = plan.job(ref).memory_limit if plan is not None else None
        return limit or self._memory

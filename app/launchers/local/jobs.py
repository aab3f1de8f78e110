"""The folders of job attempts, as the launcher makes, observes, settles and removes them. All block."""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from app.domain.lifecycle import DONE
from app.domain.runs import JobObservation, JobRef, RunKind
from app.launchers.base import LaunchDelayed
from app.launchers.local.environments import Environments
from app.launchers.local.layout import Layout, ref_of
from app.launchers.local.leftovers import machine_restarted, runner_alive, settle
from app.launchers.local.observation import observe, read_records
from app.launchers.local.plans import Plan, Plans
from app.launchers.local.runner import records
from app.launchers.local.spawning import request_stop

logger = logging.getLogger(__name__)

_DEFINITION = "definition"
_UNLOCK_SECONDS = 2.0
_DEATH_SECONDS = 15.0


class Jobs:
    """`node` is the machine's name. Final observations are remembered: they never change."""

    def __init__(self, layout: Layout, plans: Plans, environments: Environments, node: str) -> None:
        self._layout = layout
        self._plans = plans
        self._environments = environments
        self._node = node
        self._final: dict[JobRef, JobObservation] = {}

    def make(self, ref: JobRef, uid: int | None, definition: dict[str, object]) -> None:
        """Create the job's folder: the runner's, through which the job's user may pass. Raises OSError."""
        folder = self._layout.job(ref)
        folder.mkdir(mode=0o700, exist_ok=True)
        if uid is not None:
            os.chown(folder, os.geteuid(), uid)
            folder.chmod(0o710)
        records.write_record(str(folder), _DEFINITION, definition)

    def definition(self, ref: JobRef) -> dict[str, object]:
        """What was launched; empty where nothing was."""
        return records.read_record(str(self._layout.job(ref)), _DEFINITION) or {}

    def begun(self, ref: JobRef) -> bool:
        """Whether the job has or had a runner, or was ended before it got one."""
        folder = self._layout.job(ref)
        return (folder / records.RUNNER).exists() or (folder / records.END).exists()

    def over(self, ref: JobRef) -> bool:
        """Whether the job's end is written."""
        return ref in self._final or (self._layout.job(ref) / records.END).exists()

    def wait_over(self, refs: Sequence[JobRef], seconds: float) -> bool:
        """Wait until all these jobs are over; False when they are not in that time."""
        until = time.monotonic() + seconds
        while not all(self.over(ref) for ref in refs):
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        return True

    def live_plans(self) -> list[Plan]:
        """The plans of runs of which some job is not over."""
        return [plan for plan in self._plans.all() if not all(self.over(job.ref) for job in plan.jobs)]

    def known(self) -> list[JobRef]:
        """Every job that has a folder or a plan."""
        found = [ref_of(name) for name in os.listdir(self._layout.jobs)]  # noqa: PTH208
        return list(dict.fromkeys(ref for ref in (*found, *self._plans.refs()) if ref is not None))

    def observe(self, ref: JobRef) -> JobObservation | None:
        """What is there of the job, brought to its end if its runner was killed."""
        final = self._final.get(ref)
        if final is not None:
            return final
        folder = self._layout.job(ref)
        seen = read_records(folder)
        plan = self._plans.of(ref)
        if seen.end is None and self._is_lost(seen.runner, plan):
            if seen.runner is None:
                folder.mkdir(mode=0o700, exist_ok=True)
            self._settle_if_it_can_be(ref)
            seen = read_records(folder)
        observation = observe(ref, seen, plan, self._node)
        if observation is not None and observation.status in DONE:
            self._final[ref] = observation
        return observation

    def settle(self, ref: JobRef) -> bool:
        """End a job whose runner is gone; False while that can't be. Raises OSError."""
        plan = self._plans.of(ref)
        until = time.monotonic() + _UNLOCK_SECONDS
        while not settle(self._layout.job(ref), plan, self.runners):
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)  # a child of the killed runner may hold the lock for a moment longer
        return True

    def _settle_if_it_can_be(self, ref: JobRef) -> None:
        try:
            self.settle(ref)
        except OSError as error:
            logger.warning("The end of job %s waits to be written: %s", ref.name, error.strerror)

    def _is_lost(self, runner: dict[str, object] | None, plan: Plan | None) -> bool:
        """Whether its runner is gone; in a power cut it can go without a trace."""
        return machine_restarted(None, plan) if runner is None else not runner_alive(runner)

    def runners(self) -> set[int]:
        """The pids of all living runners."""
        found = (self._runner(self._layout.jobs / name) for name in os.listdir(self._layout.jobs))  # noqa: PTH208
        return {pid for pid in found if pid is not None}

    def runner(self, ref: JobRef) -> int | None:
        """The pid of the job's runner, None where none lives."""
        return self._runner(self._layout.job(ref))

    def forget(self, ref: JobRef) -> None:
        """Kill the job if it lives, then delete what is its own. Raises LaunchDelayed, OSError."""
        folder = self._layout.job(ref)
        if folder.is_dir():
            self._kill(ref, folder)
        plan = self._plans.of(ref)
        built = plan.environment if plan is not None and plan.kind is RunKind.BUILD else None
        if built is not None and not self._environments.is_whole(built):
            self._environments.remove(built)
        self._layout.discard(self._layout.job_temporary(ref))
        self._layout.discard(folder)
        self._plans.drop(ref)
        self._final.pop(ref, None)

    def _kill(self, ref: JobRef, folder: Path) -> None:
        if not (folder / records.END).exists():
            request_stop(folder, 0.0, "stopped")
        until = time.monotonic() + _DEATH_SECONDS
        while time.monotonic() < until:
            runner = records.read_record(str(folder), records.RUNNER)
            gone = runner is None or not runner_alive(runner)
            if gone and ((folder / records.END).exists() or runner is None or self.settle(ref)):
                return
            time.sleep(0.01)
        raise LaunchDelayed(f"the processes of {ref.name} do not end, though they were killed")

    def _runner(self, folder: Path) -> int | None:
        runner = records.read_record(str(folder), records.RUNNER)
        pid = runner.get("pid") if runner is not None and runner_alive(runner) else None
        return pid if isinstance(pid, int) else None

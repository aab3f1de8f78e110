"""Decides all about a run before its first process, and says it to each job's runner."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.runs import JobSpec, RunKind, RunSpec
from app.launchers.amounts import count_text
from app.launchers.base import LaunchDelayed, LaunchRefused
from app.launchers.local import builds, ports, variables
from app.launchers.local.admission import demand, wanted
from app.launchers.local.capacity import Capacity
from app.launchers.local.environments import Environments
from app.launchers.local.layout import Layout
from app.launchers.local.options import LocalOptions
from app.launchers.local.outputs import find_outputs, group_of, make_outputs, outputs_path
from app.launchers.local.plans import Plan, PlannedJob, Plans
from app.launchers.local.runner.system import boot_id
from app.launchers.local.users import NoUserFree, Users

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What planning needs. `live` gives the plans of runs that are not over. All calls block.

    Runs are planned side by side in threads; `sharing` is held from the look at what is free to the plan
    that takes it, so that no two runs get the same device or port.
    """

    options: LocalOptions
    layout: Layout
    users: Users | None
    plans: Plans
    environments: Environments
    capacity: Capacity
    live: Callable[[], list[Plan]]
    sharing: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, run: RunSpec) -> Plan:
        """The run's plan, kept before it is answered. Raises LaunchRefused, LaunchDelayed, OSError."""
        self._check(run)
        principal = run.principal or run.uuid
        uid, environment = self._user(principal), self._environment(run)
        if run.outputs is not None:
            make_outputs(outputs_path(self.options, run.outputs_volume, run.outputs), uid)
        with self.sharing:
            plan = self._share(run, principal, uid, environment)
            self.plans.add(plan)
        return plan

    def _share(self, run: RunSpec, principal: str, uid: int | None, environment: str | None) -> Plan:
        needs = demand(run)
        taken = {job.port for plan in self.plans.all() for job in plan.jobs}
        numbers = iter(ports.free_ports(len(run.jobs), taken))
        devices = iter(self._free_devices(needs.gpus))
        return Plan(
            run=run.uuid,
            attempt=run.attempt,
            kind=run.kind,
            principal=principal,
            uid=uid,
            cpu=needs.cpu,
            memory=needs.memory,
            environment=environment,
            jobs=tuple(
                PlannedJob(
                    job.ref,
                    job.role,
                    job.index,
                    next(numbers),
                    tuple(next(devices) for _ in range(self._devices_of(run, job))),
                    job.resources.limits.memory,
                )
                for job in run.jobs
            ),
            boot=boot_id(),
        )

    def runner_input(self, run: RunSpec, plan: Plan, job: JobSpec) -> bytes:
        """What the job's runner reads at its start. Raises LaunchRefused."""
        folder = self.layout.job(job.ref)
        work = folder / "work"
        environment = self._variables(run, plan, job)
        variables.check_sizes(environment, run.command)
        return json.dumps(
            {
                "folder": str(folder),
                "work": str(work / "code"),
                "home": str(work / "home"),
                "temporary": str(self.layout.job_temporary(job.ref)),
                "environment": environment,
                "stages": self._stages(run, plan),
                "timeout": run.timeout,
                "grace": run.grace,
                "memory_limit": job.resources.limits.memory,
                "segment_bytes": self.options.segment_bytes,
                "uid": plan.uid,
                "groups": self._groups(run),
                "max_processes": self.options.max_processes,
            }
        ).encode()

    def definition(self, run: RunSpec, plan: Plan, job: JobSpec) -> Json:
        """What is launched, for people: no secrets."""
        planned = plan.job(job.ref)
        secret = {*variables.SECRETS, *self._named(run), *(self.options.step_env if run.build else ())}
        secret -= {key for key, _ in run.env_vars}  # the spec's win, and stand in the spec
        shown = {key: value for key, value in self._variables(run, plan, job).items() if key not in secret}
        return {
            "kind": "process",
            "command": ["/bin/sh", "-c", run.command],
            "steps": list(run.build.steps) if run.build else None,
            "environment": plan.environment,
            "variables": shown,
            "secret_variables": sorted(secret),
            "address": f"{ports.HOST}:{planned.port}",
            "gpus": list(planned.gpus),
            "memory_limit": planned.memory_limit,
            "timeout": run.timeout,
            "user": plan.uid,
        }

    def _check(self, run: RunSpec) -> None:
        for name in run.data_volumes:
            path = self.options.data_volumes.get(name)
            if path is None:
                raise LaunchRefused(f"there is no data volume {name!r} in the settings")
            if not Path(path).exists():
                raise LaunchRefused(f"the data volume {name!r} is not there: nothing is at {path}")
        self._named(run)
        if run.code is not None and not self.options.code_file(run.code).is_file():
            raise LaunchRefused("the archive of its code is not there any more")

    def _named(self, run: RunSpec) -> dict[str, str]:
        return {
            **variables.named_variables(run.configmap_refs, self.options.configmaps, "configmap"),
            **variables.named_variables(run.secret_refs, self.options.secrets, "secret"),
        }

    def _user(self, principal: str) -> int | None:
        if self.users is None:
            return None
        try:
            return self.users.allot(principal)
        except NoUserFree as error:
            raise LaunchDelayed(f"waits for a user to run as: {error}") from None

    def _devices_of(self, run: RunSpec, job: JobSpec) -> int:
        return (wanted(job).gpu or 0) if run.kind is RunKind.EXPERIMENT else 0

    def _free_devices(self, count: int) -> list[str]:
        used = {gpu for plan in self.live() for gpu in plan.gpus}
        free = [gpu for gpu in self.capacity.gpus if gpu not in used]
        if len(free) < count:
            whole = len(self.capacity.gpus)
            raise LaunchDelayed(f"waits for {count_text(count, 'GPU')}: {len(free)} of {whole} free")
        return free[:count]

    def _environment(self, run: RunSpec) -> str | None:
        if run.build is not None:
            return builds.environment_name(run.build, run)
        if run.environment is None:
            return self.environments.base()
        if not self.environments.is_whole(run.environment):
            raise LaunchRefused("the environment that was built for it is not there any more")
        return run.environment

    def _stages(self, run: RunSpec, plan: Plan) -> list[Json]:
        archive = str(self.options.code_file(run.code)) if run.code is not None else None
        if run.build is not None:
            return builds.stages(run.build, plan, self.environments, archive)
        unpack: list[Json] = [{"kind": "unpack", "name": "code", "archive": archive}] if archive else []
        return [*unpack, {"kind": "command", "name": "run", "command": run.command, "begins": True}]

    def _groups(self, run: RunSpec) -> list[int]:
        """The groups of the experiments whose outputs it reads."""
        if self.options.uids is None:
            return []
        found = (find_outputs(self.options, uuid) for uuid in run.reads)
        groups = (group_of(path, self.options.uids) for path in found if path is not None)
        return sorted({group for group in groups if group is not None})

    def _variables(self, run: RunSpec, plan: Plan, job: JobSpec) -> dict[str, str]:
        work = self.layout.job(job.ref) / "work"
        environment = self.environments.path(plan.environment or "")
        own = variables.own_variables(plan, work / "home", self.layout.job_temporary(job.ref), environment)
        if run.build is not None:
            return variables.of_step(own, run, plan, self.options, self.layout)
        return variables.of_job(own, run, plan, job, self._paths(run), self.options, self._named(run))

    def _paths(self, run: RunSpec) -> variables.Paths:
        outputs = outputs_path(self.options, run.outputs_volume, run.outputs) if run.outputs else None
        found = (find_outputs(self.options, uuid) for uuid in run.reads)
        return variables.Paths(
            outputs=str(outputs) if outputs else None,
            data={name: self.options.data_volumes[name] for name in run.data_volumes},
            reads=tuple(str(path) for path in found if path is not None),
        )

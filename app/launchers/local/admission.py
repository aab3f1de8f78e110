"""Which runs may start: in order, as long as their requests fit beside what runs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.domain.runs import Admission, Amounts, JobSpec, RunKind, RunSpec
from app.launchers.amounts import bytes_text, count_text, number_text
from app.launchers.local.capacity import Capacity
from app.launchers.local.plans import Plan


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run counts for: cores, bytes, devices."""

    cpu: float = 0.0
    memory: int = 0
    gpus: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(self.cpu + other.cpu, self.memory + other.memory, self.gpus + other.gpus)


def demand(run: RunSpec) -> Demand:
    """The sum of its jobs' requests, a limit standing in for a request that is not there.

    An experiment that asks for no cores counts one in all; builds and TensorBoards count nothing.
    """
    if run.kind is not RunKind.EXPERIMENT:
        return Demand()
    wants = [wanted(job) for job in run.jobs]
    cores = [amounts.cpu for amounts in wants if amounts.cpu is not None]
    return Demand(
        cpu=sum(cores) if cores else 1.0,
        memory=sum(amounts.memory or 0 for amounts in wants),
        gpus=sum(amounts.gpu or 0 for amounts in wants),
    )


def wanted(job: JobSpec) -> Amounts:
    """What the job asks for: requests, else limits."""
    asked, most = job.resources.requests, job.resources.limits
    return Amounts(
        cpu=most.cpu if asked.cpu is None else asked.cpu,
        memory=most.memory if asked.memory is None else asked.memory,
        gpu=most.gpu if asked.gpu is None else asked.gpu,
    )


def in_use(plans: Iterable[Plan]) -> Demand:
    """What the runs of these plans count for, together."""
    total = Demand()
    for plan in plans:
        total += Demand(plan.cpu, plan.memory, len(plan.gpus))
    return total


def admit(
    waiting: Sequence[RunSpec], capacity: Capacity, used: Demand, launched: Collection[str]
) -> list[Admission]:
    """An answer for each, in order. `launched` are the names of runs (`uuid-attempt`) that count already."""
    answers: list[Admission] = []
    held_up_by: str | None = None
    for run in waiting:
        if run.kind is not RunKind.EXPERIMENT or f"{run.uuid}-{run.attempt}" in launched:
            answers.append(Admission(True))
            continue
        needs = demand(run)
        never = _lacks(needs, Demand(), capacity, "this machine has")
        if never:
            answers.append(Admission(False, f"can never fit: {'; '.join(never)}", never=True))
            continue
        lacks = _lacks(needs, used, capacity, None)
        if held_up_by is not None:
            answers.append(Admission(False, f"waits behind others: the first of them {held_up_by}"))
        elif lacks:
            held_up_by = f"waits for {'; '.join(lacks)}"
            answers.append(Admission(False, held_up_by))
        else:
            used += needs
            answers.append(Admission(True))
    return answers


def _lacks(needs: Demand, used: Demand, capacity: Capacity, has: str | None) -> list[str]:
    """What doesn't fit, a phrase each: `2 cores (1 of 4 free)`, or `8 cores (this machine has 4)`."""
    phrases: list[str] = []
    free = capacity.cpu - used.cpu
    if needs.cpu > free + 1e-9:
        phrases.append(
            _phrase(count_text(needs.cpu, "core"), number_text(max(free, 0)), number_text(capacity.cpu), has)
        )
    left = capacity.memory - used.memory
    if needs.memory > left:
        phrases.append(
            _phrase(
                f"{bytes_text(needs.memory)} of memory",
                bytes_text(max(left, 0)),
                bytes_text(capacity.memory),
                has,
            )
        )
    devices = len(capacity.gpus)
    if needs.gpus > devices - used.gpus:
        phrases.append(
            _phrase(count_text(needs.gpus, "GPU"), str(max(devices - used.gpus, 0)), str(devices), has)
        )
    return phrases


def _phrase(needs: str, free: str, whole: str, has: str | None) -> str:
    return f"{needs} ({has} {whole})" if has else f"{needs}: {free} of {whole} free"

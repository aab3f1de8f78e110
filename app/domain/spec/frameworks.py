"""The distributed part of `environment`: which jobs an experiment has beside its master."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.lifecycle import Role
from app.domain.spec.checker import Checker
from app.domain.spec.placement import read_affinity, read_node_selector, read_tolerations
from app.domain.spec.quantities import read_resources
from app.domain.spec.rendered import Allowed, Job
from app.errors import Location

_PROPERTIES: dict[str, Callable[[Checker, object, Location], object]] = {
    "resources": read_resources,
    "node_selector": read_node_selector,
    "affinity": read_affinity,
    "tolerations": read_tolerations,
}
_MOST = 100_000  # of one role, whatever the settings allow


@dataclass(frozen=True, slots=True)
class Framework:
    """What one framework's section may hold: its roles, by the word in its keys, and keys without effect."""

    roles: Mapping[str, Role]
    ignored: tuple[str, ...] = ()
    ignored_of_job: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of the section."""
        return (
            tuple(key for word in self.roles for key in (_count_key(word), f"default_{word}", word))
            + self.ignored
        )


FRAMEWORKS = {
    "tensorflow": Framework(
        {"worker": Role.WORKER, "ps": Role.PS},
        ignored=("delay_workers_by_global_step", "run_config"),
        ignored_of_job=("config",),
    ),
    "pytorch": Framework({"worker": Role.WORKER}),
    "mxnet": Framework({"worker": Role.WORKER, "ps": Role.SERVER}),
    "horovod": Framework({"worker": Role.WORKER}),
}


def read_master(checker: Checker, environment: Mapping[str, object], loc: Location) -> Job:
    """The master, from the environment's own properties."""
    return _job(Role.MASTER, 0, _read_properties(checker, environment, loc))


def read_framework(
    checker: Checker, environment: Mapping[str, object], loc: Location, allowed: Allowed
) -> tuple[str | None, tuple[Job, ...]]:
    """The framework's name and its jobs beside the master; `(None, ())` where none is named. Where several
    are, each is read, for its own mistakes."""
    named = [name for name in FRAMEWORKS if name in environment]
    for name in named[1:]:
        checker.problems.add(
            (*loc, name), f"only one of {', '.join(FRAMEWORKS)} may be given", "several_frameworks"
        )
    read = [_read_framework(checker, environment, loc, allowed, name) for name in named]
    return (named[0], read[0]) if read else (None, ())


def _read_framework(
    checker: Checker, environment: Mapping[str, object], loc: Location, allowed: Allowed, name: str
) -> tuple[Job, ...]:
    framework, at = FRAMEWORKS[name], (*loc, name)
    section = checker.mapping(environment[name], at, framework.keys)
    counts = {
        word: checker.integer(section.get(_count_key(word), 0), (*at, _count_key(word)), low=0, high=_MOST)
        for word in framework.roles
    }
    if allowed.enforced and 1 + sum(counts.values()) > allowed.max_jobs:
        largest = max(counts, key=lambda word: counts[word])
        msg = f"an experiment may have {allowed.max_jobs} jobs, its master included"
        checker.problems.add((*at, _count_key(largest)), msg, "too_many_jobs")
        return ()
    jobs = [
        job
        for word, role in framework.roles.items()
        for job in _read_role(checker, section, at, word, role, counts[word], framework.ignored_of_job)
    ]
    return tuple(jobs)


def _count_key(word: str) -> str:
    return "n_ps" if word == "ps" else f"n_{word}s"


def _read_role(
    checker: Checker,
    section: Mapping[str, object],
    loc: Location,
    word: str,
    role: Role,
    count: int,
    ignored: tuple[str, ...],
) -> list[Job]:
    """The jobs of one role: each has the default's properties, replaced whole by its entry's."""
    allowed = (*_PROPERTIES, *ignored)
    at = (*loc, f"default_{word}")
    default = _read_properties(checker, checker.mapping(section.get(f"default_{word}", {}), at, allowed), at)
    entries: dict[int, dict[str, object]] = {}
    for position, item in enumerate(checker.items(section.get(word, []), (*loc, word))):
        at = (*loc, word, position)
        entry = checker.mapping(item, at, ("index", *allowed), required=("index",))
        properties = _read_properties(checker, entry, at)
        if "index" in entry:
            index = checker.integer(entry["index"], (*at, "index"), low=0, high=_MOST)
            if index >= count:
                msg = f"there is no {word} {index}: {_count_key(word)} is {count}"
                checker.problems.add((*at, "index"), msg, "no_such_index")
            if index in entries:
                checker.problems.add((*at, "index"), f"{word} {index} is there twice", "duplicate_index")
            entries[index] = properties
    return [_job(role, index, {**default, **entries.get(index, {})}) for index in range(count)]


def _read_properties(checker: Checker, section: Mapping[str, object], loc: Location) -> dict[str, object]:
    return {
        name: read(checker, section[name], (*loc, name))
        for name, read in _PROPERTIES.items()
        if name in section
    }


def _job(role: Role, index: int, properties: Mapping[str, object]) -> Job:
    return Job(role, index, **properties)  # type: ignore[arg-type]

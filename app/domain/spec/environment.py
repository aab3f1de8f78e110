"""The spec's `environment` section: jobs, volumes, others' outputs, secrets and configmaps."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from app.domain.spec.checker import Checker
from app.domain.spec.frameworks import FRAMEWORKS, read_framework, read_master
from app.domain.spec.rendered import Allowed, Job
from app.errors import Location

MAX_REFERENCES = 100
_KEYS = (
    *("resources", "node_selector", "affinity", "tolerations"),
    *("persistence", "outputs", "secret_refs", "configmap_refs", "cluster_uuid"),
    *FRAMEWORKS,
)
_REFERENCE = re.compile(r"[-a-zA-Z0-9_]{1,128}(/[-a-zA-Z0-9_]{1,128}){0,2}")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the section says, with the settings' volumes where it names none."""

    framework: str | None
    jobs: tuple[Job, ...]
    references: tuple[int | str, ...]
    data_volumes: tuple[str, ...]
    outputs_volume: str | None
    secret_refs: tuple[str, ...]
    configmap_refs: tuple[str, ...]


def read_environment(checker: Checker, value: object, loc: Location, allowed: Allowed) -> Environment:
    """Every key of the section; `cluster_uuid` is taken without effect."""
    section = checker.mapping(value, loc, _KEYS)
    master = read_master(checker, section, loc)
    framework, others = read_framework(checker, section, loc, allowed)
    data, outputs = _read_persistence(checker, section.get("persistence", {}), (*loc, "persistence"), allowed)
    return Environment(
        framework=framework,
        jobs=(master, *others),
        references=_read_references(checker, section.get("outputs", {}), (*loc, "outputs")),
        data_volumes=data,
        outputs_volume=outputs,
        secret_refs=_read_names(
            checker,
            section.get("secret_refs", []),
            (*loc, "secret_refs"),
            allowed.secrets,
            "secret",
            allowed.enforced,
        ),
        configmap_refs=_read_names(
            checker,
            section.get("configmap_refs", []),
            (*loc, "configmap_refs"),
            allowed.configmaps,
            "configmap",
            allowed.enforced,
        ),
    )


def _read_persistence(
    checker: Checker, value: object, loc: Location, allowed: Allowed
) -> tuple[tuple[str, ...], str | None]:
    """Data volumes (none named: all), and the outputs volume (none named: the first that there is)."""
    section = checker.mapping(value, loc, ("data", "outputs"))
    data = _read_names(
        checker,
        section.get("data", []),
        (*loc, "data"),
        allowed.data_volumes,
        "data volume",
        allowed.enforced,
    )
    outputs = next(iter(allowed.outputs_volumes), None)
    if "outputs" in section:
        outputs = checker.text(section["outputs"], (*loc, "outputs"))
        if allowed.enforced:
            checker.known(outputs, (*loc, "outputs"), allowed.outputs_volumes, "outputs volume")
    return data or allowed.data_volumes, outputs


def _read_names(
    checker: Checker, value: object, loc: Location, known: Collection[str], noun: str, enforced: bool
) -> tuple[str, ...]:
    names = []
    for index, item in enumerate(checker.items(value, loc, "a list of names")):
        name = checker.text(item, (*loc, index))
        if enforced:
            checker.known(name, (*loc, index), known, noun)
        names.append(name)
    return tuple(dict.fromkeys(names))


def _read_references(checker: Checker, value: object, loc: Location) -> tuple[int | str, ...]:
    """Other experiments: ids and names, in the order given."""
    section = checker.mapping(value, loc, ("experiments",))
    loc = (*loc, "experiments")
    items = checker.items(section.get("experiments", []), loc)
    if len(items) > MAX_REFERENCES:
        checker.problems.add(loc, f"must be at most {MAX_REFERENCES}", "too_long")
    found = []
    for index, item in enumerate(items[:MAX_REFERENCES]):
        mistakes = len(checker.problems.places)
        reference = _read_reference(checker, item, (*loc, index))
        if len(checker.problems.places) == mistakes:
            checker.problems.references[index] = reference
        found.append(reference)
    return tuple(found)


def _read_reference(checker: Checker, value: object, loc: Location) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return checker.integer(value, loc, low=1, high=2**63 - 1)
    wanted = "an experiment: its id, name, project/name or user/project/name"
    return checker.matching(value, loc, _REFERENCE, wanted, 512)

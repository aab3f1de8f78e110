"""Where pods may go: node selectors, affinity and tolerations, checked for the form that Kubernetes wants."""

import re
from collections.abc import Callable, Mapping

from app.domain.spec.checker import Checker
from app.errors import Location

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME = r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"({_SUBDOMAIN}/)?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_LABEL_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

Read = Callable[[Checker, object, Location], object]


def read_node_selector(checker: Checker, value: object, loc: Location) -> dict[str, str]:
    """Labels that a node must have."""
    return _read_labels(checker, value, loc)


def read_affinity(checker: Checker, value: object, loc: Location) -> dict[str, object]:
    """`nodeAffinity`, `podAffinity`, `podAntiAffinity`, as a pod's manifest has them."""
    sections: dict[str, Read] = {
        "nodeAffinity": _read_node_affinity,
        "podAffinity": _read_pod_affinity,
        "podAntiAffinity": _read_pod_affinity,
    }
    return _read_object(checker, value, loc, sections)


def read_tolerations(checker: Checker, value: object, loc: Location) -> tuple[Mapping[str, object], ...]:
    """A list of `{key, operator, value, effect, tolerationSeconds}`."""
    return tuple(
        _read_toleration(checker, item, (*loc, index)) for index, item in enumerate(checker.items(value, loc))
    )


def _read_toleration(checker: Checker, value: object, loc: Location) -> dict[str, object]:
    readers: dict[str, Read] = {
        "key": _read_key,
        "operator": lambda c, v, at: c.one_of(v, at, ("Exists", "Equal")),
        "value": _read_value,
        "effect": lambda c, v, at: c.one_of(v, at, _EFFECTS),
        "tolerationSeconds": lambda c, v, at: c.integer(v, at, low=-(2**31), high=2**31),
    }
    found = _read_object(checker, value, loc, readers)
    if found.get("operator") == "Exists" and found.get("value"):
        checker.problems.add((*loc, "value"), "must be left out where operator is Exists")
    if found and "key" not in found and found.get("operator") != "Exists":
        checker.problems.add((*loc, "operator"), "must be Exists where there is no key")
    if "tolerationSeconds" in found and found.get("effect") != "NoExecute":
        checker.problems.add((*loc, "effect"), "must be NoExecute where there are tolerationSeconds")
    return found


def _read_node_affinity(checker: Checker, value: object, loc: Location) -> dict[str, object]:
    return _read_object(
        checker,
        value,
        loc,
        {
            _REQUIRED: lambda c, v, at: _read_object(
                c, v, at, {"nodeSelectorTerms": _list_of(_read_node_term)}, ("nodeSelectorTerms",)
            ),
            _PREFERRED: _list_of(_weighted("preference", _read_node_term)),
        },
    )


def _read_pod_affinity(checker: Checker, value: object, loc: Location) -> dict[str, object]:
    readers = {
        _REQUIRED: _list_of(_read_pod_term),
        _PREFERRED: _list_of(_weighted("podAffinityTerm", _read_pod_term)),
    }
    return _read_object(checker, value, loc, readers)


def _read_node_term(checker: Checker, value: object, loc: Location) -> object:
    expressions = _list_of(_requirement(_NODE_OPERATORS))
    return _read_object(checker, value, loc, {"matchExpressions": expressions, "matchFields": expressions})


def _read_pod_term(checker: Checker, value: object, loc: Location) -> object:
    readers: dict[str, Read] = {
        "labelSelector": _read_label_selector,
        "namespaceSelector": _read_label_selector,
        "namespaces": _list_of(lambda c, v, at: c.matching(v, at, _NAMESPACE, "a namespace", 63)),
        "topologyKey": _read_key,
        "matchLabelKeys": _list_of(_read_key),
        "mismatchLabelKeys": _list_of(_read_key),
    }
    return _read_object(checker, value, loc, readers, ("topologyKey",))


def _read_label_selector(checker: Checker, value: object, loc: Location) -> object:
    readers: dict[str, Read] = {
        "matchLabels": _read_labels,
        "matchExpressions": _list_of(_requirement(_LABEL_OPERATORS)),
    }
    return _read_object(checker, value, loc, readers)


def _requirement(operators: tuple[str, ...]) -> Read:
    def read(checker: Checker, value: object, loc: Location) -> object:
        readers: dict[str, Read] = {
            "key": _read_key,
            "operator": lambda c, v, at: c.one_of(v, at, operators),
            "values": _list_of(_read_value),
        }
        found = _read_object(checker, value, loc, readers, ("key", "operator"))
        values = found.get("values")
        _check_values(
            checker, found.get("operator"), values if isinstance(values, list) else [], (*loc, "values")
        )
        return found

    return read


def _check_values(checker: Checker, operator: object, values: list[object], loc: Location) -> None:
    if operator in ("In", "NotIn") and not values:
        checker.problems.add(loc, f"must have a value where operator is {operator}", "missing")
    if operator in ("Exists", "DoesNotExist") and values:
        checker.problems.add(loc, f"must be left out where operator is {operator}")
    if operator in ("Gt", "Lt") and (len(values) != 1 or not str(values[0]).lstrip("-").isdecimal()):
        checker.problems.add(loc, f"must be one whole number, as a text, where operator is {operator}")


def _weighted(key: str, read_term: Read) -> Read:
    def read(checker: Checker, value: object, loc: Location) -> object:
        readers: dict[str, Read] = {
            "weight": lambda c, v, at: c.integer(v, at, low=1, high=100),
            key: read_term,
        }
        return _read_object(checker, value, loc, readers, ("weight", key))

    return read


def _list_of(read_item: Read) -> Read:
    def read(checker: Checker, value: object, loc: Location) -> object:
        return [
            read_item(checker, item, (*loc, index)) for index, item in enumerate(checker.items(value, loc))
        ]

    return read


def _read_object(
    checker: Checker,
    value: object,
    loc: Location,
    readers: Mapping[str, Read],
    required: tuple[str, ...] = (),
) -> dict[str, object]:
    section = checker.mapping(value, loc, readers.keys(), required)
    return {key: readers[key](checker, item, (*loc, key)) for key, item in section.items()}


def _read_labels(checker: Checker, value: object, loc: Location) -> dict[str, str]:
    if not isinstance(value, dict):
        checker.wrong(value, loc, "an object of labels")
        return {}
    for key in value:
        checker.matching(key, (*loc, key), _KEY, "a label's key", 317)
    return {key: _read_value(checker, item, (*loc, key)) for key, item in value.items()}


def _read_key(checker: Checker, value: object, loc: Location) -> str:
    return checker.matching(value, loc, _KEY, "a label's key", 317)


def _read_value(checker: Checker, value: object, loc: Location) -> str:
    """A label's value, which may be empty."""
    if value == "":
        return ""
    return checker.matching(value, loc, _VALUE, "a label's value (a text: put it in quotes)", 63)

"""Volumes as settings write them: a path or `hostPath:PATH`, `pvc:NAME` or `pvc:NAME:PATH`."""

import re
from dataclasses import dataclass
from typing import Literal

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # RFC 1123, as Kubernetes has it for claims


@dataclass(frozen=True, slots=True)
class Volume:
    """`source` is a path of the host or a claim's name; `path` where the service itself has it, if it has."""

    kind: Literal["hostPath", "pvc"]
    source: str
    path: str | None


def read_volume(text: str) -> Volume:
    """The volume of a setting's text. Raises ValueError with what was expected."""
    kind, colon, rest = text.partition(":")
    if text.startswith("/"):
        kind, colon, rest = "hostPath", ":", text
    if kind == "hostPath" and rest.startswith("/"):
        return Volume("hostPath", rest, rest)
    name, _, path = rest.partition(":")
    if kind == "pvc" and colon and _NAME.fullmatch(name) and (not path or path.startswith("/")):
        return Volume("pvc", name, path or None)
    raise ValueError(f"{text!r} is no volume: hostPath:/PATH, pvc:NAME or pvc:NAME:/PATH is expected")

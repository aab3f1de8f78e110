"""The spec's `build` section, and the hash that names what is built from it."""

import hashlib
import json
import re
from collections.abc import Mapping

from app.domain.spec.checker import Checker
from app.domain.spec.rendered import Build
from app.errors import Location

# What build steps see of a project's code; of the scripts among them, they may run.
BUILD_FILES = ("requirements.txt", "polyaxon_requirements.txt", "setup.sh", "polyaxon_setup.sh")
BUILD_SCRIPTS = ("setup.sh", "polyaxon_setup.sh")
MAX_STEPS = 100
MAX_VARIABLES = 512 * 1024  # bytes of all env_vars: Linux bounds a process' variables together
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

# The grammar of github.com/distribution/reference, where a registry has a dot, a port, or is localhost.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_PORT = r":[0-9]{1,5}"
_REGISTRY = (
    rf"(?:{_LABEL}(?:\.{_LABEL})+(?:{_PORT})?|{_LABEL}{_PORT}|localhost|\[[a-fA-F0-9:]+\](?:{_PORT})?)"
)
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_IMAGE = re.compile(
    rf"(?:{_REGISTRY}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[a-zA-Z0-9_][-a-zA-Z0-9_.]{{0,127}})?(?:@{_DIGEST})?"
)


def read_build(checker: Checker, value: object, loc: Location) -> Build:
    """`image`, `build_steps`, `env_vars` (pairs or a map), `nocache`."""
    section = checker.mapping(value, loc, ("image", "build_steps", "env_vars", "nocache"))
    image = section.get("image")
    steps = checker.items(section.get("build_steps", []), (*loc, "build_steps"), "a list of texts")
    if len(steps) > MAX_STEPS:
        checker.problems.add((*loc, "build_steps"), f"must be at most {MAX_STEPS} steps", "too_long")
    return Build(
        image=None if image is None else _read_image(checker, image, (*loc, "image")),
        steps=tuple(
            checker.argument(step, (*loc, "build_steps", index))
            for index, step in enumerate(steps[:MAX_STEPS])
        ),
        env_vars=_read_variables(checker, section.get("env_vars", []), (*loc, "env_vars")),
        nocache=checker.boolean(section.get("nocache", False), (*loc, "nocache")),
    )


def build_hash(build: Build, files: Mapping[str, str], flavour: str) -> str:
    """The name of what a build makes: 64 hex digits, the same for all builds that make the same.

    `files` gives the SHA-256 of those of `BUILD_FILES` that the code has; others are left out. `flavour` is
    what else the environment depends on: the launcher's kind and its Python or default image. `nocache` is
    no part of it.
    """
    parts = {
        "image": build.image,
        "steps": build.steps,
        "env_vars": build.env_vars,
        "files": {name: files[name] for name in BUILD_FILES if name in files},
        "flavour": flavour,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read_image(checker: Checker, value: object, loc: Location) -> str:
    return checker.matching(
        value, loc, _IMAGE, "an image's name, like registry.example:5000/python:3.11", 512
    )


def _read_variables(checker: Checker, value: object, loc: Location) -> tuple[tuple[str, str], ...]:
    """Pairs or a map of variables; of a name that is there twice the last holds, as in a Dockerfile."""
    read: dict[str, str] = {}
    if isinstance(value, dict):
        for key, item in value.items():
            name = _read_variable_name(checker, key, (*loc, key))
            read[name] = checker.scalar(item, (*loc, key))
    else:
        for index, pair in enumerate(checker.items(value, loc, "pairs of a name and a value, or a map")):
            at = (*loc, index)
            if isinstance(pair, list) and len(pair) == 2:
                name = _read_variable_name(checker, pair[0], (*at, 0))
                read[name] = checker.scalar(pair[1], (*at, 1))
            else:
                checker.wrong(pair, at, "a pair: [NAME, value]")
    if sum(len(name) + len(text.encode()) for name, text in read.items()) > MAX_VARIABLES:
        checker.problems.add(loc, f"must have at most {MAX_VARIABLES} bytes together", "too_long")
    return tuple(read.items())


def _read_variable_name(checker: Checker, value: object, loc: Location) -> str:
    return checker.matching(value, loc, _VARIABLE, "a variable's name: letters, digits and _", 256)

"""The Dockerfile of a build, and the files that its steps find beside it. Pure."""

import json
import re
from collections.abc import Mapping

from app.domain.runs import RunSpec

FILES = "/run/bunsen"  # where steps find the files below; nothing of it is kept in the image
NAME = "Dockerfile"

_SHOWN = 100  # characters of a step where it is named
_LONGEST = 32 * 1024  # of a line: parsers of Dockerfiles give up at 64 KiB
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# What the steps' shell gives them unless the settings or the spec do, as shell words. Pip is told that the
# image is its own, and to leave no cache in it.
_DEFAULTS = {
    "HOME": '"${HOME:-/root}"',
    "USER": '"$(id -un 2>/dev/null || echo root)"',
    "LOGNAME": '"$USER"',
    "TMPDIR": "/tmp",  # noqa: S108 - the image's own
    "PYTHONUNBUFFERED": "1",
    "PIP_BREAK_SYSTEM_PACKAGES": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INPUT": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


def full_image(name: str) -> str:
    """The image's name as every tool understands it: with its registry, and without a tag beside a digest."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif first != "localhost" and not any(mark in first for mark in ".:["):
        name = f"docker.io/{name}"
    plain, at, digest = name.partition("@")
    if at:
        head, slash, last = plain.rpartition("/")
        plain = head + slash + last.partition(":")[0]
    return plain + at + digest


def dockerfile(run: RunSpec, image: str) -> str:
    """`FROM`, locale and variables, the code's files, one `RUN` a step (`spec.md`)."""
    assert run.build is not None
    lines = [f"FROM {full_image(image)}", _env("LANG", "C.UTF-8")]
    lines += [_env(name, value) for name, value in run.env_vars if _fits(name, value)]
    lines.append("WORKDIR /code")
    if run.code is not None:
        lines.append('COPY ["./", "/code/"]')
    count = len(run.build.steps)
    for number, step in enumerate(run.build.steps, 1):
        words = ["/bin/sh", f"{FILES}/step", str(number), str(count), shown(step)]
        lines.append(f"RUN {json.dumps(words, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def step_files(run: RunSpec, step_env: Mapping[str, str]) -> dict[str, str]:
    """What lies at `FILES` while steps run: each step's command, and the variables that are not kept."""
    assert run.build is not None
    commands = {f"command-{number}": step for number, step in enumerate(run.build.steps, 1)}
    return commands | {"variables": _variables(run, step_env)}


def shown(step: str) -> str:
    """A step in one short line."""
    line = " ".join(_CONTROL.sub(" ", step).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _variables(run: RunSpec, step_env: Mapping[str, str]) -> str:
    """As assignments for a shell. The spec's own win; they are here where no `ENV` can hold them."""
    words = _DEFAULTS | {name: _quoted(value) for name, value in step_env.items()}
    for name, value in run.env_vars:
        words.pop(name, None)
        if not _fits(name, value):
            words[name] = _quoted(value)
    return "".join(f"{name}={word}\n" for name, word in words.items() if _VARIABLE.fullmatch(name))


def _env(name: str, value: str) -> str:
    escaped = re.sub(r'([\\"$])', r"\\\1", value)
    return f'ENV {name}="{escaped}"'


def _fits(name: str, value: str) -> bool:
    return not _CONTROL.search(value) and len(name) + len(value.encode()) <= _LONGEST


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"

"""The stages of a job, each a child process: unpacking code, a command, making an environment."""

import gzip
import os
import shutil
import signal
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping

from app.launchers.local.runner import sealing, system
from app.launchers.local.runner.identity import Identity

Stage = Mapping[str, object]

_WHOLE = ".code"  # a folder of all code, in the working folder


class Surroundings:
    """What all stages of a job share: its user, its variables, its working folder."""

    __slots__ = ("environment", "identity", "umask", "work")

    def __init__(self, identity: Identity | None, environment: dict[str, str], work: str, umask: int) -> None:
        self.identity = identity
        self.umask = umask
        self.environment = environment
        self.work = work


def spawn(stage: Stage, around: Surroundings, out: int, err: int) -> int:
    """Start a stage in a session of its own, with `out` and `err` as its output; its pid. Raises OSError."""
    runner = os.getpid()
    sys.stderr.flush()
    return os.fork() or _run(stage, around, out, err, runner)


def _run(stage: Stage, around: Surroundings, out: int, err: int, runner: int) -> int:
    """In the stage's own process, which ends here."""
    code = 127
    try:
        _become_child(out, err)
        # opened by the runner's user: the job's need not be able to reach it
        archive = open(str(stage["archive"]), "rb") if "archive" in stage else None  # noqa: SIM115
        os.umask(around.umask)
        if stage.get("user", "job") == "job" and around.identity is not None:
            os.fchown(1, around.identity.uid, -1)  # so that /dev/stdout can be opened by name
            os.fchown(2, around.identity.uid, -1)
            around.identity.assume()
        system.die_with_parent(runner)
        os.chdir(around.work)
        if archive is not None:
            with archive, gzip.GzipFile(fileobj=archive) as file, tarfile.TarFile(fileobj=file) as tar:
                _unpack(tar, stage.get("only"))
            code = 0
        else:
            code = _KINDS[str(stage["kind"])](stage, around)
    except BaseException as error:  # the child must never return into the runner's loop
        os.write(2, f"bunsen: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(code)


def _become_child(out: int, err: int) -> None:
    """Default signals, a session of its own, nothing to read. Other descriptors close when it executes."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)


def _command(stage: Stage, around: Surroundings) -> int:
    os.execve("/bin/sh", ["/bin/sh", "-c", str(stage["command"])], around.environment)  # noqa: S606


def _copy(stage: Stage, around: Surroundings) -> int:
    """The environment that a build begins with: a folder of the build's user, filled by that user."""
    path = str(stage["path"])
    os.mkdir(path, 0o755)
    if around.identity is not None:
        os.chown(path, around.identity.uid, around.identity.uid)
        around.identity.assume()
    sealing.copy(str(stage["source"]), path)
    return 0


def _seal(stage: Stage, around: Surroundings) -> int:
    sealing.seal(str(stage["path"]), around.identity.uid if around.identity else None)
    pointer, record = stage["pointer"], stage["record"]
    assert isinstance(record, dict)
    sealing.mark(str(stage["path"]))
    sealing.publish(str(pointer), record)
    return 0


_KINDS: dict[str, Callable[[Stage, Surroundings], int]] = {
    "command": _command,
    "copy": _copy,
    "seal": _seal,
}


def _unpack(tar: tarfile.TarFile, only: object) -> None:
    """Into the working folder. The service has checked what is in it; `only` maps wanted names to modes."""
    tar.extraction_filter = lambda member, _: member
    if isinstance(only, dict):
        _pick(tar, only)
    else:
        tar.extractall(members=_plain(tar))  # noqa: S202


def _pick(tar: tarfile.TarFile, modes: Mapping[str, int]) -> None:
    """The files of these names alone, links followed. They may lead anywhere in the code, so all of it is
    unpacked for a moment."""
    found = [member for member in tar if os.path.normpath(member.name) in modes]
    if all(member.isreg() for member in found):
        for member in found:
            member.mode = modes[os.path.normpath(member.name)]
            tar.extract(member)
        return
    tar.extractall(_WHOLE, members=_plain(tar))  # noqa: S202
    for name, mode in modes.items():
        path = os.path.join(_WHOLE, name)
        if os.path.isfile(path):
            shutil.copyfile(path, name)
            os.chmod(name, mode)
    shutil.rmtree(_WHOLE)


def _plain(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files, folders and links alone, which their owner can write and others' bits don't lift."""
    for member in tar:
        if member.isreg() or member.isdir() or member.issym() or member.islnk():
            member.mode = (member.mode & 0o777) | (0o700 if member.isdir() else 0o600)
            yield member

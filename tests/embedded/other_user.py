"""Runs a function as another user, in a fork of this process, so that nothing needs to be reachable."""

import os
import pickle
import pwd
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.embedded.reach import can_use


def as_other(uid: int, gid: int, function: Callable[[], Any]) -> Any:
    """What the function returns; what it raises is raised here."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            outcome: tuple[bool, Any] = (True, function())
        except BaseException as error:
            traceback.print_exc()
            outcome = (False, error)
        os.write(writer, pickle.dumps(outcome))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        good, value = pickle.loads(pipe.read())
    os.waitpid(pid, 0)
    if not good:
        raise value
    return value


def clone_is_open() -> bool:
    """Whether others can run what is installed here: not in a clone below a closed home."""
    nobody = pwd.getpwnam("nobody")
    return os.geteuid() != 0 or can_use(Path(sysconfig.get_path("purelib")), nobody.pw_uid, nobody.pw_gid)


in_open_clone = pytest.mark.skipif(
    not clone_is_open(), reason="this clone lies below a home that is closed to others"
)

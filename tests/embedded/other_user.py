"""Runs a function as another user, in a fork of this process, so that nothing needs to be reachable."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any


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

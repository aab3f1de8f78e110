"""Children that end when their parent does, however it dies."""

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def die_with_parent(sig: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` that has the kernel send `sig` to the child when its parent dies (prctl(2)).

    The kernel means the thread that forked, so it must be one that lives as long as the process: the
    main one. subprocess runs this after it has changed the user, which would clear the setting.
    """
    parent = os.getpid()

    def arm() -> None:
        _prctl(PR_SET_PDEATHSIG, int(sig))
        if os.getppid() != parent:  # it died before the kernel knew
            os.kill(os.getpid(), signal.SIGKILL)

    return arm

"""What Linux gives beyond the `os` module: prctl, boot identity, the pipe's size."""

import contextlib
import ctypes
import fcntl
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become_subreaper() -> None:
    """From now on orphaned descendants become children of this process, however they daemonised."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Get SIGKILL when the parent dies. To be called after the last change of user, which undoes it."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def no_new_privileges() -> None:
    """No program that is started from here on gains rights by setuid bits or file capabilities."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def sync_filesystem(descriptor: int) -> None:
    """Make all that was written to the descriptor's file system durable. Raises OSError."""
    if _libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def boot_id() -> str:
    """The kernel's id of this boot: another one means that no process from before is alive."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def pipe(size: int) -> tuple[int, int]:
    """A pipe (read end, write end) of `size` bytes where the kernel allows it, else of its default size."""
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):  # over the user's allowance: the default works, with more wake-ups
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, size)
    return reader, writer

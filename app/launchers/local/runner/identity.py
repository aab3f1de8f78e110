"""Who a job's processes are: a user of their own when root starts them, else whoever started the service."""

import os
import resource
from collections.abc import Sequence

from app.launchers.local.runner import system


class Identity:
    """A uid, its group of the same number, and the groups of other experiments that it may read."""

    __slots__ = ("groups", "max_processes", "uid")

    def __init__(self, uid: int, groups: Sequence[int] = (), max_processes: int | None = None) -> None:
        self.uid = uid
        self.groups = list(groups)
        self.max_processes = max_processes

    def assume(self) -> None:
        """Become this user for good, without a way back. Raises OSError where this process may not."""
        if self.max_processes is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
            bound = self.max_processes if hard == resource.RLIM_INFINITY else min(hard, self.max_processes)
            resource.setrlimit(resource.RLIMIT_NPROC, (bound, bound))
        os.setgroups(self.groups)
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.umask(0o027)
        system.no_new_privileges()

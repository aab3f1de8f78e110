"""The logs of pods: a follower for each that is asked about, from where its reader stands."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.domain.runs import JobRef
from app.launchers.base import LogBytes, LogPosition
from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway, away
from app.launchers.kubernetes.diagnose import GIVEN_UP, is_over, started_at, terminated, verdict_of
from app.launchers.kubernetes.ends import STREAMS, end_line, without_ends
from app.launchers.kubernetes.following import Follower

logger = logging.getLogger(__name__)

Json = dict[str, Any]

UNASKED = 30.0  # seconds after which a log that nobody asks about is followed no more


class PodLogs:
    """`pod` gives the pod of a name as it is known, None where none is; `unseen_end` until when lines of its
    log may have been lost, of which the last that there is was read."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        pod: Callable[[str], Json | None],
        unseen_end: Callable[[str, datetime], datetime | None],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._pod = pod
        self._unseen_end = unseen_end
        self._followers: dict[JobRef, Follower] = {}
        self._asked: dict[JobRef, float] = {}
        self._looked = 0.0

    async def close(self) -> None:
        """Let go of all streams."""
        for ref in list(self._followers):
            await self.drop(ref)

    async def drop(self, ref: JobRef) -> None:
        """Follow this log no more."""
        self._asked.pop(ref, None)
        follower = self._followers.pop(ref, None)
        if follower is not None:
            await follower.close()

    async def ahead(self, positions: Mapping[JobRef, LogPosition]) -> list[JobRef]:
        """Those of which there is more, or whose end was reached."""
        now = time.monotonic()
        found = []
        for ref, position in positions.items():
            self._asked[ref] = now
            follower = await self._follower(ref, position)
            if follower is not None:
                follower.notice_end()
            if follower.ahead if follower is not None else self._is_empty(ref):
                found.append(ref)
        if now - self._looked > UNASKED / 2:
            self._looked = now
            for ref in [ref for ref, asked in self._asked.items() if now - asked > UNASKED]:
                await self.drop(ref)
        return found

    async def read(self, ref: JobRef, position: LogPosition, limit: int) -> LogBytes:
        """About `limit` bytes from `position`; `eof` once the log is whole."""
        self._asked[ref] = time.monotonic()
        follower = await self._follower(ref, position)
        if follower is None:
            return LogBytes(b"", position, position, eof=self._is_empty(ref))
        return follower.read(limit)

    def has_begun(self, ref: JobRef, position: LogPosition) -> bool:
        """Whether it is being read, or was."""
        return ref in self._followers or position.time is not None

    async def last_lines(self, ref: JobRef, count: int) -> list[str]:
        """The last lines of a pod, as far as its log is still there."""
        params = {"container": "main", "tailLines": str(count + STREAMS)}
        try:
            async with self._cluster.stream(self._path(ref), params, silence=15.0) as stream, away():
                data = await stream.read()
        except (ApiRefused, ClusterAway) as error:
            logger.info("the last lines of %s can't be read: %s", ref.name, error)
            return []
        return without_ends(data.decode(errors="replace").splitlines(), ref.name)[-count:]

    async def _follower(self, ref: JobRef, position: LogPosition) -> Follower | None:
        """The follower that stands at `position`; None for a pod that has no log (yet)."""
        follower = self._followers.get(ref)
        if follower is not None and follower.stands_at(position):
            return follower
        if follower is not None:
            await self.drop(ref)  # what was read of it was not stored
            self._asked[ref] = time.monotonic()
        pod = self._pod(ref.name)
        began = (started_at(pod) if pod is not None else None) or position.time
        if began is None:
            return None
        follower = Follower(
            self._cluster,
            self._path(ref),
            position,
            began,
            end=end_line(ref.name),
            over=lambda: self._over(ref),
            unseen_end=lambda read: self._unseen_end(ref.name, read),
        )
        self._followers[ref] = follower
        return follower

    def _over(self, ref: JobRef) -> bool:
        """Whether nothing more is to come: it is over, or was given up."""
        pod = self._pod(ref.name)
        if pod is None or is_over(pod):
            return True
        verdict = verdict_of(pod)
        return verdict is not None and verdict.reason in GIVEN_UP

    def _is_empty(self, ref: JobRef) -> bool:
        """Whether the pod is over and never printed anything, since its command never began."""
        pod = self._pod(ref.name)
        if pod is None:
            return False
        return self._over(ref) and (terminated(pod) is None or started_at(pod) is None)

    def _path(self, ref: JobRef) -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods/{ref.name}/log"

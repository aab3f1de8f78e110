"""Knows all objects of one kind: lists them, watches from there, lists again after every break."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.launchers.kubernetes.client import ApiRefused, Cluster, ClusterAway, away

logger = logging.getLogger(__name__)

Json = dict[str, Any]

SILENCE = 70.0  # seconds; bookmarks come every minute, so that a watch without a word for longer is dead
WATCH = (240, 360)  # seconds that the server is asked to keep a watch, drawn anew for each
BACKOFF = (0.25, 10.0)  # first and longest pause after a failure, jittered
_CHUNK = 256 * 1024


class Broken(Exception):
    """The watch ended otherwise than by its time; what it missed only a list tells."""


class Reflector:
    """`objects` by name, as the cluster last told. `keep` makes what is kept of an object, None drops it;
    `changed` hears the name of each object that was added, changed or removed."""

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        *,
        keep: Callable[[Json], Json | None],
        changed: Callable[[str], None],
        selector: str = "",
        fields: str = "",
        silence: float = SILENCE,
        lasts: tuple[int, int] = WATCH,
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._keep = keep
        self._changed = changed
        self._selector = selector
        self._fields = fields
        self._silence = silence
        self._lasts = lasts
        self._synced = asyncio.Event()
        self._heard = 0.0
        self.objects: dict[str, Json] = {}
        self.trouble: str | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        pause, longest = BACKOFF
        while True:
            try:
                version = await self._list()
                pause = BACKOFF[0]
                await self._watch(version)
            except (ClusterAway, ApiRefused, Broken) as error:
                expired = isinstance(error, ApiRefused) and error.status == 410
                if not expired and not isinstance(error, Broken):
                    self._tell(str(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(longest, 2 * pause)

    async def synced(self) -> None:
        """Wait for the first whole list."""
        await self._synced.wait()

    @property
    def ready(self) -> bool:
        """Whether there was a whole list."""
        return self._synced.is_set()

    @property
    def age(self) -> float:
        """Seconds since the cluster last said something; an idle one says a word a minute."""
        return time.monotonic() - self._heard

    def put(self, item: Json) -> None:
        """An object that this process has just created, before the watch tells of it."""
        self.objects.setdefault(item["metadata"]["name"], self._keep(item) or item)

    async def _list(self) -> str:
        items, version = await self._cluster.list(self._path, self._selector, self._fields)
        found = {item["metadata"]["name"]: kept for item in items if (kept := self._keep(item)) is not None}
        changed = {name for name, item in found.items() if _version(self.objects.get(name)) != _version(item)}
        changed |= self.objects.keys() - found.keys()
        self.objects = found
        self._hear()
        self._synced.set()
        for name in changed:
            self._changed(name)
        return version

    async def _watch(self, version: str) -> None:
        """Follow changes until the server ends the watch at its time. Raises Broken, ClusterAway,
        ApiRefused."""
        params = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*self._lasts)),  # noqa: S311 - spreads the load
        }
        if self._selector:
            params["labelSelector"] = self._selector
        if self._fields:
            params["fieldSelector"] = self._fields
        async with self._cluster.stream(self._path, params, silence=self._silence) as stream:
            tail = b""
            while True:
                async with away():
                    data = await stream.read(_CHUNK)
                if not data:
                    return
                self._hear()
                *lines, tail = (tail + data).split(b"\n")
                for line in lines:
                    if line:
                        self._take(orjson.loads(line))

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, item = event["type"], event["object"]
        if kind == "BOOKMARK":
            return
        if kind == "ERROR":
            raise Broken(str(item.get("message")))
        name = item["metadata"]["name"]
        kept = None if kind == "DELETED" else self._keep(item)
        if kept is None:
            self.objects.pop(name, None)
        else:
            self.objects[name] = kept
        self._changed(name)

    def _hear(self) -> None:
        self._heard = time.monotonic()
        if self.trouble is not None:
            logger.info("%s can be watched again", self._path)
            self.trouble = None

    def _tell(self, trouble: str) -> None:
        if self.trouble is None:
            logger.warning("%s can't be watched, what is known of it grows old: %s", self._path, trouble)
        self.trouble = trouble


def _version(item: Json | None) -> object:
    return None if item is None else item["metadata"].get("resourceVersion")

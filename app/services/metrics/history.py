"""One metric's history, thinned."""

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.metrics import read as db
from app.db.metrics.read import PackedSlice
from app.domain.metrics import NO_STEP, show_number
from app.domain.plain_json import require_text
from app.domain.thinning import Thinning
from app.domain.times import iso
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief

Kept = tuple[int, int, float]  # microseconds since 2000, step, value
Key = tuple[int, str, int]  # experiment, name, max_points

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class HistoryCache:
    """Thinned histories as JSON, the ones asked for last. Points are only ever added: an answer is good
    as long as its metric has as many of them."""

    def __init__(self, capacity: int = 32 * 1024**2) -> None:
        self._capacity = capacity  # bytes
        self._size = 0
        self._entries: OrderedDict[Key, tuple[int, bytes]] = OrderedDict()

    def get(self, key: Key, count: int) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] != count:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Key, count: int, body: bytes) -> None:
        self._drop(key)
        self._entries[key] = (count, body)
        self._size += len(body)
        while self._size > self._capacity:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        if key in self._entries:
            self._size -= len(self._entries.pop(key)[1])


async def read_history(
    session: AsyncSession,
    cache: HistoryCache,
    caller: Caller,
    path: ExperimentPath,
    name: str,
    *,
    max_points: int,
) -> bytes:
    """`{name, count, points: [{step, created_at, value}]}` as JSON, oldest first, at most `max_points`
    of `count`. A name that was never logged has none."""
    require_text(name, ("query", "name"))
    experiment = await get_brief(session, caller, path)
    count = await db.count_values(session, experiment.id, name)
    key = (experiment.id, name, max_points)
    body = cache.get(key, count)
    if body is None:
        thinning = Thinning[Kept](count, max_points)
        if count:
            async for part in db.read_slices(session, experiment.id, name, count, no_step=NO_STEP):
                await asyncio.to_thread(_feed, thinning, part)
        body = _render(name, count, thinning.points())
        cache.put(key, count, body)
    return body


def _feed(thinning: Thinning[Kept], part: PackedSlice) -> None:
    values = _numbers(part.numbers)

    def keep(i: int) -> Kept:
        return _integer(part.times, i), _integer(part.steps, i), values[i]

    thinning.feed(values, keep)


def _numbers(text: str) -> list[float]:
    try:
        numbers: list[float] = orjson.loads(f"[{text}]")
    except orjson.JSONDecodeError:  # NaN, Infinity or -Infinity stand in it
        numbers = [float(number) for number in text.split(",")]
    return numbers


def _integer(packed: bytes, i: int) -> int:
    return int.from_bytes(packed[8 * i : 8 * i + 8], "big", signed=True)


def _render(name: str, count: int, points: list[Kept]) -> bytes:
    return orjson.dumps({"name": name, "count": count, "points": [_point(*kept) for kept in points]})


def _point(time: int, step: int, value: float) -> dict[str, Any]:
    return {
        "step": None if step == NO_STEP else step,
        "created_at": iso(_EPOCH + timedelta(microseconds=time)),
        "value": show_number(value),
    }

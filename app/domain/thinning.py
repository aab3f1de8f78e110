"""Thinning a long series to its extremes and its ends, in one pass and with little memory."""

from collections.abc import Callable, Sequence
from math import isnan
from typing import Generic, NamedTuple, TypeVar

Kept = TypeVar("Kept")


class _Extreme(NamedTuple, Generic[Kept]):
    value: float
    position: int
    kept: Kept


class Thinning(Generic[Kept]):
    """Keeps at most `max_points` (from 2) of `count` points that come in order, a slice at a time.

    The first and the last point always stay. Those between are divided into as many stretches of equal
    length as two points each leave room for, and of each stretch its smallest and its largest value stay,
    the earlier one where several are equal; so, from four points on, do the extremes of the whole. The
    infinities are extremes as numbers are. NaN is none: a stretch of nothing else keeps its first. Where
    `max_points` hold all, all stay.
    """

    def __init__(self, count: int, max_points: int) -> None:
        self._ends = _ends(count, max_points)
        self._ends_only = count > max_points and max_points < 4
        self._stretch = 0  # the one that is open
        self._seen = 0
        self._kept: list[Kept] = []
        self._low: _Extreme[Kept] | None = None
        self._high: _Extreme[Kept] | None = None
        self._nan: _Extreme[Kept] | None = None

    def feed(self, values: Sequence[float], keep: Callable[[int], Kept]) -> None:
        """The next values; `keep(i)` makes what is kept of the i-th. Those over `count` are left out."""
        start = 0
        while start < len(values) and self._stretch < len(self._ends):
            end = start + self._ends[self._stretch] - self._seen
            piece = values[start:end]
            if not (self._ends_only and self._stretch == 1):
                self._look(piece, start, keep)
            self._seen += len(piece)
            start += len(piece)
            if self._seen == self._ends[self._stretch]:
                self._close()

    def points(self) -> list[Kept]:
        """What was kept, in order."""
        self._close()
        return self._kept

    def _look(self, piece: Sequence[float], start: int, keep: Callable[[int], Kept]) -> None:
        numbers = piece
        if isnan(sum(piece)):  # the fast way to know that there may be a NaN; min and max can't bear one
            numbers = [value for value in piece if not isnan(value)]
            if not numbers:
                self._nan = self._nan or _Extreme(piece[0], self._seen, keep(start))
                return
        low, high = min(numbers), max(numbers)
        if self._low is None or low < self._low.value:
            at = piece.index(low)
            self._low = _Extreme(low, self._seen + at, keep(start + at))
        if self._high is None or high > self._high.value:
            at = piece.index(high)
            self._high = _Extreme(high, self._seen + at, keep(start + at))

    def _close(self) -> None:
        found = {e.position: e.kept for e in (self._low, self._high) if e is not None}
        if not found and self._nan is not None:
            found = {self._nan.position: self._nan.kept}
        self._kept += [found[position] for position in sorted(found)]
        self._low = self._high = self._nan = None
        self._stretch += 1


def _ends(count: int, max_points: int) -> Sequence[int]:
    """Where each stretch ends; the first and the last point are stretches of their own."""
    if count <= max_points:
        return range(1, count + 1)
    between = count - 2
    stretches = max(1, (max_points - 2) // 2)
    return [1, *(1 + between * (i + 1) // stretches for i in range(stretches)), count]

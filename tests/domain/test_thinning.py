"""Thinning to extremes and ends."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.thinning import Thinning

NUMBERS = st.floats(allow_nan=False) | st.integers(-5, 5)
SERIES = st.lists(NUMBERS, max_size=300)
WITH_NAN = st.lists(NUMBERS | st.just(math.nan), max_size=300)
SIZES = st.integers(2, 60)


def thin(values: list[float], max_points: int, slice_size: int = 10**9) -> list[int]:
    """The positions that stay, fed in slices of a size."""
    thinning = Thinning[int](len(values), max_points)
    for start in range(0, len(values), slice_size):

        def keep(i: int, start: int = start) -> int:
            return start + i

        thinning.feed(values[start : start + slice_size], keep)
    return thinning.points()


@given(WITH_NAN, SIZES)
def test_at_most_so_many_stay_in_order_and_once(values: list[float], size: int) -> None:
    kept = thin(values, size)
    assert len(kept) <= size
    assert kept == sorted(set(kept))


@given(WITH_NAN, SIZES)
def test_the_first_and_the_last_stay(values: list[float], size: int) -> None:
    kept = thin(values, size)
    if values:
        assert kept[0] == 0
        assert kept[-1] == len(values) - 1


@given(SERIES, st.integers(4, 60))
def test_the_extremes_of_the_whole_stay_from_four_points_on(values: list[float], size: int) -> None:
    kept = [values[i] for i in thin(values, size)]
    if values:
        assert min(kept) == min(values)
        assert max(kept) == max(values)


@given(WITH_NAN, st.integers(2, 400))
def test_all_stay_where_there_is_room(values: list[float], size: int) -> None:
    if len(values) <= size:
        assert thin(values, size) == list(range(len(values)))


@given(WITH_NAN, SIZES, st.integers(1, 40))
def test_slices_change_nothing(values: list[float], size: int, slice_size: int) -> None:
    assert thin(values, size, slice_size) == thin(values, size)


@given(st.lists(NUMBERS | st.just(math.nan), min_size=61, max_size=300), st.integers(4, 60))
def test_every_stretch_keeps_its_own_extremes(values: list[float], size: int) -> None:
    kept = set(thin(values, size))
    between, stretches = len(values) - 2, (size - 2) // 2
    for i in range(stretches):
        stretch = range(1 + between * i // stretches, 1 + between * (i + 1) // stretches)
        numbers = [position for position in stretch if not math.isnan(values[position])]
        if numbers:
            low = min(numbers, key=lambda position: values[position])
            high = max(numbers, key=lambda position: values[position])
            assert kept & set(stretch) == {low, high}
        else:
            assert kept & set(stretch) == {stretch[0]}


def test_a_single_peak_of_100_000_points_stays() -> None:
    values = [0.0] * 100_000
    values[77_777] = 1.0
    assert 77_777 in thin(values, 1000, slice_size=10_000)


def test_a_busy_series_fills_its_room() -> None:
    values = [float(i * 7919 % 1009) for i in range(100_000)]
    assert len(thin(values, 1000)) == 1000


@pytest.mark.parametrize("size", [2, 3])
def test_below_four_points_only_the_ends_stay(size: int) -> None:
    assert thin([0.0, 9.0, -9.0, 9.0, 0.0], size) == [0, 4]


def test_points_that_came_after_the_count_are_left_out() -> None:
    thinning = Thinning[float](3, 10)
    thinning.feed([1.0, 2.0, 3.0, 4.0], lambda i: float(i))
    thinning.feed([5.0], lambda i: float(i))
    assert thinning.points() == [0.0, 1.0, 2.0]


def test_fewer_points_than_were_counted_are_all_looked_at() -> None:
    thinning = Thinning[int](100, 4)
    thinning.feed([1.0, 5.0, -5.0, 2.0], lambda i: i)
    assert thinning.points() == [0, 1, 2]

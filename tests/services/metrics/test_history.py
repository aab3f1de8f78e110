"""The cache of thinned histories."""

from app.services.metrics.history import HistoryCache


def test_an_answer_is_good_as_long_as_there_are_as_many_points() -> None:
    cache = HistoryCache()
    cache.put((1, "loss", 10), 5, b"five")
    assert cache.get((1, "loss", 10), 5) == b"five"
    assert cache.get((1, "loss", 10), 6) is None
    assert cache.get((2, "loss", 10), 5) is None
    assert cache.get((1, "loss", 11), 5) is None
    cache.put((1, "loss", 10), 6, b"six")
    assert cache.get((1, "loss", 10), 5) is None
    assert cache.get((1, "loss", 10), 6) == b"six"


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = HistoryCache(capacity=10)
    cache.put((1, "a", 2), 1, b"1234")
    cache.put((1, "b", 2), 1, b"1234")
    cache.get((1, "a", 2), 1)
    cache.put((1, "c", 2), 1, b"1234")
    assert cache.get((1, "b", 2), 1) is None
    assert cache.get((1, "a", 2), 1) == b"1234"
    cache.put((1, "d", 2), 1, b"12345678901")  # more than all
    assert [cache.get((1, name, 2), 1) for name in "abcd"] == [None] * 4
    cache.put((1, "e", 2), 1, b"1234567890")
    assert cache.get((1, "e", 2), 1) == b"1234567890"

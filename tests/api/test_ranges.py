"""Which part of a file a request wants, and whether it has the file as it is."""

from datetime import UTC, datetime

import pytest

from app.api.ranges import is_fresh, read_range
from app.errors import RangeNotSatisfiable

TAG = '"abc"'
TIME = datetime(2018, 8, 22, 19, 25, 5, 764283, UTC)
DATE = "Wed, 22 Aug 2018 19:25:05 GMT"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-4", (2, 5)),
        ("Bytes= 2-4 ", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-99999999999999999999999999", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=4-2", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("bytes=\u0661-", None),
        ("", None),
    ],
)
def test_one_range_that_is_understood_is_taken_and_any_other_is_the_whole_file(
    header: str, part: tuple[int, int] | None
) -> None:
    assert read_range({"range": header}, 10, TAG, TIME) == part


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_without_a_byte_of_the_file_is_refused_with_its_size(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refusal:
        read_range({"range": header}, size, TAG, TIME)
    assert refusal.value.headers == {"Content-Range": f"bytes */{size}"}


@pytest.mark.parametrize(
    ("state", "part"), [(TAG, (0, 1)), (DATE, (0, 1)), ('"old"', None), ("W/" + TAG, None)]
)
def test_a_range_of_a_file_that_has_changed_is_the_whole_file(
    state: str, part: tuple[int, int] | None
) -> None:
    assert read_range({"range": "bytes=0-0", "if-range": state}, 10, TAG, TIME) == part


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, False),
        ({"if-none-match": TAG}, True),
        ({"if-none-match": f'"x", W/{TAG}'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"', "if-modified-since": DATE}, False),
        ({"if-modified-since": DATE}, True),
        ({"if-modified-since": "Wed, 22 Aug 2018 19:25:04 GMT"}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": "Wed, 22 Aug 2018 19:25:05"}, False),
    ],
)
def test_who_has_the_file_as_it_is_gets_it_not_again(headers: dict[str, str], fresh: bool) -> None:
    assert is_fresh(headers, TAG, TIME) is fresh

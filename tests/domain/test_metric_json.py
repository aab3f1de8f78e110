"""JSON in which NaN and the infinities may stand where numbers do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.metric_json import SpecialNumber, parse_metric_json
from app.errors import BadInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def plain(value: Any) -> Any:
    """As we hope to read it: special numbers as their words."""
    if isinstance(value, float) and json.dumps(value) in {"NaN", "Infinity", "-Infinity"}:
        return json.dumps(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(JSON)
def test_reads_what_pythons_own_writer_writes(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    assert parse_metric_json(text) == plain(value)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_word_is_no_string(word: str) -> None:
    read = parse_metric_json(f'[{word}, "{word}"]'.encode())
    assert [isinstance(item, SpecialNumber) for item in read] == [True, False]
    assert read == [word, word]


@pytest.mark.parametrize("beside", ["", ", NaN"], ids=["plain", "with a special number"])
@pytest.mark.parametrize(
    ("digits", "number"),
    [
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551616", float(2**64)),
        ("123456789012345678901234567890", 1.2345678901234568e29),
    ],
)
def test_a_whole_number_of_more_than_64_bits_is_a_float(beside: str, digits: str, number: float) -> None:
    read = parse_metric_json(f"[{digits}{beside}]".encode())
    assert read[0] == number
    assert type(read[0]) is type(number)


@pytest.mark.parametrize("beside", ["", ", NaN"], ids=["plain", "with a special number"])
@pytest.mark.parametrize("digits", ["1e400", "-1e400", "1" + "0" * 400, "1" * 5000])
def test_what_no_float_holds_is_infinite_and_no_special_number(beside: str, digits: str) -> None:
    read = parse_metric_json(f"[{digits}{beside}]".encode())
    assert isinstance(read[0], float)
    assert abs(read[0]) == float("inf")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nan",
        b"+Infinity",
        b"{'a': 1}",
        b"[1,]",
        b'{"a": NaN} x',
        b"\xff",
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf{"a": NaN}',
        b"[" * 10_000,
        b"[NaN," + b"[" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)
def test_what_is_no_json_is_refused_with_its_position(text: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        parse_metric_json(text)
    assert caught.value.errors is not None
    (place,) = caught.value.errors
    assert place.loc[0] == "body"
    assert isinstance(place.loc[1], int)
    assert place.type == "json_invalid"

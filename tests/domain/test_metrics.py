"""How metrics' numbers are shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.metrics import round_metric, show_number


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        (0.050211381167173386, 0.0502114),  # the documented example
        (0.9986705183982849, 0.9986705),
        (0.982699990272522, 0.9827),
        (5, 5),
        (0.0, 0.0),
        (123456.123456789, 123456.1234568),
        (0.001, 0.001),
        (0.0012345678912, 0.0012346),
        (0.00012345678912, 0.0001234568),
        (-0.00012345678912, -0.0001234568),
        (1.23456789e-300, 1.234568e-300),
        (5e-324, 5e-324),
        (1.7976931348623157e308, 1.7976931348623157e308),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_seven_decimals_and_below_a_thousandth_seven_significant_digits(
    exact: float | str, shown: float | str
) -> None:
    assert round_metric(exact) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_keeps_the_value_within_its_last_digit(value: float) -> None:
    rounded = round_metric(value)
    assert isinstance(rounded, float)
    allowed = 5.1e-8 if abs(value) >= 0.001 else max(abs(value) * 5.1e-7, 5e-324)
    assert abs(rounded - value) <= allowed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_twice_changes_nothing(value: float) -> None:
    once = round_metric(value)
    assert round_metric(once) == once


@given(st.floats())
def test_what_is_shown_reads_back_as_the_number(value: float) -> None:
    shown = show_number(value)
    assert isinstance(shown, str) != math.isfinite(value)
    assert float(shown) == value or math.isnan(value)

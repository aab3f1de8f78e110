"""The numbers that metrics hold: which JSON they may be, and how they are shown."""

import math

MAX_KEY = 256
NO_STEP = -(2**63)  # what stands for "no step" where steps are packed as 64-bit integers
MAX_STEP = 2**63 - 1024  # the largest 64-bit integer that a float holds, too, as JSON readers have it
MIN_STEP = -MAX_STEP

# What JSON has no number for is kept and answered as these strings.
SPECIAL = frozenset({"NaN", "Infinity", "-Infinity"})

MetricValue = int | float | str


def show_number(value: float) -> float | str:
    """A number as JSON can hold it: NaN and the infinities as strings."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def round_metric(value: float | str) -> float | str:
    """A value as `last_metric` shows it: 7 decimals, below 0.001 7 significant digits (`contract.md`).

    NaN and the infinities are strings, whether they come as numbers or as strings.
    """
    number = float(value)
    if not math.isfinite(number):
        return show_number(number)
    return float(f"{number:.6e}") if abs(number) < 0.001 else round(number, 7)

"""Amounts as people read them."""


def bytes_text(amount: int) -> str:
    """`2.0 GiB`, `512 MiB`: in the unit that keeps the number short."""
    if amount >= 1024**3:
        return f"{amount / 1024**3:.1f} GiB"
    return f"{amount / 1024**2:.0f} MiB"


def number_text(amount: float) -> str:
    """`2`, `0.5`: without digits that say nothing."""
    return f"{amount:.3f}".rstrip("0").rstrip(".")


def seconds_text(amount: object) -> str:
    """`3600 s`."""
    return f"{number_text(amount)} s" if isinstance(amount, int | float) else "its setting"


def count_text(amount: float, one: str) -> str:
    """`1 core`, `2 cores`, `0.5 cores`."""
    return f"{number_text(amount)} {one}" if amount == 1 else f"{number_text(amount)} {one}s"

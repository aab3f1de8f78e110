"""Times as the contract writes them."""

from datetime import UTC, datetime


def iso(time: datetime) -> str:
    """ISO 8601 with six digits and `+00:00`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")

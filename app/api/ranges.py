"""What a request for a file says of the part that it wants, and of what it has (RFC 9110, 13 and 14)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from app.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]{0,1000})-([0-9]{0,1000})\s*", re.IGNORECASE)


def http_date(time: datetime) -> str:
    """A time as headers have it, in whole seconds."""
    return format_datetime(time.astimezone(UTC), usegmt=True)


def is_fresh(headers: Mapping[str, str], etag: str, modified_at: datetime) -> bool:
    """Whether the client has the file as it is: 304."""
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return etag in known or tags.strip() == "*"
    try:
        since = parsedate_to_datetime(headers.get("if-modified-since", ""))
        return modified_at.replace(microsecond=0) <= since
    except (ValueError, TypeError):  # no date; one without a zone
        return False


def read_range(
    headers: Mapping[str, str], size: int, etag: str, modified_at: datetime
) -> tuple[int, int] | None:
    """Where the wanted part starts and where it stops (behind its last byte); None for the whole file: no
    range, several, none that is understood, or one of a file that has changed (`If-Range`).

    Raises RangeNotSatisfiable.
    """
    match = _ONE_RANGE.fullmatch(headers.get("range", ""))
    if match is None or headers.get("if-range", etag) not in {etag, http_date(modified_at)}:
        return None
    first, last = match.groups()
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return None
    if start >= size:
        raise RangeNotSatisfiable(f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return start, stop

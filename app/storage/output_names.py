"""Names of outputs as text: they may have bytes that are not UTF-8, which JSON can't hold.

Such a byte is written as U+FFFD and its two hex digits. So are the three bytes of a U+FFFD that a name has
itself: no two names are written alike.
"""

import os
import re

_UNWRITTEN = re.compile("[\ufffd\udc80-\udcff]")
_BAD = re.compile("[\udc80-\udcff]")
_WRITTEN = re.compile("\ufffd([89a-f][0-9a-f])")


def write_name(name: str) -> str:
    """A name as the system's calls give it, as text."""
    return _UNWRITTEN.sub(_write, name)


def read_name(text: str) -> str:
    """The name that was written so, for the system's calls."""
    return _WRITTEN.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)


def write_bytes(data: bytes) -> str:
    """Bytes that somebody sent, as text. A U+FFFD that was sent stays one: it may be of a written name."""
    return _BAD.sub(_write, data.decode(errors="surrogateescape"))


def _write(found: re.Match[str]) -> str:
    return "".join(f"\ufffd{byte:02x}" for byte in os.fsencode(found[0]))

"""What is wrong with bytes that are no JSON, and where."""

import codecs
import json

from app.errors import Place

_MARK = codecs.BOM_UTF8


def find_mistake(body: bytes, error: json.JSONDecodeError) -> Place:
    """The place of what a parser refused; its message ends a sentence that begins with "The body"."""
    try:
        body.decode()
    except UnicodeDecodeError as bad:
        byte = f"its byte {bad.start}, counted from 0, is 0x{body[bad.start]:02x}"
        return Place(("body", bad.start), f"is not UTF-8: {byte}", "json_invalid")
    if body.startswith(_MARK):
        return Place(("body", 0), "begins with a byte order mark; send it without one", "json_invalid")
    where = f"line {error.lineno}, column {error.colno}"
    return Place(("body", error.pos), f"is not valid JSON: {error.msg} ({where})", "json_invalid")

"""One file of a multipart body, to a file on disk as it comes in: never whole in memory, and bounded."""

import asyncio
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.errors import BadInput, Place, TooLarge

PIECE = 1024**2  # bytes that are gathered before a thread writes them
OVERHEAD = 64 * 1024  # bytes of a body beside the file: boundaries, heads, other fields


async def receive_file(request: Request, field: str, target: IO[bytes], limit: int) -> None:
    """Write the file that `field` holds to `target`. Other fields are passed over.

    Raises BadInput for a body that isn't multipart, is cut off or holds no such file (or two), TooLarge for a
    file over `limit` bytes: before anything is read where the request says its length.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + OVERHEAD:
        raise _too_large(limit)
    reader = _FieldReader(field, _boundary(request))
    try:
        async for data in request.stream():
            reader.feed(data)
            if reader.size > limit:
                raise _too_large(limit)
            if reader.other > OVERHEAD:
                raise TooLarge(f"What the form holds beside the file is larger than {OVERHEAD} bytes.")
            if len(reader.pending) >= PIECE:
                await asyncio.to_thread(target.write, reader.take())
    except ClientDisconnect:
        raise BadInput("The body was cut off.", code="cut_off") from None
    if not reader.whole:
        raise BadInput("The body ends before its last boundary.", errors=[_place("is cut off", "cut_off")])
    if not reader.found:
        message = f"Send the file as the field `{field}` of a multipart form."
        raise BadInput(message, errors=[Place((field,), "is missing", "missing")])
    await asyncio.to_thread(target.write, reader.take())


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file is larger than {limit} bytes.")


def _place(message: str, kind: str) -> Place:
    return Place(("body",), message, kind)


def _boundary(request: Request) -> bytes:
    media, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if media != b"multipart/form-data" or not 0 < len(boundary) <= 200:
        raise BadInput(
            "Send a multipart form (`Content-Type: multipart/form-data; boundary=…`).",
            errors=[Place(("header", "content-type"), "must be multipart/form-data", "content_type")],
        )
    return boundary


class _FieldReader:
    """What the parser says, kept for one field: `pending` is what came of it and was not taken yet."""

    def __init__(self, field: str, boundary: bytes) -> None:
        self.pending = bytearray()
        self.size = 0
        self.other = 0
        self.found = False
        self.whole = False
        self._field = field.encode()
        self._mine = False
        self._head = (bytearray(), bytearray())  # the present header's name and value
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._header_begin,
                "on_header_field": lambda data, start, end: self._head[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._head[1].extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """The next bytes of the body. Raises BadInput."""
        self.other += len(data)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadInput(
                "The body is not a multipart form.", errors=[_place(str(error), "multipart_invalid")]
            ) from None

    def take(self) -> bytearray:
        """What is pending, taken away."""
        taken, self.pending = self.pending, bytearray()
        return taken

    def _begin(self) -> None:
        self._mine = False

    def _header_begin(self) -> None:
        self._head = (bytearray(), bytearray())

    def _header_end(self) -> None:
        name, value = self._head
        if bytes(name).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(value))
            self._mine = options.get(b"name") == self._field

    def _headers_finished(self) -> None:
        if self._mine and self.found:
            name = self._field.decode()
            raise BadInput(
                f"There are two files `{name}`.", errors=[Place((name,), "is there twice", "twice")]
            )
        self.found = self.found or self._mine

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._mine:
            self.pending += data[start:end]
            self.size += end - start
            self.other -= end - start

    def _end(self) -> None:
        self.whole = True

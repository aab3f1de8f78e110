"""Blocks of log lines as compressed bytes, and back.

A frame is one zstd frame (level 1, with its content size and checksum). Unpacked, all integers little-endian:

    4 bytes   "BLF1"
    uint32    the number of lines, n
    uint32    the size of the head, h
    h bytes   the head, JSON: {"jobs": [id or null, …], "gaps": [[line, from_time, to_time], …]}
    26 × n    times, by columns: the first characters of all n, then the second ones, …
    n         kinds, a letter a line: o stdout, e stderr, g gap
    4 × n     only with more than one job: for each line, where in `jobs` its job stands
    the rest  text: UTF-8, a newline after each line

Times by columns, since all but the last few are the same letter n times over and cost nothing. The number of
the first line is not in it: who keeps a frame keeps that beside it, so it can be made before that is known.
"""

import struct

import orjson
import zstandard

from app.domain.logs.blocks import TIME_WIDTH, Gap, LogBlock

_MAGIC = b"BLF1"
_START = struct.Struct("<4sII")
_SIZE_LIMIT = 256 * 1024 * 1024  # no frame of ours unpacks to more


class DamagedLog(Exception):
    """Stored log bytes are not what was stored."""


def encode_frame(block: LogBlock) -> bytes:
    """The frame of a block."""
    head = orjson.dumps(
        {"jobs": block.jobs, "gaps": [(gap.line, gap.from_time, gap.to_time) for gap in block.gaps]}
    )
    columns = [block.times[place::TIME_WIDTH] for place in range(TIME_WIDTH)]
    start = _START.pack(_MAGIC, block.count, len(head))
    raw = b"".join((start, head, *columns, block.kinds, block.job_index, block.text))
    return pack(raw)


def decode_frame(frame: bytes) -> LogBlock:
    """The block of a frame.

    Raises DamagedLog.
    """
    raw = unpack(frame, _SIZE_LIMIT)
    try:
        magic, count, size = _START.unpack_from(raw)
        at = _START.size + size
        head = orjson.loads(raw[_START.size : at])
        jobs = tuple(head["jobs"])
        gaps = tuple(Gap(*gap) for gap in head["gaps"])
    except (struct.error, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise DamagedLog("A stored piece of the log is no frame.") from error
    if magic != _MAGIC:
        raise DamagedLog("A stored piece of the log is of an unknown kind.")
    times = bytearray(TIME_WIDTH * count)
    for place in range(TIME_WIDTH):
        times[place::TIME_WIDTH] = raw[at + place * count : at + (place + 1) * count]
    at += TIME_WIDTH * count
    kinds = raw[at : at + count]
    at += count
    index = raw[at : at + 4 * count] if len(jobs) > 1 else b""
    return LogBlock(count, bytes(times), kinds, raw[at + len(index) :], jobs, index, gaps)


def pack(data: bytes) -> bytes:
    """One zstd frame, level 1, with its content size and checksum."""
    return zstandard.ZstdCompressor(level=1, write_checksum=True, write_content_size=True).compress(data)


def unpack(data: bytes, limit: int) -> bytes:
    """What a zstd frame holds, its checksum verified.

    Raises DamagedLog, also when it says that it holds more than `limit` bytes.
    """
    try:
        if not 0 <= zstandard.frame_content_size(data) <= limit:
            raise DamagedLog("A stored piece of the log says that it is larger than any of ours.")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise DamagedLog("A stored piece of the log is damaged.") from error


def unpacked_size(head: bytes) -> int:
    """How much a zstd frame holds, by its first 18 bytes (or more of it)."""
    return int(zstandard.frame_content_size(head))

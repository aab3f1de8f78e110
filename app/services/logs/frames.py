"""From blocks of lines to what is stored of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.db.logs.writing import NewChunk
from app.domain.logs.blocks import LogBlock, regroup
from app.storage.log_frames import encode_frame


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded block whose lines have no numbers yet."""

    count: int
    first_time: datetime
    last_time: datetime
    jobs: tuple[int, ...]
    data: bytes


def encode(blocks: Iterable[LogBlock]) -> list[Frame]:
    """The frames of these lines, as large as a chunk may be. Blocking: call in a thread."""
    frames = []
    for block in regroup(blocks):
        first, last = block.bounds()
        jobs = tuple(job for job in block.jobs if job is not None)
        frames.append(Frame(block.count, first, last, jobs, encode_frame(block)))
    return frames


def number(frames: Sequence[Frame], first_seq: int) -> list[NewChunk]:
    """The frames as chunks, their lines numbered from `first_seq` on."""
    chunks = []
    for frame in frames:
        last_seq = first_seq + frame.count - 1
        chunks.append(
            NewChunk(first_seq, last_seq, frame.first_time, frame.last_time, frame.jobs, frame.data)
        )
        first_seq = last_seq + 1
    return chunks

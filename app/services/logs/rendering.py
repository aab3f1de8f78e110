"""What a stream is made of: lines as bytes, signs of life, an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from app.domain.logs.blocks import Numbered
from app.domain.logs.render import JobLabel, Labels, LogStyle, render, render_end, render_heartbeat


class Rendering(Protocol):
    """A form of a log. It is hashable: those who want the same one share the bytes.

    The bytes of lines are the same however the lines were cut into blocks.
    """

    def lines(self, lines: Numbered, labels: Labels) -> Sequence[bytes]:
        """The pieces that hold the lines."""

    def status(self) -> bytes:
        """What tells of a new status; may be empty."""

    def heartbeat(self) -> bytes:
        """What shows that the stream lives; may be empty."""

    def end(self, status: str, last_seq: int) -> bytes:
        """What says that the log is complete; may be empty."""


@dataclass(frozen=True, slots=True)
class HttpRendering:
    """Text, NDJSON or events, as an HTTP answer carries them."""

    style: LogStyle

    def lines(self, lines: Numbered, labels: Labels) -> Sequence[bytes]:
        return list(render(lines, self.style, labels))

    def status(self) -> bytes:
        return b""

    def heartbeat(self) -> bytes:
        return render_heartbeat(self.style.form)

    def end(self, status: str, last_seq: int) -> bytes:
        return render_end(self.style.form, status, last_seq)


_FRAME_LINES = 1000
_FRAME_TEXT = 256 * 1024


@dataclass(frozen=True, slots=True)
class FrameRendering:
    """The JSON of the WebSocket's frames without what begins it, their status: the sender adds that.

    A frame's lines are of one job.
    """

    def lines(self, lines: Numbered, labels: Labels) -> Sequence[bytes]:
        block = lines.block
        texts = block.text.decode().split("\n")
        places = block.line_jobs()
        frames = []
        start = 0
        while start < block.count:
            stop, size = start, 0
            while (
                stop < block.count
                and places[stop] == places[start]
                and stop - start < _FRAME_LINES
                and size < _FRAME_TEXT
            ):
                size += len(texts[stop])
                stop += 1
            label = labels.get(block.jobs[places[start]], JobLabel())
            frames.append(_frame(texts[start:stop], label))
            start = stop
        return frames

    def status(self) -> bytes:
        return _frame(None, JobLabel())

    def heartbeat(self) -> bytes:
        return b""

    def end(self, status: str, last_seq: int) -> bytes:
        return b""


def _frame(texts: list[str] | None, label: JobLabel) -> bytes:
    frame = {"log_lines": texts, "task_type": label.role, "task_idx": label.index}
    return orjson.dumps(frame)[1:]

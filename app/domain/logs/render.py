"""Lines in the forms that readers ask for (contract.md, "Logs"): plain text, NDJSON, server-sent events.

Lines are written many at a time, with one `%` over the templates of all of them: about 0.3 µs a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from app.domain.logs.blocks import STDOUT, STREAMS, Gap, LogBlock, Numbered

PIECE_TEXT = 128 * 1024
PIECE_LINES = 1024


class LogForm(StrEnum):
    """The forms of a log, by their media types."""

    TEXT = "text/plain"
    NDJSON = "application/x-ndjson"
    EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class JobLabel:
    """What a line says of its job; both None for a build's."""

    role: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class LogStyle:
    """The form, and for text what stands before each line, in this order."""

    form: LogForm = LogForm.TEXT
    seqs: bool = False
    timestamps: bool = False


Labels = Mapping[int | None, JobLabel]


def render(lines: Numbered, style: LogStyle, jobs: Labels) -> Iterator[bytes]:
    """The bytes of the lines, in pieces of about 128 KiB of text or 1,024 lines. `jobs` labels job ids."""
    block = lines.block
    if style.form is not LogForm.TEXT:
        twice = [lines.seqs, lines.seqs] if style.form is LogForm.EVENTS else [lines.seqs]
        columns = [*twice, block.line_times(), _escaped(block)]
        yield from _format(block, _event_templates(block, style.form, jobs), columns)
    elif style.seqs or style.timestamps:
        columns = [block.lines()]
        template = b"%b\n"
        if style.timestamps:
            columns.insert(0, block.line_times())
            template = b"%b+00:00 " + template
        if style.seqs:
            columns.insert(0, lines.seqs)
            template = b"%d " + template
        yield from _format(block, template, columns)
    else:
        for begin in range(0, len(block.text), PIECE_TEXT):
            yield block.text[begin : begin + PIECE_TEXT]


def render_end(form: LogForm, status: str, last_seq: int) -> bytes:
    """What says that a log is complete; -1 is the `last_seq` of an empty one. Text just ends."""
    data = orjson.dumps({"event": "end", "status": status, "last_seq": last_seq})
    if form is LogForm.EVENTS:
        return b"id: %d\ndata: %b\n\n" % (last_seq, data)
    return data + b"\n" if form is LogForm.NDJSON else b""


def render_heartbeat(form: LogForm) -> bytes:
    """What shows a waiting reader that the stream lives; nothing in text."""
    return {LogForm.EVENTS: b": heartbeat\n\n", LogForm.NDJSON: b'{"event":"heartbeat"}\n'}.get(form, b"")


def _format(
    block: LogBlock, templates: bytes | list[bytes], columns: Sequence[Sequence[object]]
) -> Iterator[bytes]:
    """One template for all lines or one for each, filled with a value of each column."""
    width = len(columns)
    step = max(1, min(PIECE_LINES, block.count * PIECE_TEXT // max(1, len(block.text))))
    for start in range(0, block.count, step):
        stop = min(start + step, block.count)
        values: list[object] = [None] * (width * (stop - start))
        for place, column in enumerate(columns):
            values[place::width] = column[start:stop]
        if isinstance(templates, bytes):
            yield templates * (stop - start) % tuple(values)
        else:
            yield b"".join(templates[start:stop]) % tuple(values)


def _escaped(block: LogBlock) -> list[bytes]:
    """Each line as it stands inside a JSON string.

    In the JSON of a list of strings `","` stands between two of them and nowhere else: inside a string
    every quote has a backslash before it.
    """
    return orjson.dumps(block.text.decode().split("\n")[:-1])[2:-2].split(b'","')


def _event_templates(block: LogBlock, form: LogForm, jobs: Labels) -> bytes | list[bytes]:
    if (
        block.count
        and len(block.jobs) == 1
        and block.kinds.count(block.kinds[:1]) == block.count
        and not block.gaps
    ):
        return _line_template(block.jobs[0], block.kinds[0], form, jobs)
    keys = list(zip(block.line_jobs(), block.kinds, strict=True))
    table = {key: _line_template(block.jobs[key[0]], key[1], form, jobs) for key in set(keys)}
    templates = [table[key] for key in keys]
    for gap in block.gaps:
        templates[gap.line] = _gap_template(block.jobs[keys[gap.line][0]], gap, form)
    return templates


def _line_template(job: int | None, kind: int, form: LogForm, jobs: Labels) -> bytes:
    """Takes a line's seq (twice for events), time and escaped text."""
    label = jobs.get(job, JobLabel())
    source = orjson.dumps(
        {"job": job, "role": label.role, "index": label.index, "stream": STREAMS.get(kind, STREAMS[STDOUT])}
    )
    return _framed(
        b'{"event":"line","seq":%d,"time":"%b+00:00",' + source[1:-1].replace(b"%", b"%%") + b',"text":"%b"}',
        form,
    )


def _gap_template(job: int | None, gap: Gap, form: LogForm) -> bytes:
    """Takes the same values as a line's and prints its seq alone: `%.0b` prints no byte of a value."""
    rest = orjson.dumps({"job": job, "from_time": gap.from_time, "to_time": gap.to_time})
    return _framed(b'{"event":"gap","seq":%d,' + rest[1:].replace(b"%", b"%%") + b"%.0b%.0b", form)


def _framed(event: bytes, form: LogForm) -> bytes:
    return b"id: %d\ndata: " + event + b"\n\n" if form is LogForm.EVENTS else event + b"\n"

"""Each line in each form, as contract.md has it."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.logs.blocks import GAP, STDERR, STDOUT, Numbered, select
from app.domain.logs.render import (
    PIECE_TEXT,
    JobLabel,
    LogForm,
    LogStyle,
    render,
    render_end,
    render_heartbeat,
)
from tests.domain.logs.test_blocks import Row, at, block_of

LABELS: dict[int | None, JobLabel] = {
    1: JobLabel("master", 0),
    2: JobLabel("worker", 3),
    3: JobLabel("100%d", 1),
    None: JobLabel(),
}

text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20) | st.sampled_from(
    ['","', '"', "\\", '\\"', "\\n", ",", '["', "%s %d %%", "\x00\x1f\x7f", "\u2028\x85"]
)
row = st.builds(
    lambda job, second, text, kind: Row(job, second, "" if kind == GAP else text, kind),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 9),
    text,
    st.sampled_from([STDOUT, STDOUT, STDERR, GAP]),
)
plain_row = st.builds(Row, st.just(2), st.integers(0, 9), text)
rows_lists = st.lists(row, max_size=20) | st.lists(plain_row, max_size=20)


def written(rows: list[Row], style: LogStyle, seqs: list[int] | None = None) -> str:
    block = block_of(rows)
    numbered = Numbered(block, range(7, 7 + block.count) if seqs is None else seqs)
    return b"".join(render(numbered, style, LABELS)).decode()


def time_of(row: Row) -> str:
    return at(row.second).isoformat(timespec="microseconds")


def event(seq: int, row: Row) -> dict[str, object]:
    """What a line's object must be."""
    if row.kind == GAP:
        times = {"from_time": time_of(Row(1, row.second - 1, "")), "to_time": time_of(row)}
        return {"event": "gap", "seq": seq, "job": row.job, **times}
    label = LABELS[row.job]
    return {
        "event": "line",
        "seq": seq,
        "time": time_of(row),
        "job": row.job,
        "role": label.role,
        "index": label.index,
        "stream": "stderr" if row.kind == STDERR else "stdout",
        "text": row.text,
    }


def plain(row: Row) -> str:
    if row.kind == GAP:
        return f"[gap: lines between {time_of(Row(1, row.second - 1, ''))} and {time_of(row)} may be lost]"
    return row.text


@settings(deadline=None)
@given(rows_lists)
def test_ndjson_is_one_object_a_line(rows: list[Row]) -> None:
    out = written(rows, LogStyle(LogForm.NDJSON))
    assert out.endswith("\n") or not rows
    assert [json.loads(line) for line in out.split("\n")[:-1]] == [
        event(seq, row) for seq, row in enumerate(rows, 7)
    ]


@settings(deadline=None)
@given(rows_lists)
def test_events_have_their_seq_as_id_and_the_same_object_as_data(rows: list[Row]) -> None:
    out = written(rows, LogStyle(LogForm.EVENTS))
    expected = []
    for message in out.split("\n\n")[:-1]:
        head, data = message.split("\n")
        expected.append((head, json.loads(data.removeprefix("data: "))))
    assert expected == [(f"id: {seq}", event(seq, row)) for seq, row in enumerate(rows, 7)]


@settings(deadline=None)
@given(rows_lists, st.booleans(), st.booleans())
def test_text_has_the_number_then_the_time_then_the_line(
    rows: list[Row], seqs: bool, timestamps: bool
) -> None:
    expected = "".join(
        (f"{seq} " if seqs else "") + (f"{time_of(row)} " if timestamps else "") + plain(row) + "\n"
        for seq, row in enumerate(rows, 7)
    )
    assert written(rows, LogStyle(LogForm.TEXT, seqs=seqs, timestamps=timestamps)) == expected


def test_chosen_lines_keep_their_numbers() -> None:
    block = block_of([Row(1, 0, "a"), Row(2, 0, "b"), Row(1, 0, "c")])
    out = b"".join(render(select(block, 10, job=1), LogStyle(LogForm.TEXT, seqs=True), LABELS))
    assert out == b"10 a\n12 c\n"


def test_a_builds_line_names_no_job() -> None:
    (line,) = written([Row(None, 0, "x")], LogStyle(LogForm.NDJSON)).splitlines()
    assert line == (
        '{"event":"line","seq":7,"time":"2026-11-24T03:50:22.123456+00:00","job":null,"role":null,"index":null,'
        '"stream":"stdout","text":"x"}'
    )


@pytest.mark.parametrize(
    "style",
    [LogStyle(), LogStyle(timestamps=True), LogStyle(LogForm.NDJSON), LogStyle(LogForm.EVENTS)],
    ids=["text", "timestamps", "ndjson", "events"],
)
@pytest.mark.parametrize("length", [0, 100, 300_000], ids=["empty", "usual", "long"])
def test_much_is_written_in_pieces(style: LogStyle, length: int) -> None:
    rng = random.Random(1)
    rows = [
        Row(1, n % 10, rng.choice("xy") * length)
        for n in range(max(4, min(5000, 1_000_000 // (length or 1))))
    ]
    block = block_of(rows)
    pieces = list(render(Numbered(block, range(block.count)), style, LABELS))
    assert max(map(len, pieces)) < 3 * PIECE_TEXT + length
    joined = b"".join(pieces).decode()
    assert joined == "".join(written([row], style, [seq]) for seq, row in enumerate(rows))


def test_the_end_names_the_status_and_the_last_line() -> None:
    assert (
        render_end(LogForm.NDJSON, "succeeded", 4) == b'{"event":"end","status":"succeeded","last_seq":4}\n'
    )
    assert render_end(LogForm.EVENTS, "failed", -1) == (
        b'id: -1\ndata: {"event":"end","status":"failed","last_seq":-1}\n\n'
    )
    assert render_end(LogForm.TEXT, "succeeded", 4) == b""


def test_a_heartbeat_is_a_comment_an_object_or_nothing() -> None:
    assert render_heartbeat(LogForm.EVENTS).startswith(b":")
    assert json.loads(render_heartbeat(LogForm.NDJSON)) == {"event": "heartbeat"}
    assert render_heartbeat(LogForm.TEXT) == b""

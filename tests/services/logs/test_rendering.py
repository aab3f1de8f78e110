"""The WebSocket's frames."""

import orjson

from app.domain.logs.blocks import LogBlock, Numbered, concat
from app.domain.logs.cri import posted_lines
from app.domain.logs.render import JobLabel
from app.services.logs.rendering import FrameRendering
from tests.log_jobs import BEGIN

LABELS: dict[int | None, JobLabel] = {1: JobLabel("master", 0), 2: JobLabel("worker", 3)}


def frames(block: LogBlock) -> list[dict[str, object]]:
    pieces = FrameRendering().lines(Numbered(block, range(block.count)), LABELS)
    return [orjson.loads(b"{" + piece) for piece in pieces]


def block(job: int | None, *lines: str) -> LogBlock:
    return posted_lines(job, BEGIN, lines)


def test_a_frame_ends_where_another_jobs_lines_begin() -> None:
    found = frames(concat([block(1, "a", "b"), block(2, "c"), block(1, "d")]))
    assert found == [
        {"log_lines": ["a", "b"], "task_type": "master", "task_idx": 0},
        {"log_lines": ["c"], "task_type": "worker", "task_idx": 3},
        {"log_lines": ["d"], "task_type": "master", "task_idx": 0},
    ]


def test_a_frame_is_bounded_in_lines_and_in_text() -> None:
    assert [len(frame["log_lines"]) for frame in frames(block(1, *["x"] * 2500))] == [1000, 1000, 500]  # type: ignore[arg-type]
    assert len(frames(block(1, *["x" * 200_000] * 4))) == 2


def test_who_has_no_job_has_no_task() -> None:
    assert frames(block(None, "a")) == [{"log_lines": ["a"], "task_type": None, "task_idx": None}]


def test_text_that_json_must_escape_is_escaped() -> None:
    assert frames(block(1, '"\\ \x00 ü'))[0]["log_lines"] == ['"\\ \x00 ü']


def test_nothing_is_no_frame() -> None:
    assert frames(block(1, "a").slice(1, 1)) == []


def test_a_status_alone_has_no_lines_and_a_socket_needs_no_signs_of_life() -> None:
    rendering = FrameRendering()
    assert orjson.loads(b"{" + rendering.status()) == {"log_lines": None, "task_type": None, "task_idx": None}
    assert rendering.heartbeat() == rendering.end("failed", 5) == b""

"""What a log's follower makes of its kubelet's answers, in orders that no real one gives at will."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import aiohttp
import pytest

from app.domain.logs.cri import CriParser
from app.domain.runs import JobRef
from app.launchers.base import LogBytes, LogPosition
from app.launchers.kubernetes import following
from app.launchers.kubernetes.client import ApiRefused, Cluster
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.entries import Lines
from app.launchers.kubernetes.following import Follower
from app.launchers.kubernetes.logs import PodLogs
from tests.launchers.kubernetes.seeing import LONGEST
from tests.launchers.kubernetes.test_diagnose import pod

REF = JobRef("f" * 32, 1)
END = end_line(REF.name)
BEGAN = datetime(2026, 3, 1, 9, 59, tzinfo=UTC)
LOST = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)  # until then lines may be lost, says the pod
NOT_YET = ApiRefused(404, "NotFound", f"{following.NOT_YET} ( pods/log {REF.name})")
NO_POD = ApiRefused(404, "NotFound", f'pods "{REF.name}" not found')
NO_NODE = ApiRefused(500, "InternalError", "dial tcp 10.244.0.1:10250: connect: connection refused")


def log(*texts: str, at: int = 0) -> bytes:
    """Lines, one a second."""
    times = [BEGAN + timedelta(minutes=1, seconds=at + n) for n in range(len(texts))]
    return b"".join(
        f"{time:%Y-%m-%dT%H:%M:%S.%f}000Z {text}\n".encode() for time, text in zip(times, texts, strict=True)
    )


@dataclass(frozen=True)
class Open:
    """An answer that does not end."""

    data: bytes


Answer = bytes | Open | ApiRefused


@dataclass
class Kubelet:
    """Gives these answers one after the other, then the last of them again and again."""

    answers: list[Answer]
    asked: list[str] = field(default_factory=list)  # follow, all, last

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, silence: float | None
    ) -> AsyncIterator[aiohttp.StreamReader]:
        self.asked.append("last" if "tailLines" in params else "follow" if "follow" in params else "all")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ApiRefused):
            raise answer
        reader = asyncio.StreamReader()
        reader.feed_data(answer.data if isinstance(answer, Open) else answer)
        if not isinstance(answer, Open):
            reader.feed_eof()
        yield cast(aiohttp.StreamReader, reader)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK", 0.01)
    monkeypatch.setattr(following, "PAUSE", (0.001, 0.001))


def behind(*texts: str, at: Sequence[int] = range(9)) -> LogPosition:
    """The position behind these lines."""
    lines = Lines(None, END)
    lines.feed(b"".join(log(text, at=second) for text, second in zip(texts, at, strict=False)))
    assert lines.mark is not None
    return LogPosition(time=lines.mark.at, mark=lines.mark.text())


async def whole(
    answers: list[Answer],
    start: LogPosition = LogPosition(),  # noqa: B008 - frozen
    *,
    over: Callable[[list[str]], bool] = lambda asked: True,
    lost: datetime | None = LOST,
) -> tuple[list[str], int, list[str]]:
    """The lines of a log that is followed to its end, its gaps, and what its kubelet was asked for."""
    kubelet, parser = Kubelet(answers), CriParser(None)
    follower = Follower(
        cast(Cluster, kubelet),
        *("log", start, BEGAN),
        end=END,
        over=lambda: over(kubelet.asked),
        unseen_end=lambda _: lost,
    )
    text, gaps, eof = b"", 0, False
    try:
        async with asyncio.timeout(LONGEST):
            while not eof:
                while not follower.ahead:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                read = follower.read(1000)
                text, gaps, eof = text + parser.feed(read.data).text, gaps + (read.gap is not None), read.eof
    finally:
        await follower.close()
    return text.decode().splitlines(), gaps, kubelet.asked


class TestTheWrappersEnd:
    """On both streams it says that nothing is lost, whatever its pod and its node seem to say."""

    async def test_with_it_nothing_more_is_asked_for(self) -> None:
        assert await whole([log("a", END, "b", END)]) == (["a", "b"], 0, ["all"])

    @pytest.mark.parametrize("ends", [[], [END]], ids=["no stream's", "one stream's"])
    async def test_without_it_the_pods_word_counts(self, ends: list[str]) -> None:
        texts = ["a", "b", *ends]
        last = log(texts[-1], at=len(texts) - 1)
        assert await whole([log(*texts), last]) == (["a", "b"], 1, ["all", "last"])
        assert await whole([log(*texts), last], lost=None) == (["a", "b"], 0, ["all", "last"])

    async def test_what_another_process_read_of_it_counts(self) -> None:
        texts = ["a", END, "b", END]
        assert await whole([log(END, at=3), log(*texts)], behind(*texts[:3])) == ([], 0, ["last", "all"])

    @pytest.mark.parametrize(("ends", "gaps"), [([END], 1), ([END, END], 0)])
    async def test_of_a_pod_that_is_gone_nothing_is_lost_behind_it(self, ends: list[str], gaps: int) -> None:
        assert await whole([NO_POD], behind("a", *ends)) == ([], gaps, ["last"])


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        ([NOT_YET, NOT_YET], (["a"], 0)),  # a kubelet that just began knows of no pod yet
        ([NO_NODE, NOT_YET], (["a"], 0)),
        ([NOT_YET, NO_POD], ([], 1)),
    ],
)
async def test_a_404_is_the_end_unless_it_is_of_a_kubelet_that_just_began(
    refused: list[Answer], found: tuple[list[str], int]
) -> None:
    assert (await whole([*refused, log("a", END, END)]))[:2] == found


@pytest.mark.parametrize(("between", "gaps"), [([], 0), ([NO_NODE], 1)])
async def test_a_404_after_a_stream_that_ended_well_is_no_loss(between: list[Answer], gaps: int) -> None:
    """Unless its node did not answer in between: then it may have been cut."""
    answers: list[Answer] = [log("a"), *between, NO_POD]
    assert (await whole(answers, over=bool, lost=None))[:2] == (["a"], gaps)


async def test_what_a_stream_holds_that_is_left_at_the_logs_end_was_read_before() -> None:
    """Lines may lie out of their times' order: it was cut off before the last line read came again."""
    start = behind("x", "y", at=[5, 4])
    answers: list[Answer] = [Open(log("x", at=5)), log("y", at=4)]
    assert await whole(answers, start, over=bool, lost=None) == ([], 0, ["follow", "last"])


async def test_a_gap_that_was_read_but_not_stored_is_told_again() -> None:
    """As when the database was away: whoever reads on asks from where it is stored."""
    kubelet = cast(Cluster, Kubelet([log("a")]))
    logs = PodLogs(kubelet, "here", lambda _: pod("exit_3"), lambda name, read: LOST)

    async def next_of(position: LogPosition) -> LogBytes:
        async with asyncio.timeout(LONGEST):
            while not await logs.ahead({REF: position}):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return await logs.read(REF, position, 1000)

    stored = (await next_of(LogPosition())).end
    told = [await next_of(stored) for _ in range(3)]
    assert [(read.data, read.gap is not None, read.eof) for read in told] == 3 * [(b"", True, True)]
    after = await next_of(told[0].end)
    assert (after.gap, after.eof) == (None, True)
    await logs.close()

"""Joining the small chunks at a stream's end."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs.writing import add_chunks
from app.db.tables import Build, LogChunk, LogStream, Project, User
from app.domain.logs.cri import posted_lines
from app.services.logs.compaction import compact
from app.services.logs.frames import encode, number
from app.storage.log_frames import decode_frame
from tests.log_jobs import BEGIN


@pytest.fixture
async def stream(session: AsyncSession) -> int:
    """The id of an empty stream."""
    user = (await session.execute(insert(User).values(username="ada").returning(User.id))).scalar_one()
    new = insert(Project).values(owner_id=user, name="lab").returning(Project.id)
    project = (await session.execute(new)).scalar_one()
    build = insert(Build).values(project_id=project, user_id=user, hash="h", spec={}, status="running")
    build_id = (await session.execute(build.returning(Build.id))).scalar_one()
    made = insert(LogStream).values(build_id=build_id).returning(LogStream.id)
    return (await session.execute(made)).scalar_one()


async def add(session: AsyncSession, stream: int, first_seq: int, *lines: str) -> int:
    """Store lines as one chunk (or more, if they are large); gives the next seq."""
    chunks = number(encode([posted_lines(None, BEGIN, lines)]), first_seq)
    await add_chunks(session, stream, chunks)
    return first_seq + len(lines)


async def chunks_of(session: AsyncSession, stream: int) -> list[tuple[int, int, list[str]]]:
    query = select(LogChunk.first_seq, LogChunk.last_seq, LogChunk.data).where(LogChunk.stream_id == stream)
    rows = (await session.execute(query.order_by(LogChunk.first_seq))).all()
    return [
        (row.first_seq, row.last_seq, [line.decode() for line in decode_frame(row.data).lines()])
        for row in rows
    ]


async def test_small_ones_become_one_with_the_same_lines_and_numbers(
    session: AsyncSession, stream: int
) -> None:
    for seq in range(10):
        await add(session, stream, seq, str(seq))
    assert await compact(session, stream)
    assert await chunks_of(session, stream) == [(0, 9, [str(seq) for seq in range(10)])]


async def test_large_ones_stay_as_they_are(session: AsyncSession, stream: int) -> None:
    seq = await add(session, stream, 0, *("x" * 1000 for _ in range(200)))
    for _ in range(3):
        seq = await add(session, stream, seq, "small")
    assert await compact(session, stream)
    assert [(first, last) for first, last, _ in await chunks_of(session, stream)] == [(0, 199), (200, 202)]


async def test_well_compressed_ones_are_not_joined_over_and_over(session: AsyncSession, stream: int) -> None:
    seq = await add(session, stream, 0, *("same" * 250 for _ in range(200)))
    await add(session, stream, seq, "small")
    assert not await compact(session, stream)


async def test_one_or_none_is_left_alone(session: AsyncSession, stream: int) -> None:
    assert not await compact(session, stream)
    await add(session, stream, 0, "a")
    assert not await compact(session, stream)


async def test_a_complete_or_deleted_stream_is_left_alone(session: AsyncSession, stream: int) -> None:
    await add(session, stream, 0, "a")
    await add(session, stream, 1, "b")
    (await session.get_one(LogStream, stream)).complete = True
    await session.flush()
    assert not await compact(session, stream)
    assert not await compact(session, stream + 1000)
    assert len(await chunks_of(session, stream)) == 2

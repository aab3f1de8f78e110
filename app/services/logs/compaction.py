"""Joins the small chunks at a stream's end, so that a slow log of days is no row a line."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.logs import compaction as db
from app.db.logs import writing
from app.domain.logs.blocks import CHUNK_LINES, CHUNK_TEXT
from app.services.logs.frames import Frame, encode, number
from app.storage.log_frames import decode_frame, unpacked_size

COMPACT_AFTER = 64  # chunks that were added, before they are joined
_LOOK_BACK = 4 * COMPACT_AFTER


async def compact(session: AsyncSession, stream_id: int) -> bool:
    """Put the chunks at the end that aren't large yet into as few as hold them. Whether there were any.

    What joins the last of the larger ones is written again each time: with `COMPACT_AFTER` chunks of one
    line between two calls that costs about 20 bytes for each that a job printed, at the most.
    """
    if not await db.lock_stream(session, stream_id):
        return False
    small = []
    for row in await db.find_last_sizes(session, stream_id, _LOOK_BACK):
        if unpacked_size(row.head) >= CHUNK_TEXT // 2 or row.last_seq - row.first_seq >= CHUNK_LINES // 2:
            break
        small.append(row.first_seq)
    if len(small) < 2:
        return False
    taken = await db.take_chunks(session, stream_id, small[-1])
    frames = await asyncio.to_thread(_join, [row.data for row in taken])
    await writing.add_chunks(session, stream_id, number(frames, taken[0].first_seq))
    return True


def _join(data: list[bytes]) -> list[Frame]:
    return encode(map(decode_frame, data))

"""Which runs on a launcher belong to a row."""

from collections.abc import Sequence

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Build, Job, Tensorboard


async def with_rows(session: AsyncSession, uuids: Sequence[str]) -> set[str]:
    """Those of these uuids that a job, build or TensorBoard has."""
    query = union_all(
        *(select(table.uuid).where(table.uuid.in_(uuids)) for table in (Job, Build, Tensorboard))
    )
    return set((await session.execute(query)).scalars())

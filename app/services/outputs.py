"""An experiment's outputs: listed, opened and archived for those who may see it, as long as it is there."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.engine import Sessions, transaction
from app.db.experiments import find as db
from app.db.notify import Channel, Listener
from app.errors import Conflict, NotFound, Unavailable
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath, get_brief
from app.services.outputs_places import outputs_on
from app.settings import Settings
from app.storage.beneath import TooDeep
from app.storage.outputs import OutputFile, OutputPage, Outputs


class OutputsGone(Exception):
    """The experiment was deleted while its outputs were sent."""


@dataclass(frozen=True, slots=True)
class ExperimentOutputs:
    """The outputs of an experiment. No call holds a session; what blocks runs in threads.

    Each raises Unavailable where the disk can't be read.
    """

    experiment_id: int
    key: str
    place: Outputs

    async def list(self, path: str, *, offset: int, limit: int) -> OutputPage:
        """A page of a folder. Raises NotFound."""
        with _disk_errors():
            return await asyncio.to_thread(self.place.list, self.key, path, offset=offset, limit=limit)

    async def open(self, path: str) -> OutputFile:
        """A file. Raises NotFound."""
        with _disk_errors():
            return await asyncio.to_thread(self.place.open, self.key, path)

    async def archive(self) -> AsyncGenerator[bytes, None]:
        """All of it as a tar.gz, its first piece made already, so that what is wrong with the whole is an
        error here. Raises Conflict for folders too deep; later FileShrank, TooDeep, OSError."""
        pieces = self.place.archive(self.key)
        try:
            with _disk_errors():
                first = await anext(pieces, b"")
        except TooDeep as error:
            raise Conflict(str(error), code="outputs_too_deep") from error
        return _chained(first, pieces)


async def find_outputs(
    session: AsyncSession, caller: Caller, settings: Settings, path: ExperimentPath
) -> ExperimentOutputs:
    """Those of an experiment that the caller may see. Raises NotFound, Forbidden."""
    experiment = await get_brief(session, caller, path)
    place = outputs_on(settings, experiment.outputs_volume)
    return ExperimentOutputs(experiment.id, experiment.outputs_uuid, place)


async def while_there(
    sessions: Sessions, listener: Listener, experiment_id: int, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """The pieces, as long as the experiment is there: a folder that is being deleted would look like one that
    is whole and has less in it. Raises OutputsGone."""
    with listener.subscribe(Channel.EXPERIMENT, experiment_id) as news:
        async with aclosing(pieces):
            async for piece in pieces:
                if news.payloads or news.missed:
                    news.take()
                    await _check(sessions, experiment_id)
                yield piece
    await _check(sessions, experiment_id)


async def _check(sessions: Sessions, experiment_id: int) -> None:
    async with transaction(sessions) as session:
        if not await db.exists(session, experiment_id):
            raise OutputsGone("the experiment was deleted")


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What the disk says, in words; what the service may not read is not there for it."""
    try:
        yield
    except PermissionError as error:
        raise NotFound("The service may not read this folder of the outputs.") from error
    except OSError as error:
        raise Unavailable(f"The outputs can't be read now: {error.strerror}.", retry_after=10) from error

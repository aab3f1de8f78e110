"""All that happens to logs in the leader: their lines are collected, finished ones completed and sealed."""

import asyncio

from app.db.engine import Sessions
from app.db.notify import Listener
from app.launchers.base import JobSource
from app.reconciler.logs.collecting import Collecting
from app.reconciler.logs.completing import Completing
from app.reconciler.logs.sealing import Sealing
from app.storage.log_objects import LogObjectStore


class LogCollector:
    """Follows every log that `services/logs/opening.open_logs` opened, also before its time.

    It sets `collected_at` of experiments and builds once they are done and the logs of all their attempts are
    stored to the end: what is left of them on the launcher may go from then on. Sealing comes after that.
    """

    def __init__(
        self, sessions: Sessions, listener: Listener, launcher: JobSource, objects: LogObjectStore
    ) -> None:
        self._sealing = Sealing(sessions, objects)
        self._completing = Completing(sessions, listener, self._sealing.look)
        self._collecting = Collecting(sessions, listener, launcher, self._completing.look)

    async def run(self) -> None:
        """Until it is cancelled; then nothing is half done that the next one can't take up."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collecting.run(), name="collect logs")
            group.create_task(self._completing.run(), name="complete logs")
            group.create_task(self._sealing.run(), name="seal logs")

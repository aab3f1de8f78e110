"""What the launcher hands to the runner: read once, from its standard input, and kept in memory alone."""

import json

from app.launchers.local.runner.identity import Identity
from app.launchers.local.runner.stages import Stage


class Job:
    """One attempt of one job. `folder` is the runner's, `work`, `home` and `temporary` are the job's."""

    __slots__ = (
        "environment",
        "folder",
        "grace",
        "home",
        "identity",
        "memory_limit",
        "segment_bytes",
        "stages",
        "temporary",
        "timeout",
        "work",
    )

    def __init__(self, text: bytes) -> None:
        data = json.loads(text)
        self.folder: str = data["folder"]
        self.work: str = data["work"]
        self.home: str = data["home"]
        self.temporary: str = data["temporary"]
        self.environment: dict[str, str] = data["environment"]
        self.stages: list[Stage] = data["stages"]
        self.timeout: float | None = data["timeout"]
        self.grace: float = data["grace"]
        self.memory_limit: int | None = data["memory_limit"]
        self.segment_bytes: int = data["segment_bytes"]
        uid: int | None = data["uid"]
        self.identity = None if uid is None else Identity(uid, data["groups"], data["max_processes"])

"""A Postgres of the service's own, below its data folder: made, started, watched, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from app.embedded.configuration import DATABASE, OWNER, host_rules, identity_map, server_settings
from app.embedded.errors import CannotStart
from app.embedded.identity import ServerUser, server_user, service_user_name
from app.embedded.initialise import ENVIRONMENT, check, initialise
from app.embedded.leftover import POLL, read_record, serving, take_lock
from app.embedded.parent_death import die_with_parent
from app.embedded.programs import find_programs
from app.embedded.reach import as_user, can_enter
from app.embedded.server_log import ServerLog
from app.embedded.socket_folder import socket_folder

GAVE_UP = 1  # the server's exit code when it can't go on
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One Postgres server on `data_dir/postgres`; `data_dir` must be enterable for the server's user.

    `durable=False` trades safety for speed and is for tests alone; `settings` are Postgres' own and win
    over ours; a server left over gets `patience` seconds to end. Start it from the main thread: the kernel
    ends it when the thread that started it is gone. Every call may be repeated.
    """

    name = "Postgres"

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        patience: float = 10.0,
    ) -> None:
        self.root = data_dir.absolute() / "postgres"
        self.data = self.root / "data"
        self._runtime = data_dir.absolute() / "runtime"
        self._durable = durable
        self._patience = patience
        self._settings = ({} if durable else NOT_DURABLE) | dict(settings or {})
        self._log = ServerLog(self.root / "postgres.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = self.root / "run"

    @property
    def url(self) -> str:
        """The URL for asyncpg: `postgresql://bunsen@/bunsen?host=FOLDER&port=5432`. Known after start."""
        return _url(self._socket)

    @property
    def pid(self) -> int | None:
        """The server's process, None when none was started or it was stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server, making its database first where there is none. Returns before it is ready.

        Ends a server that an earlier, killed service left on the folder. Raises CannotStart.
        """
        if self._process and self._process.poll() is None:
            return
        try:
            self._start()
        except OSError as error:
            raise CannotStart(
                f"Postgres could not be started: {error.strerror}: {error.filename}."
            ) from error

    def _start(self) -> None:
        user = server_user(self.data)
        self._prepare(user)
        programs = find_programs(self._runtime, user)
        lock = take_lock(self.root / "lock", self.data, patience=self._patience)
        try:
            if not check(self.data):
                initialise(programs, self.data, user, durable=self._durable)
            self._socket = socket_folder(self.root / "run", user)
            self._configure(user)
            with self._log.opened() as output:
                self._process = subprocess.Popen(
                    [
                        programs / "postgres",
                        "-D",
                        self.data,
                        "-c",
                        f"config_file={self.root}/postgresql.conf",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=ENVIRONMENT,
                    start_new_session=True,  # a Ctrl-C is for the service, which stops it last
                    pass_fds=(lock,),
                    preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509 - takes no lock
                    **as_user(user.uid, user.gid),
                )
        finally:
            os.close(lock)

    def _prepare(self, user: ServerUser) -> None:
        self.root.mkdir(mode=0o710, parents=True, exist_ok=True)
        os.chown(self.root, os.geteuid(), user.gid)
        self.root.chmod(0o710)
        if not can_enter(self.root, user.uid, user.gid):
            raise CannotStart(
                f"Postgres runs as the user {user.name}, who can't reach {self.root}: "
                "a folder above it is closed to others."
            )

    def _configure(self, user: ServerUser) -> None:
        files = {
            "postgresql.conf": server_settings(self.root, self._socket, self._settings),
            "pg_hba.conf": host_rules(),
            "pg_ident.conf": identity_map((service_user_name(), user.name)),
        }
        for name, text in files.items():
            new = self.root / f".{name}"
            new.write_text(text)
            new.chmod(0o644)
            new.rename(self.root / name)

    def is_ready(self) -> bool:
        """Whether the server takes connections. Raises CannotStart when it ended instead, with its reason."""
        if self._process is None:
            raise CannotStart("Postgres was not started.")
        if self._process.poll() is not None:
            raise CannotStart(f"Postgres ended at its start: {self._log.reason()}.")
        record = read_record(self.data)
        return record is not None and record.pid == self._process.pid and record.ready

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the server takes connections; a recovery takes as long as it takes.

        Raises CannotStart when the server ends instead, or after `timeout` seconds.
        """
        began = time.monotonic()
        while not self.is_ready():
            if timeout is not None and time.monotonic() - began > timeout:
                raise CannotStart(f"Postgres was not ready after {timeout:g} seconds.")
            time.sleep(POLL)

    def poll(self) -> int | None:
        """The exit code of a server that ended (minus the signal), None while it runs. Trims its log.

        One that somebody told to end (a plain `kill`) lets nobody in, and would wait for those that are in to
        go, which never do: their connections are cut.
        """
        self._log.trim()
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None and (record := read_record(self.data)) and record.state == "stopping":
            self._process.send_signal(signal.SIGINT)
        return code

    def last_words(self) -> str:
        """Why the server ended by itself, in its own words; empty when it was killed or that isn't known."""
        process = self._process
        return self._log.last_severe() if process and process.poll() == GAVE_UP else ""

    def stop(self, timeout: float = 5.0) -> None:
        """Stop the server: connections are cut and all is written (fast); after half of `timeout` seconds
        without that (immediate: the next start recovers), and killed at the end of it."""
        process, self._process = self._process, None
        if process is None:
            return
        for sig, patience in (
            (signal.SIGINT, timeout / 2),
            (signal.SIGQUIT, timeout / 2),
            (signal.SIGKILL, None),
        ):
            if process.poll() is not None:
                break
            process.send_signal(sig)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        if self._socket.parent != self.root:
            self._socket.rmdir()


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that runs on `data_dir` now, whoever started it, else None.

    Raises PermissionError for a folder that this user can't read.
    """
    found = serving(data_dir.absolute() / "postgres" / "data")
    return _url(found.socket) if found and found.socket and found.ready else None


def _url(socket: Path) -> str:
    return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(socket))}&port=5432"

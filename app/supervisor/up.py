"""`bunsen up`: the whole service in the foreground, from an empty folder to a clean end."""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from socket import socket

import orjson

from app.embedded.errors import CannotStart
from app.embedded.postgres import EmbeddedPostgres
from app.launchers.base import LaunchRefused
from app.launchers.holding import UsersTaken, held_folder, held_users
from app.launchers.local.pythons import PythonChoice
from app.settings import Settings
from app.supervisor.data_folder import DataFolder, held_data_folder
from app.supervisor.listening import http_url, listen, reachable_address
from app.supervisor.parts import Keeper, ending, reap_orphans
from app.supervisor.probe import ReadyProbe
from app.supervisor.programs import Program, Run, open_standard_files, share_memory
from app.supervisor.signals import Signals
from app.supervisor.welcome import welcome

POLL = 0.01  # seconds between looks at what says nothing by itself
SLOWER, SLOWEST = 1.02, 0.2  # how the looks at a start that lasts grow apart, and how far
TICK = 5.0  # seconds between looks at all of it, the length of Postgres' log too
LEFT_OVER_PATIENCE = 5.0  # seconds for the port of a killed service to become free
HOPELESS = 4  # starts in a row of one part that failed before the service was ever ready

# Seconds after the signal, 10 in all whatever happens. Jobs that are to end too have 8 of them, and the API
# serves them meanwhile.
ENDED = 6.0
JOBS_ENDED, API_ENDED = 8.8, 9.3  # where jobs end too
POSTGRES_ENDED = 9.8


def up(settings: Settings, environment: Mapping[str, str], load: Callable[[], Run]) -> None:
    """Run the service until a signal ends it. `environment` is what its programs get beside the settings
    that are decided here; `load` imports what they need, and gives what runs the words of one.

    Raises CannotStart, with nothing left running.
    """
    open_standard_files()
    with Signals() as signals, held_data_folder(settings.data) as folder:
        patience = LEFT_OVER_PATIENCE if folder.left_over else 0.0
        if settings.gives_users:
            await_users(settings.data, settings.uid_range, patience=patience)
        if settings.launcher == "local" and settings.python is not None:
            check_python(settings.python, settings.uid_range[0] if settings.gives_users else None)
        with listen(settings.host, settings.port, patience=patience) as listener:
            supervisor = Supervisor(settings, folder, listener, signals, environment, load)
            try:
                supervisor.run()
            finally:
                supervisor.end()


def await_users(data: Path, span: tuple[int, int], *, patience: float) -> None:
    """Until the users of experiments are free, so that the reconciler can take them. Raises CannotStart after
    `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            # Where a reconciler leads on this folder already, the users are its own.
            with held_folder(data) as free, held_users(span) if free else contextlib.nullcontext():
                return
        except UsersTaken as error:
            if time.monotonic() >= deadline:
                raise CannotStart(str(error)) from None
        time.sleep(POLL)


def check_python(named: str, uid: int | None) -> None:
    """Raises CannotStart where jobs can't run the Python that a setting names: none of them would start."""
    try:
        _ = PythonChoice(named, uid).interpreter
    except LaunchRefused as error:
        raise CannotStart(str(error)) from None


class Supervisor:
    """The running service: its parts, and what they share."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        listener: socket,
        signals: Signals,
        environment: Mapping[str, str],
        load: Callable[[], Run],
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._listener = listener
        self._signals = signals
        self._load = load
        self._address = reachable_address(listener)
        asked = settings.stop_jobs_on_exit
        self._stops_jobs = os.getpid() == 1 if asked is None else asked
        self._environment = dict(environment) | {
            "BUNSEN_DATA": str(folder.path),
            "BUNSEN_HOST": settings.host,
            "BUNSEN_PORT": str(self._address[1]),
            "BUNSEN_STOP_JOBS_ON_EXIT": str(self._stops_jobs).lower(),
            "DATABASE_URL": settings.database_url or "",
        }
        self._postgres = None if settings.database_url else EmbeddedPostgres(folder.path)
        self._api: Program | None = None
        self._reconciler: Program | None = None
        self._keepers: list[Keeper] = []

    def run(self) -> None:
        """Start all in order, say when it is ready, and keep it so until a signal."""
        if self._postgres:
            self._postgres.start()
        run = self._load()  # seconds, in which Postgres recovers
        share_memory()
        if self._postgres:
            self._await_postgres(self._postgres)
        self._api, greeting = self._start_api(run)
        self._reconciler = Program("The reconciler", run, ["reconcile"], self._environment)
        self._keep(self._api, started=True)
        self._keep(self._reconciler)
        probe = ReadyProbe(self._address)
        poll = POLL
        while not self._signals.ending:
            wait = self._tend()
            if greeting:
                self._give_up_if_hopeless()
                wait, poll = min(wait, poll), min(poll * SLOWER, SLOWEST)
                if probe.ask():
                    greet(greeting)
                    greeting = ""
            self._signals.wait(wait, probe.files)
        probe.close()

    def _await_postgres(self, postgres: EmbeddedPostgres) -> None:
        while not self._signals.ending and not postgres.is_ready():
            self._signals.wait(POLL)
        self._environment["DATABASE_URL"] = postgres.url
        self._keep(postgres, started=True)

    def _start_api(self, run: Run) -> tuple[Program, str]:
        """Start the API, which migrates and makes the first user before it serves. Gives the greeting."""
        number = self._listener.fileno()
        words = ["serve", "--fd", str(number)]
        api = self._api = Program("The API", run, words, self._environment, [number])
        answer = self._answer_of(api)
        if self._signals.ending:
            return api, ""
        if "error" in answer:
            raise CannotStart(answer["error"])
        if not answer:
            how = ending(api.wait())
            raise CannotStart(f"The database could not be prepared ({how}); what was said is above.")
        url = http_url(*self._address)
        self._folder.note_url(url)
        return api, welcome(self._settings.public_url or url, folder=self._folder.path, **answer)

    def _answer_of(self, api: Program) -> dict[str, str]:
        """What the API says once it has prepared the database; empty when it ended before, or a signal
        came."""
        reader, writer = os.pipe()
        try:
            api.start("--prepare", str(writer), files=[writer])
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb"):
            said = b""
            while not self._signals.ending:
                self._signals.wait(TICK, [reader])
                if select.select([reader], [], [], 0)[0]:
                    data = os.read(reader, 65536)
                    if not data:
                        return dict(orjson.loads(said)) if said else {}
                    said += data
        return {}

    def _keep(self, part: Program | EmbeddedPostgres, *, started: bool = False) -> None:
        keeper = Keeper(part, say)
        if started:
            keeper.adopt(time.monotonic())
        self._keepers.append(keeper)

    def _tend(self) -> float:
        """Look after all parts and the folder; gives the seconds until something is due."""
        self._folder.check()
        now = time.monotonic()
        due = [when for keeper in self._keepers if (when := keeper.tend(now)) is not None]
        if os.getpid() == 1:
            reap_orphans([keeper.part.pid for keeper in self._keepers])
        return min([TICK, *(when - now for when in due)])

    def _give_up_if_hopeless(self) -> None:
        for keeper in self._keepers:
            if keeper.failures >= HOPELESS:
                raise CannotStart(f"{keeper.part.name} could not be started; what it said is above.")

    def end(self) -> None:
        """End all parts in order, in 10 seconds at most; jobs only where that was said."""
        began = time.monotonic()
        if self._reconciler and self._stops_jobs:
            self._reconciler.end(signal.SIGTERM)
            _await_end([self._reconciler], began + JOBS_ENDED)
        programs = [program for program in (self._api, self._reconciler) if program]
        for program in programs:
            program.end(signal.SIGTERM)
        _await_end(programs, began + (API_ENDED if self._stops_jobs else ENDED))
        for program in programs:
            if program.poll() is None:
                say(f"{program.name} did not end in time and is killed.")
                program.end(signal.SIGKILL)
        if self._postgres:
            self._postgres.stop(max(began + POSTGRES_ENDED - time.monotonic(), 0.5))


def _await_end(programs: Sequence[Program], until: float) -> None:
    while any(program.poll() is None for program in programs) and time.monotonic() < until:
        time.sleep(POLL)


def greet(text: str) -> None:
    """Print it, to whoever reads; that nobody does any more is no reason to end."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    with contextlib.suppress(OSError):
        print(f"bunsen: {sentence}", file=sys.stderr, flush=True)

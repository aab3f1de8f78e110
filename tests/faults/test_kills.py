"""`kill -9` at seeded random moments of what the service is made of: all experiments end as they should."""

import os
import random
import sys
import time

import psutil
import pytest

from tests.faults.calls import DONE, Patient
from tests.faults.cast import FORGOTTEN, GONE, Part, cast, checksum, expected_log
from tests.supervisor.service import PARTS, Up, data_folder

VICTIMS = ("api", "reconciler", "postgres", "up", "all")
SETTINGS = {"BUNSEN_GRACE": "1", "BUNSEN_RETRY_BACKOFF": "0.2", "BUNSEN_CPUS": "8", "BUNSEN_TTL": "3600"}


def say(text: str) -> None:
    """Shown by pytest when the test fails, and with `-s`."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def kill(up: Up, victim: str) -> None:
    """Kill one part, the supervisor, or all of them at once; what can't start itself is started again."""
    if victim in {"up", "all"}:
        parts = up.children() if victim == "all" else []
        for process in [*parts, psutil.Process(up.pid)]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        up.wait()
        up.start().wait_ready()
        return
    for child in up.children():
        try:
            if PARTS[victim] in " ".join(child.cmdline()):
                child.kill()
        except psutil.NoSuchProcess:
            continue


def starts_of(up: Up, uuid: str) -> dict[str, int]:
    """How often each job says that it was started."""
    folder = up.data / "outputs" / uuid
    return {path.name: len(path.read_text().splitlines()) for path in folder.glob("starts.*")}


def processes_of(up: Up) -> list[str]:
    """What still runs of this service's jobs, by the mark in their environment."""
    left = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            ours = environment.get("VIRTUAL_ENV", "").startswith(str(up.data))
            if ours or FORGOTTEN in process.cmdline():
                left.append(f"{process.pid} {process.cmdline()}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return left


def check(up: Up, patient: Patient, part: Part, id: int) -> None:
    """It ended as it must, its log is whole, and its jobs were started as often as they should."""
    if part.end == GONE:
        assert patient.call("GET", f"{patient.experiments}/{id}").status_code == 404
        return
    row = patient.get(id)
    assert row["last_status"] == part.end, (part.name, patient.history(id))
    words = [word for word, _ in patient.history(id)]
    assert sum(word in DONE for word in words) == 1, (part.name, words)
    if part.lines is not None:
        log = patient.log(id)
        assert checksum(log) == expected_log(part.lines), (part.name, len(log), log[:3], log[-3:])
    counts = starts_of(up, row["uuid"])
    assert all(count <= (part.starts or 1) for count in counts.values()), (part.name, counts)
    if part.starts is not None:
        assert all(count == part.starts for count in counts.values()), (part.name, counts)
        assert bool(counts) == (part.starts > 0), (part.name, counts)


def play(seed: int, kills: int, lines: int, pause: float) -> None:
    """Everything runs while parts of the service die; then all is looked at."""
    say(f"seed {seed}")
    chance = random.Random(seed)
    with data_folder() as data:
        up = Up(data, environment=SETTINGS)
        try:
            up.start().wait_ready()
            patient = Patient(up)
            patient.make_project()
            parts = [(part, part.begin(patient)) for part in cast(lines, pause)]
            meddled: set[int] = set()
            for number in range(kills):
                time.sleep(chance.uniform(0.0, 1.5))
                victim = chance.choice(VICTIMS)
                say(f"kill {number}: {victim}")
                kill(up, victim)
                for part, id in parts:
                    if part.meddle and id not in meddled and chance.random() < 0.3:
                        part.meddle(patient, id)
                        meddled.add(id)
            finish(up, patient, parts, meddled)
        finally:
            up.stop()
        left = processes_of(up)
        assert not left, left


def finish(up: Up, patient: Patient, parts: list[tuple[Part, int]], meddled: set[int]) -> None:
    for part, id in parts:
        if part.meddle and id not in meddled:
            part.meddle(patient, id)
        if part.name == "never fits":
            patient.call("POST", f"{patient.experiments}/{id}/stop")
    for part, id in parts:
        if part.end != GONE:
            patient.wait(id, DONE)
    for part, id in parts:
        check(up, patient, part, id)
    deadline = time.monotonic() + 60
    while processes_of(up) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(up)


def test_a_few_kills() -> None:
    play(seed=int(os.environ.get("BUNSEN_TEST_SEED", "20261124")), kills=6, lines=60, pause=0.1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_two_hundred_kills(seed: int) -> None:
    play(seed=seed, kills=50, lines=600, pause=0.1)

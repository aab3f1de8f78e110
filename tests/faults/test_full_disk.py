"""Row 32, on a disk that is really full: what runs goes on, what can't be is refused in clear words, nothing
stored is damaged, and all catches up when there is space again."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from app.embedded.postgres import running_url
from tests.embedded.processes import until
from tests.faults.calls import DONE, Patient
from tests.faults.cast import START, numbered
from tests.faults.disks import MIB, Disk, mountable, small_disk
from tests.faults.test_kills import starts_of
from tests.supervisor.service import Up

SETTINGS = {"BUNSEN_GRACE": "2", "BUNSEN_CPUS": "64", "BUNSEN_TTL": "3600"}
SIZE = 400  # MiB
# What is printed while the disk is full begins when a file lies in the outputs.
WAIT = 'until [ -e "$POLYAXON_RUN_OUTPUTS_PATH/go" ]; do sleep 0.1; done; '
FLOOD = "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done"
WRITER = (
    'until dd if=/dev/zero of="$POLYAXON_RUN_OUTPUTS_PATH/big" bs=1M count=30 2>/dev/null; do sleep 0.2; done'
)

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not mountable("tmpfs"), reason="this user may not mount a disk of its own here"),
]


@pytest.fixture(params=["tmpfs", pytest.param("ext4", marks=pytest.mark.slow)])
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    if not mountable(request.param):
        pytest.skip(f"no {request.param} can be mounted here")
    with small_disk(request.param, SIZE) as disk:
        yield disk


@pytest.fixture
def up(disk: Disk) -> Iterator[Up]:
    """The service with everything that it keeps on that disk; what it prints is elsewhere."""
    up = Up(disk.path / "data", environment=SETTINGS, output=disk.path.with_name("output"))
    try:
        yield up.start().wait_ready(120)
    finally:
        disk.empty()
        up.stop()


def test_32_what_runs_goes_on_while_the_disk_is_full(disk: Disk, up: Up) -> None:
    patient = Patient(up, "full")
    patient.make_project()
    talks = patient.create(START + WAIT + numbered(150, 0.1))
    floods = patient.create(START + WAIT + FLOOD)
    ends = patient.create(START + "echo before; " + WAIT + "echo after; exit 3")
    writes = patient.create(START + WAIT + WRITER + "; echo written")
    all_of_them = (talks, floods, ends, writes)
    outputs = [up.data / "outputs" / patient.get(id)["uuid"] for id in all_of_them]
    for id in all_of_them:
        patient.wait(id, {"running"})
    until(lambda: patient.log_so_far(ends) == ["before"], 30)
    until(lambda: all([*folder.glob("starts.*")] for folder in outputs), 30)

    disk.fill()
    for folder in outputs:
        (folder / "go").touch()
    until(lambda: _refused(up, patient, talks), 30)
    until(lambda: "no space" in ready(up)["checks"]["disk"], 30)
    with up.client() as client:
        upload = client.put("/api/v1/root/full/repo/upload", files={"repo": ("code.tar", bytes(MIB))})
    assert upload.status_code == 507, upload.text
    assert "there is no space left on the service's disk" in upload.json()["detail"]
    assert patient.log_so_far(ends)[0] == "before"
    until(lambda: "after" not in _commands(up), 30)  # `ends` has ended, on the full disk
    assert patient.status(writes) == "running"

    disk.empty()
    assert [patient.wait(id, DONE) for id in all_of_them] == [
        *("succeeded", "succeeded", "failed", "succeeded")
    ]
    assert patient.log(talks) == [f"line {n}" for n in range(150)]
    assert patient.log(floods) == [f"line {n}" for n in range(100_000)]
    assert patient.log(ends) == ["before", "after"]
    assert patient.log(writes)[-1] == "written"
    for id in all_of_them:
        assert list(starts_of(up, patient.get(id)["uuid"]).values()) == [1]
    assert patient.call(
        "POST", f"{patient.experiments}/{talks}/metrics", json={"values": {"a": 1}}
    ).is_success
    until(lambda: ready(up)["status"] == "ready", 30)


def _refused(up: Up, patient: Patient, id: int) -> bool:
    """Whether a metric of some size is refused for want of space, in words."""
    point = {"values": {f"name{n}": float(n) for n in range(50)}}
    body = {"points": [{**point, "step": step} for step in range(100)]}
    with up.client() as client:
        answer = client.post(f"/api/v1/{patient.experiments}/{id}/metrics/batch", json=body)
    if answer.is_success:
        return False
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    return "no space" in answer.json()["detail"]


def _commands(up: Up) -> str:
    """What the jobs of this service run."""
    lines = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(up.data) in process.environ().get("POLYAXON_RUN_OUTPUTS_PATH", ""):
                lines.append(" ".join(process.cmdline()))
    return "\n".join(lines)


def ready(up: Up) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{up.url}/readyz", timeout=30).json()
    return answer


async def write_ahead_until_it_dies(url: str) -> None:
    """Make Postgres write to its write-ahead log until that finds no space: the server then gives up."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        for _ in range(SIZE):
            await connection.execute(
                "SELECT pg_logical_emit_message(false, '', repeat(md5(random()::text), 40000))"
            )
    connection.terminate()


def test_32_a_postgres_without_space_comes_back_with_it(disk: Disk, up: Up) -> None:
    patient = Patient(up, "full")
    patient.make_project()
    talks = patient.create(START + numbered(100, 0.1))
    patient.wait(talks, {"running"})
    url = running_url(up.data)
    assert url

    disk.fill()
    asyncio.run(write_ahead_until_it_dies(url))
    until(lambda: "No space left on device" in up.output, 60)
    with up.client() as client:
        answer = client.get(f"/api/v1/{patient.experiments}/{talks}")
    assert answer.status_code == 503
    assert "no space" in answer.json()["detail"]
    assert httpx.get(f"{up.url}/healthz", timeout=30).status_code == 200

    disk.empty()
    assert patient.wait(talks, DONE) == "succeeded"
    assert patient.log(talks) == [f"line {n}" for n in range(100)]
    assert list(starts_of(up, patient.get(talks)["uuid"]).values()) == [1]

    up.stop()
    disk.fill()
    assert up.start().wait(60) == 1
    assert up.output.strip() == (
        f"bunsen: There is no space in {up.data}: 0 MiB are left, the service needs 64 to start."
    )
    disk.empty()
    up.start().wait_ready(120)
    assert patient.log(talks) == [f"line {n}" for n in range(100)]


def test_32_a_disk_too_small_for_a_new_database_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    with small_disk("tmpfs", 100) as disk:
        up = Up(disk.path / "data", output=disk.path.with_name("output"))
        assert up.start().wait(60) == 1
        assert "There is no space for the database" in up.output
        assert len(up.output.strip().splitlines()) == 1

"""Faults of log streams that the service survives, on real processes and real sockets, through HTTP."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from app.domain.logs.cri import CUT_NOTE
from tests.faults.calls import DONE, Patient
from tests.faults.cast import numbered
from tests.log_readers import Reader, open_raw, sse, unchunk
from tests.supervisor.service import Up, data_folder

SETTINGS = {"BUNSEN_GRACE": "2", "BUNSEN_CPUS": "64", "BUNSEN_TTL": "3600"}
FLOOD = "i=0; while [ $i -lt {} ]; do echo line $i; i=$((i+1)); done"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with data_folder() as data:
        up = Up(data, environment=SETTINGS)
        try:
            yield up.start().wait_ready()
        finally:
            up.stop()


@pytest.fixture
def patient(up: Up) -> Patient:
    patient = Patient(up, "streams")
    patient.make_project()
    return patient


@pytest.fixture
async def client(up: Up) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"token {up.token}"}
    async with httpx.AsyncClient(base_url=f"{up.url}/api/v1", headers=headers, timeout=30) as client:
        yield client


async def follow_on(
    client: httpx.AsyncClient, path: str, *, cut_after: float, seconds: float = 90
) -> list[tuple[int, str]]:
    """Every line with its number, by an EventSource's way of reconnecting, however the stream is cut."""
    seen: list[tuple[int, str]] = []
    async with asyncio.timeout(seconds):
        while True:
            headers = {"Last-Event-ID": str(seen[-1][0])} if seen else {}
            with contextlib.suppress(httpx.TransportError):
                async with client.stream("GET", f"{path}/events?follow=true", headers=headers) as response:
                    if response.status_code == 204:
                        return seen
                    reader = Reader(response)
                    await asyncio.wait([reader._task], timeout=cut_after)
                    await reader.close()
                events = sse(reader.data[: reader.data.rfind(b"\n\n") + 2])
                seen.extend((seq, event["text"]) for seq, event in events if event["event"] == "line")
                if any(event["event"] == "end" for _, event in events):
                    return seen
            await asyncio.sleep(0.05)


def logs_of(patient: Patient, id: int) -> str:
    return f"/{patient.experiments}/{id}/logs"


async def test_5_a_stream_that_is_cut_again_and_again_is_continuous(
    patient: Patient, client: httpx.AsyncClient
) -> None:
    id = patient.create(numbered(200, 0.01))
    seen = await follow_on(client, logs_of(patient, id), cut_after=0.4)
    assert seen == [(number, f"line {number}") for number in range(200)]


async def test_11_a_progress_bar_is_seen_within_a_second(patient: Patient, client: httpx.AsyncClient) -> None:
    bar = "import time\nwhile True:\n  print(time.time(), end='\\r', flush=True)\n  time.sleep(0.1)"
    id = patient.create(f'python3 -c "{bar}"')
    ages: list[float] = []
    async with client.stream("GET", f"{logs_of(patient, id)}?follow=true") as response:
        async for line in response.aiter_lines():
            ages.append(time.time() - float(line))
            if len(ages) > 20:
                break
    assert sorted(ages)[10] < 1
    patient.call("POST", f"{patient.experiments}/{id}/stop")


async def followers_and_a_stalled_one(up: Up, patient: Patient, count: int) -> None:
    api = up.part("api")
    id = patient.create("sleep 2; " + FLOOD.format(20_000))
    path = f"{logs_of(patient, id)}?follow=true"
    _, stalled = await open_raw(up.port, path, up.token)
    stalled.transport.pause_reading()  # type: ignore[attr-defined]
    opened = [await open_raw(up.port, path, up.token) for _ in range(count)]
    before = api.memory_info().rss
    async with asyncio.timeout(120):
        bodies = await asyncio.gather(*(reader.read() for reader, _ in opened))
    expected = b"".join(b"line %d\n" % number for number in range(20_000))
    assert all(unchunk(body) == expected for body in bodies)
    assert api.memory_info().rss - before < 40e6
    stalled.transport.abort()


async def test_26_followers_are_not_held_up_by_one_that_stalls(up: Up, patient: Patient) -> None:
    await followers_and_a_stalled_one(up, patient, 30)


@pytest.mark.slow
async def test_26_two_hundred_followers(up: Up, patient: Patient) -> None:
    await followers_and_a_stalled_one(up, patient, 200)


async def clients_that_disconnect(up: Up, patient: Patient, count: int) -> None:
    api = up.part("api")
    live = patient.create("sleep 600")
    done = patient.create(FLOOD.format(100_000))
    patient.wait(done, DONE)
    path = f"{logs_of(patient, done)}?follow=true"
    reader, writer = await open_raw(up.port, path, up.token)  # opens what stays open: pools, threads
    await reader.readline()
    writer.transport.abort()
    await asyncio.sleep(0.5)
    before = api.num_fds()
    for start in range(0, count, 100):
        opened = [
            await open_raw(up.port, f"{logs_of(patient, id)}?follow=true", up.token)
            for id in (live, done) * (min(100, count - start) // 2)
        ]
        for reader, writer in opened:
            assert b"200" in await reader.readline()
            writer.transport.abort()
    async with asyncio.timeout(60):
        while api.num_fds() > before + 10:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert len(patient.log(done)) == 100_000
    patient.call("POST", f"{patient.experiments}/{live}/stop")


async def test_27_clients_that_disconnect_mid_stream_leak_nothing(up: Up, patient: Patient) -> None:
    await clients_that_disconnect(up, patient, 100)


@pytest.mark.slow
async def test_27_a_thousand_of_them(up: Up, patient: Patient) -> None:
    await clients_that_disconnect(up, patient, 1000)


def test_28_bad_utf8_nul_and_a_10_mib_line(patient: Patient) -> None:
    id = patient.create(
        r"printf 'bad \377\376 text\n'; printf 'nul \000 here\n'; "
        "head -c 10485760 /dev/zero | tr '\\0' x; echo; echo after it"
    )
    assert patient.wait(id, DONE) == "succeeded"
    bad, nul, long, after = patient.log(id)
    assert bad == "bad \ufffd\ufffd text"
    assert nul == "nul \x00 here"
    assert long == "x" * 1024 * 1024 + CUT_NOTE.decode()
    assert after == "after it"


async def test_29_a_rolling_restart_under_open_streams(
    up: Up, patient: Patient, client: httpx.AsyncClient
) -> None:
    id = patient.create(numbered(300, 0.01))
    following = asyncio.create_task(follow_on(client, logs_of(patient, id), cut_after=30))
    for _ in range(2):
        await asyncio.sleep(1)
        api = up.part("api")
        began = time.monotonic()
        api.send_signal(signal.SIGTERM)
        await asyncio.to_thread(api.wait, 10)
        assert time.monotonic() - began < 5
    seen = await following
    assert seen == [(number, f"line {number}") for number in range(300)]

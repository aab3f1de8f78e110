"""What is gone or damaged under a reader breaks its transfer."""

import httpx
import pytest
from sqlalchemy import text

from app.db.engine import transaction
from app.services.logs import streaming
from tests.live import Live
from tests.log_readers import is_cut, open_raw, reading
from tests.log_world import LogWorld, large_and_sealed, until


async def test_a_deleted_experiment_cuts_who_reads_what_it_left(
    world: LogWorld, live: Live, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHECK", 0.0)
    run = await large_and_sealed(world)
    reader, writer = await open_raw(live.port, f"{run.path}/logs", token)
    await reader.readline()
    await world.delete(run)
    assert not (await reader.read()).endswith(b"\r\n0\r\n\r\n")
    writer.close()


async def test_rows_of_a_deleted_experiment_that_go_under_a_reader_cut_it(
    world: LogWorld, live: Live, token: str
) -> None:
    run = await world.experiment()
    run.log.say(*("x" * 1000 for _ in range(30_000)))

    async def there() -> bool:
        stream = await world.stream(run)
        return stream is not None and stream.next_seq == 30_000

    await until(there)
    reader, writer = await open_raw(live.port, f"{run.path}/logs", token)
    await reader.readline()
    async with transaction(world.sessions) as session:
        await session.execute(text("DELETE FROM experiments"))
    assert not (await reader.read()).endswith(b"\r\n0\r\n\r\n")
    writer.close()


async def test_an_object_that_is_gone_is_cut(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await large_and_sealed(world)
    world.objects.delete(run.uuid)
    for query in ("", "?tail=5"):
        async with reading(ada, f"{run.path}/logs{query}") as reader:
            await is_cut(reader)


async def test_an_object_that_is_damaged_is_cut_where_the_damage_is(
    world: LogWorld, ada: httpx.AsyncClient
) -> None:
    run = await large_and_sealed(world)
    path = world.objects._path(run.uuid)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    async with reading(ada, f"{run.path}/logs") as reader:
        await is_cut(reader)
        assert set(reader.data.split()) <= {b"x" * 1000}

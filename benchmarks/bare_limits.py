"""Bare limits without HTTP: what Postgres, zstd and isal do by themselves, in this run, on this machine."""

import asyncio
import statistics
import time
from datetime import UTC, datetime

import asyncpg
import zstandard
from isal import isal_zlib

SECONDS = 2.0
CONNECTIONS = 16


async def inserted_rows(url: str) -> float:
    """Rows a second that 16 connections insert, each in a transaction of its own."""
    done = 0

    async def insert(connection: asyncpg.Connection, until: float) -> None:
        nonlocal done
        statement = await connection.prepare("INSERT INTO bare_rows (uuid, body) VALUES ($1, $2)")
        while time.perf_counter() < until:
            await statement.fetch("x", "{}")
            done += 1

    async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute("CREATE TABLE bare_rows (id bigserial PRIMARY KEY, uuid text, body jsonb)")
        held = [await pool.acquire() for _ in range(CONNECTIONS)]
        until = time.perf_counter() + SECONDS
        await asyncio.gather(*(insert(connection, until) for connection in held))
        for connection in held:
            await pool.release(connection)
        await pool.execute("DROP TABLE bare_rows")
    return done / SECONDS


async def copied_points(url: str) -> float:
    """Points a second that COPY takes, 1,000 at a time, one connection."""
    now = datetime.now(UTC)
    rows = [(1, now, n, n / 7) for n in range(1000)]
    connection = await asyncpg.connect(url)
    await connection.execute(
        "CREATE TABLE bare_points (id bigint, at timestamptz, step bigint, value float8)"
    )
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        await connection.copy_records_to_table("bare_points", records=rows)
        done += len(rows)
    taken = time.perf_counter() - began
    await connection.execute("DROP TABLE bare_points")
    await connection.close()
    return done / taken


async def read_points(url: str, experiment_id: int) -> float:
    """Milliseconds (the median) for reading 100,000 points' time and value out of Postgres, all of them."""
    connection = await asyncpg.connect(url)
    query = (
        "SELECT step, created_at, (values->>'thinned')::float8 FROM metrics "
        "WHERE experiment_id = $1 AND values ? 'thinned'"
    )
    times = []
    for _ in range(5):
        began = time.perf_counter()
        await connection.fetch(query, experiment_id)
        times.append((time.perf_counter() - began) * 1000)
    await connection.close()
    return statistics.median(times)


async def stored_lines(url: str, line: bytes, chunk: int = 256 * 1024) -> float:
    """Lines a second that are compressed (zstd, level 1) and inserted in chunks, one connection."""
    count = chunk // len(line)
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE bare_chunks (id bigserial PRIMARY KEY, data bytea)")
    await connection.execute("ALTER TABLE bare_chunks ALTER data SET STORAGE EXTERNAL")
    done, began = 0, time.perf_counter()
    compressor = zstandard.ZstdCompressor(level=1)
    while time.perf_counter() - began < SECONDS:
        data = await asyncio.to_thread(compressor.compress, line * count)
        await connection.execute("INSERT INTO bare_chunks (data) VALUES ($1)", data)
        done += count
    taken = time.perf_counter() - began
    await connection.execute("DROP TABLE bare_chunks")
    await connection.close()
    return done / taken


def packed_bytes(data: bytes) -> float:
    """MB a second that isal packs at level 1."""
    compressor = isal_zlib.compressobj(1)
    piece, done, began = 512 * 1024, 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = done % max(1, len(data) - piece)
        compressor.compress(data[start : start + piece])
        done += piece
    return done / (time.perf_counter() - began) / 1e6

"""The bare limit: FastAPI and asyncpg with one statement a request, and streams of ready bytes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Row(BaseModel):
    """Like an experiment, as a pydantic model."""

    id: int
    uuid: str
    name: str | None
    status: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        await pool.execute(
            "CREATE TABLE IF NOT EXISTS bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "uuid text, name text, status text, body jsonb)"
        )
        await pool.execute(
            "INSERT INTO bare (uuid, status) SELECT md5(n::text), 'x' FROM generate_series(1, 1000) n"
        )
        app.state.pool = pool
        yield
        await pool.execute("DROP TABLE bare")


app = FastAPI(lifespan=lifespan)


@app.get("/one/{id}", response_model=Row)
async def get_one(id: int, request: Request) -> Any:
    row = await request.app.state.pool.fetchrow("SELECT id, uuid, name, status FROM bare WHERE id = $1", id)
    return Row(**row)


@app.get("/bytes/{id}")
async def get_bytes(id: int, request: Request) -> Response:
    query = "SELECT row_to_json(bare)::text FROM bare WHERE id = $1"
    text = await request.app.state.pool.fetchval(query, id)
    return Response(text, media_type="application/json")


@app.get("/list")
async def get_list(request: Request) -> list[Row]:
    rows = await request.app.state.pool.fetch(
        "SELECT id, uuid, name, status FROM bare ORDER BY id DESC LIMIT 100"
    )
    return [Row(**row) for row in rows]


@app.post("/insert", status_code=201)
async def insert(request: Request) -> Response:
    body = (await request.body()).decode()
    await request.app.state.pool.execute("INSERT INTO bare (uuid, status, body) VALUES ('x', 'y', $1)", body)
    return Response(status_code=201)


STREAMED = 512 * 1024 * 1024
LINES = 1000
EVENT = (
    b'{"event":"line","seq":%d,"time":"2026-11-24T03:50:22.123456+00:00","job":1,"role":"master","index":0,'
    b'"stream":"stdout","text":"' + b"x" * 99 + b'"}\n'
)
ROWS: dict[str, Callable[[int], bytes]] = {
    "text": lambda _: (b"x" * 99 + b"\n") * LINES,
    "ndjson": lambda first: EVENT * LINES % tuple(range(first, first + LINES)),
    "sse": lambda first: (b"id: 1\ndata: " + EVENT + b"\n") * LINES % tuple(range(first, first + LINES)),
}


@app.get("/stream/{form}")
async def stream(form: str) -> StreamingResponse:
    """512 MiB, formatted 1,000 lines at a time from numbers alone."""

    async def pieces() -> AsyncIterator[bytes]:
        sent = first = 0
        while sent < STREAMED:
            piece = ROWS[form](first)
            yield piece
            sent, first = sent + len(piece), first + LINES
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


@app.get("/follow/{what}")
async def follow(what: str, request: Request) -> StreamingResponse:
    """1,000 lines a second, made once for all who listen; or nothing."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            if what == "silent":
                await asyncio.sleep(3600)
            yield await _next_lines(request.app)

    return StreamingResponse(pieces())


async def _next_lines(app: FastAPI) -> bytes:
    waiting: asyncio.Future[bytes] | None = getattr(app.state, "waiting", None)
    if waiting is None or waiting.done():
        waiting = app.state.waiting = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.1, _tell, waiting)
    return await waiting


def _tell(waiting: "asyncio.Future[bytes]") -> None:
    waiting.set_result(b"".join(b"%.6f " % time.time() + b"x" * 80 + b"\n" for _ in range(100)))

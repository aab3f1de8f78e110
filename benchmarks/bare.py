"""The bare limit of one statement a request: FastAPI and asyncpg, nothing else."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response
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

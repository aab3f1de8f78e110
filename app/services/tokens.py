"""Tokens: made, looked up through a small cache, and killed everywhere at once."""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import tokens as db
from app.db.notify import Channel, announce
from app.errors import NotFound
from app.services.access import Caller

TOKEN_BYTES = 20  # 160 random bits, 40 hex digits
MAX_ID = 2**63 - 1


def hash_token(token: str) -> bytes:
    """SHA-256: enough for a secret of 160 random bits, and fast."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


async def create_token(session: AsyncSession, user_id: int, *, name: str | None = None) -> str:
    """A new token of a user; it is shown this once."""
    token = secrets.token_hex(TOKEN_BYTES)
    await db.add(session, user_id=user_id, token_hash=hash_token(token), name=name)
    return token


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token as it is listed: not its secret, which nobody has but who made it."""

    id: int
    username: str
    name: str | None
    created_at: datetime
    expires_at: datetime | None


async def list_tokens(session: AsyncSession, username: str | None = None) -> list[ListedToken]:
    """The tokens of one user or of all, but for those in jobs."""
    return [ListedToken(*row) for row in await db.list_named(session, username)]


async def revoke_token(session: AsyncSession, token_id: int) -> None:
    """Kill a token, in every process at once. Raises NotFound."""
    dead = await db.remove(session, token_id) if 0 < token_id <= MAX_ID else None
    if dead is None:
        raise NotFound(f"There is no token {token_id}.")
    announce(session, Channel.TOKEN, dead.hex())


async def create_job_token(session: AsyncSession, user_id: int, experiment_id: int, attempt: int) -> str:
    """A new token for the jobs of one attempt; those of earlier attempts die."""
    return (await create_job_tokens(session, [(user_id, experiment_id, attempt)]))[0]


async def create_job_tokens(session: AsyncSession, attempts: Sequence[tuple[int, int, int]]) -> list[str]:
    """The same for several, at least one: of a user, an experiment and the attempt each."""
    tokens = [secrets.token_hex(TOKEN_BYTES) for _ in attempts]
    for _, experiment_id, attempt in attempts:
        if attempt > 1:
            await kill_job_tokens(session, experiment_id, before_attempt=attempt)
    await db.add_of_jobs(session, attempts, [hash_token(token) for token in tokens])
    return tokens


async def kill_job_tokens(
    session: AsyncSession, experiment_id: int, *, before_attempt: int | None = None
) -> None:
    """Delete the job tokens of an experiment, of all its attempts or of those before one."""
    for dead in await db.remove_of_experiment(session, experiment_id, before_attempt=before_attempt):
        announce(session, Channel.TOKEN, dead.hex())


async def create_build_token(session: AsyncSession, build_id: int) -> str:
    """A new token of a build, good until that is done."""
    token = secrets.token_hex(TOKEN_BYTES)
    await db.add_build_token(session, build_id, hash_token(token))
    return token


async def kill_build_tokens(session: AsyncSession, build_id: int) -> None:
    """Delete the tokens of a build."""
    for dead in await db.remove_of_build(session, build_id):
        announce(session, Channel.TOKEN, dead.hex())


async def find_caller(session: AsyncSession, token_hash: bytes) -> Caller | None:
    """Who a token stands for, or None for one that is unknown, expired or of an inactive user."""
    row = await db.find_by_hash(session, token_hash)
    if row is None:
        return await _find_build(session, token_hash)
    return Caller(
        user_id=row.user_id,
        username=row.username,
        email=row.email,
        is_superuser=row.is_superuser,
        token_id=row.id,
        token_hash=token_hash,
        experiment_id=row.experiment_id,
    )


async def _find_build(session: AsyncSession, token_hash: bytes) -> Caller | None:
    row = await db.find_build_token(session, token_hash)
    if row is None:
        return None
    return Caller(
        user_id=row.user_id,
        username=row.username,
        email=row.email,
        is_superuser=False,
        token_id=0,
        token_hash=token_hash,
        build_id=row.build_id,
    )


class TokenCache:
    """Callers by their token's hash, for seconds; an entry dies when its token's death is announced."""

    def __init__(self, lifetime: float, capacity: int = 10_000) -> None:
        self._lifetime = lifetime
        self._capacity = capacity
        self._entries: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    def get(self, token_hash: bytes) -> Caller | None:
        entry = self._entries.get(token_hash)
        if entry is None:
            return None
        if entry[0] < time.monotonic():
            del self._entries[token_hash]
            return None
        return entry[1]

    def put(self, caller: Caller) -> None:
        self._entries[caller.token_hash] = (time.monotonic() + self._lifetime, caller)
        self._entries.move_to_end(caller.token_hash)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, hashes: set[str], *, everything: bool = False) -> None:
        """Forget these (hex), or everything when announcements may have been missed."""
        if everything:
            self._entries.clear()
        for token_hash in hashes:
            self._entries.pop(bytes.fromhex(token_hash), None)

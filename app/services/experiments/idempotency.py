"""Repeats of a create: the same key, call and body give the first one's experiment."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments import idempotency as db
from app.db.experiments.find import exists
from app.db.rows import AnyRow
from app.errors import BadInput, Conflict, Place
from app.services.access import Caller
from app.settings import Settings

MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Repeat:
    """An `Idempotency-Key`, the call that it came with, and a hash of the body as parsed JSON."""

    key: str
    call: str
    body_hash: str


def read_repeat(key: str | None, call: str, body: Any) -> Repeat | None:
    """The header's key, checked; None without one. Raises BadInput."""
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        place = Place(("header", "Idempotency-Key"), f"takes 1 to {MAX_KEY} printable characters", "invalid")
        raise BadInput(f"Idempotency-Key {place.msg}.", errors=[place])
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Repeat(key, call, hashlib.sha256(canonical).hexdigest())


async def take_key(
    session: AsyncSession, caller: Caller, settings: Settings, project: AnyRow, repeat: Repeat
) -> int | None:
    """Take the key in this transaction, or give the id of the experiment that it stands for.

    Raises Conflict when it was used with another body or call, or its experiment is gone.
    """
    taken = await db.take(
        session,
        user_id=caller.user_id,
        project_id=project.id,
        key=repeat.key,
        call=repeat.call,
        body_hash=repeat.body_hash,
        experiment_id=project.experiment_id,
        oldest=datetime.now(UTC) - timedelta(seconds=settings.idempotency),
    )
    if taken:
        return None
    first = await db.find(session, user_id=caller.user_id, project_id=project.id, key=repeat.key)
    if first is None or (first.call, first.body_hash) != (repeat.call, repeat.body_hash):
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_mismatch")
    if not await exists(session, first.experiment_id):
        raise Conflict(
            "The experiment that this Idempotency-Key made was deleted.", code="idempotency_mismatch"
        )
    return int(first.experiment_id)

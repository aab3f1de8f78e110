"""Experiments, their status history, and the keys that make a create repeatable."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Json, Uuid


class Experiment(Base):
    """An experiment: what was asked for, and where it stands.

    What was sent: `config` (unrendered; None: only tracked), `given_declarations` (the body's), `ttl`.
    What was made of it at create: `declarations` (rendered), `resources`, `num_jobs`.
    `status` is written by `services/statuses.py` alone. `attempt` is the number of the newest attempt
    (0 before the first), raised by a guarded write before anything is launched; `retries` counts attempts
    that failures of the job used up, `infrastructure_failures` those that weren't its fault; `retry_at`
    is when the next may start; `launched_at` is when this attempt was claimed for launching.
    `stop_requested_at` and `deleted_at` are what is wanted.
    `outputs_uuid` names the outputs folder: the experiment's own uuid, or for a resume the original's;
    `outputs_volume` the volume that it lies on (null: the data folder).
    `copy_of` is the outputs folder that a copy starts with, until it is made. `collected_at` is when every
    line of the finished experiment's log was stored.
    """

    __tablename__ = "experiments"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str | None]
    description: Mapped[str | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    config: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # keeps the keys' order
    given_declarations: Mapped[Json | None]
    declarations: Mapped[Json | None]
    resources: Mapped[Json | None]
    num_jobs: Mapped[int] = mapped_column(default=0)
    ttl: Mapped[int | None]

    status: Mapped[str]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    retries: Mapped[int] = mapped_column(default=0)
    infrastructure_failures: Mapped[int] = mapped_column(default=0)
    max_retries: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    launched_at: Mapped[datetime | None]
    stop_requested_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    cleaned_at: Mapped[datetime | None]

    original_id: Mapped[int | None] = mapped_column(
        ForeignKey("experiments.id", ondelete="SET NULL"), index=True
    )
    is_clone: Mapped[bool] = mapped_column(default=False)
    is_resume: Mapped[bool] = mapped_column(default=False)
    outputs_uuid: Mapped[str] = mapped_column(index=True)
    outputs_volume: Mapped[str | None]
    copy_of: Mapped[str | None]
    build_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id", ondelete="SET NULL"), index=True)
    code_id: Mapped[int | None] = mapped_column(ForeignKey("code_archives.id"), index=True)
    reads: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)

    has_tensorboard: Mapped[bool | None]
    heartbeat_at: Mapped[datetime | None]
    run_env: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    data_refs: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    code_reference: Mapped[Json | None]

    __table_args__ = (
        Index(
            "uq_experiments_project_id_name",
            "project_id",
            "name",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "ix_experiments_list",
            "project_id",
            "updated_at",
            "id",
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "ix_experiments_live",
            "id",
            postgresql_where="status NOT IN ('succeeded', 'failed', 'stopped')",
        ),
        Index("ix_experiments_deleted", "id", postgresql_where="deleted_at IS NOT NULL"),
        Index(
            "ix_experiments_uncollected",
            "id",
            postgresql_where="collected_at IS NULL AND finished_at IS NOT NULL",
        ),
        Index(
            "ix_experiments_uncleaned",
            "finished_at",
            postgresql_where="cleaned_at IS NULL AND finished_at IS NOT NULL",
        ),
    )


class ExperimentStatus(Base):
    """One row of the history: a move, or a message about the present status."""

    __tablename__ = "experiment_statuses"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    status: Mapped[str]
    message: Mapped[str | None]
    created_at: Mapped[Created]


class IdempotencyKey(Base):
    """A create's key, kept 24 h: `call` and `body_hash` tell a repeat from another request.

    `experiment_id` keeps its value when the experiment is gone, so that a repeat is then refused.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    key: Mapped[str]
    call: Mapped[str]
    body_hash: Mapped[str]
    experiment_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[Created] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("user_id", "project_id", "key"),)

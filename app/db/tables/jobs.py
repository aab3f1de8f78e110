"""Jobs, a row a role and index of an experiment, and their status history."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Json, Uuid


class Job(Base):
    """One role and index of an experiment. Rows stay over attempts; `attempt` is the newest launched.

    `definition` is what was launched, without secrets. Of an attempt that ended: `outcome` says why in a
    person's words, `infrastructure` that it wasn't the job's fault, `retryable` that trying again may help.
    """

    __tablename__ = "jobs"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    role: Mapped[str]
    index: Mapped[int]
    status: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    exit_code: Mapped[int | None]
    outcome: Mapped[str | None]
    infrastructure: Mapped[bool] = mapped_column(default=False)
    retryable: Mapped[bool] = mapped_column(default=True)
    resources: Mapped[Json | None]
    node_scheduled: Mapped[str | None]
    definition: Mapped[Json | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_jobs_experiment_id_role_index", "experiment_id", "role", "index", unique=True),
    )


class JobStatus(Base):
    """One row of a job's history; `details` are the launcher's facts."""

    __tablename__ = "job_statuses"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    status: Mapped[str]
    message: Mapped[str | None]
    details: Mapped[Json | None]
    created_at: Mapped[Created]

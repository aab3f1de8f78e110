"""Builds, a row a project and hash, their history, and the environments that they made."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Json, Uuid


class Build(Base):
    """A build of one project. `spec` holds image, steps, env_vars and nocache, rendered.

    `hash` names its outcome. Rows of the same hash that are not done wait for the oldest of them, whose
    run makes the environment for all (`leader_id`; null: it runs itself).
    """

    __tablename__ = "builds"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_id: Mapped[int | None] = mapped_column(ForeignKey("code_archives.id"), index=True)
    hash: Mapped[str]
    spec: Mapped[Json]
    status: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    leader_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id", ondelete="SET NULL"))
    environment: Mapped[str | None]
    definition: Mapped[Json | None]
    stop_requested_at: Mapped[datetime | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    cleaned_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "hash"),
        Index("ix_builds_live", "id", postgresql_where="status NOT IN ('succeeded', 'failed', 'stopped')"),
        Index(
            "ix_builds_uncollected",
            "id",
            postgresql_where="collected_at IS NULL AND finished_at IS NOT NULL",
        ),
    )


class BuildStatus(Base):
    """One row of a build's history."""

    __tablename__ = "build_statuses"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), index=True)
    status: Mapped[str]
    message: Mapped[str | None]
    details: Mapped[Json | None]
    created_at: Mapped[Created]


class Environment(Base):
    """A built environment or image, shared by all projects; removed when unused for long."""

    __tablename__ = "environments"

    hash: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str]
    created_at: Mapped[Created]
    used_at: Mapped[Created] = mapped_column(index=True)


class BuildToken(Base):
    """A secret that opens the files which a build's steps see, while the build is not done: its SHA-256.

    Launching an attempt twice after a crash leaves two of them; both die with the build.
    """

    __tablename__ = "build_tokens"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Created]

"""Projects, the code uploaded to them, and bookmarks."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Json, Uuid


class Project(Base):
    """A project. `deleted_at` hides it at once; the reconciler removes it once nothing of it is left.

    `code_id` is the archive that its next experiments run in.
    """

    __tablename__ = "projects"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    is_public: Mapped[bool] = mapped_column(default=False)
    code_id: Mapped[int | None] = mapped_column(
        ForeignKey("code_archives.id", use_alter=True, ondelete="SET NULL")
    )
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_projects_owner_id_name",
            "owner_id",
            "name",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
    )


class CodeArchive(Base):
    """An uploaded archive. `sha256` names the stored file; `step_files` maps the names that build steps see
    to the SHA-256 of their content. It goes when no project and no experiment names it."""

    __tablename__ = "code_archives"

    id: Mapped[Id]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    step_files: Mapped[Json]
    created_at: Mapped[Created]


class Bookmark(Base):
    """A user's mark on an experiment or a project: exactly one of the two is set."""

    __tablename__ = "bookmarks"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    experiment_id: Mapped[int | None] = mapped_column(
        ForeignKey("experiments.id", ondelete="CASCADE"), index=True
    )
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Created]

    __table_args__ = (
        UniqueConstraint("user_id", "experiment_id"),
        UniqueConstraint("user_id", "project_id"),
    )

"""TensorBoards: at most one an experiment, wanted or not, and where it answers."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Uuid


class Tensorboard(Base):
    """An experiment's TensorBoard. `wanted` is what users asked for last; `attempt` counts its starts.

    `status` is a lifecycle word: `scheduled` until it is claimed for a start, `starting` until its page
    answers, `running`, `stopped`, `failed` (it can't be started). `address` is `host:port` as the service
    reaches it, once its page answers. `secret` is the attempt's, by which the proxy and it know each other;
    nobody is shown it. `failures` counts deaths in a row, `retry_at` is when the next start may be.
    """

    __tablename__ = "tensorboards"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), unique=True)
    wanted: Mapped[bool] = mapped_column(default=True)
    attempt: Mapped[int] = mapped_column(default=0)
    status: Mapped[str]
    message: Mapped[str | None]
    address: Mapped[str | None]
    created_at: Mapped[Created]
    requested_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    secret: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_tensorboards_live",
            "id",
            postgresql_where="wanted OR status NOT IN ('succeeded', 'failed', 'stopped')",
        ),
    )

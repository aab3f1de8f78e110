"""Metrics: every row, the newest value of each key, and batches that were taken."""

from datetime import datetime

from sqlalchemy import BigInteger, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id, Json, Uuid


class Metric(Base):
    """One row as it was sent: `values` maps keys to numbers; NaN and infinities are strings in it."""

    __tablename__ = "metrics"

    id: Mapped[Id]
    uuid: Mapped[Uuid]
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    values: Mapped[Json]
    step: Mapped[int | None]
    created_at: Mapped[Created]

    __table_args__ = (Index(None, "experiment_id", "created_at", "id"),)


class LastMetric(Base):
    """The newest value of one key of an experiment (by `created_at`, then id)."""

    __tablename__ = "last_metrics"

    experiment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    created_at: Mapped[datetime]
    metric_id: Mapped[int]

    __table_args__ = (Index(None, "key", "value", "experiment_id"),)


class MetricBatch(Base):
    """A batch that was taken: a repeat with the same content changes nothing."""

    __tablename__ = "metric_batches"

    experiment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True
    )
    batch_id: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    count: Mapped[int]

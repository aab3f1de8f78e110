"""Metrics: every row, the newest value of each key, and batches that were taken."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Double, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Metric(Base):
    """One row as it was sent: `values` maps keys to numbers; NaN and infinities are strings in it.

    Rows are only ever added, and deleted with their experiment (`db/metrics/remove.py`). The primary key is
    the order in which they are read; `id` alone is unique, too. There is no foreign key, which would cost
    more than the insert: writers lock the experiment's row instead. The uuid is made from the experiment's
    and the id.
    """

    __tablename__ = "metrics"

    experiment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True, server_default=text("clock_timestamp()")
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    values: Mapped[Json]
    step: Mapped[int | None]


class LastMetric(Base):
    """The newest value of one key of an experiment (by `created_at`, then id), and how many there are."""

    __tablename__ = "last_metrics"

    experiment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    created_at: Mapped[datetime]
    metric_id: Mapped[int]
    count: Mapped[int] = mapped_column(default=1)

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

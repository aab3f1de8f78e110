"""What live jobs use now, passed from the reconciler to those who watch; unlogged: it is old in a second."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class UsageWatch(Base):
    """That somebody watches an experiment's usage, until when; its newest `rows` (as they are sent), and when
    they were measured."""

    __tablename__ = "usage_watches"

    experiment_id: Mapped[int] = mapped_column(
        ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    watched_until: Mapped[datetime]
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    measured_at: Mapped[datetime | None]

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

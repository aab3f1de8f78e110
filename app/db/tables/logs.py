"""Logs: one stream of numbered lines an experiment or build, and its chunks while it runs."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Id, Json


class LogStream(Base):
    """The log of one experiment or one build. `next_seq` is the number that the next line gets.

    `object` names the finished log in the store; from then on there are no chunks.
    """

    __tablename__ = "log_streams"

    id: Mapped[Id]
    experiment_id: Mapped[int | None] = mapped_column(
        ForeignKey("experiments.id", ondelete="CASCADE"), unique=True
    )
    build_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), unique=True)
    next_seq: Mapped[int] = mapped_column(default=0)
    object: Mapped[str | None]


class LogChunk(Base):
    """A compressed frame of lines (`storage`'s frame format), `first_seq` to `last_seq`."""

    __tablename__ = "log_chunks"

    stream_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("log_streams.id", ondelete="CASCADE"), primary_key=True
    )
    first_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_seq: Mapped[int]
    first_time: Mapped[datetime]
    last_time: Mapped[datetime]
    jobs: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    data: Mapped[bytes] = mapped_column(LargeBinary)


class LogCursor(Base):
    """How far one job attempt's log is stored; written in the transaction that stores the lines.

    `ref` is the job attempt's name; `position` is the launcher's.
    """

    __tablename__ = "log_cursors"

    ref: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("log_streams.id", ondelete="CASCADE"), index=True)
    position: Mapped[Json]
    eof: Mapped[bool] = mapped_column(default=False)

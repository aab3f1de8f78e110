"""Logs: one stream of numbered lines an experiment or build, and its chunks while it runs."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Id, Json


class LogStream(Base):
    """The log of one experiment or one build. `next_seq` is the number that the next line gets.

    `complete`: its owner is done and no line will come any more. `object` names the finished log in the
    store; from then on there are no chunks.
    """

    __tablename__ = "log_streams"

    id: Mapped[Id]
    experiment_id: Mapped[int | None] = mapped_column(
        ForeignKey("experiments.id", ondelete="CASCADE"), unique=True
    )
    build_id: Mapped[int | None] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), unique=True)
    next_seq: Mapped[int] = mapped_column(default=0)
    complete: Mapped[bool] = mapped_column(default=False)
    object: Mapped[str | None]

    __table_args__ = (
        Index(
            "ix_log_streams_unsealed",
            "id",
            postgresql_where="complete AND object IS NULL AND next_seq > 0",
        ),
    )


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

    It is there before the attempt is launched, so that an open one tells that lines may come; when the
    stream is complete it goes. `ref` is the attempt's name, `job_id` null for a build's; `position` is the
    launcher's, `parser` the state of the parser there.
    """

    __tablename__ = "log_cursors"

    ref: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey("log_streams.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    position: Mapped[Json]
    parser: Mapped[bytes] = mapped_column(LargeBinary)
    eof: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_log_cursors_open", "ref", postgresql_where="NOT eof"),)

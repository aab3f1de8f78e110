"""Logs: the forms and parameters of their streams, tickets for them, and lines that are posted."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, RootModel

from app.api.schemas.base import BodyModel, ReadModel, Time
from app.domain.lifecycle import Role, Status
from app.domain.logs.render import LogForm


class LogFormat(StrEnum):
    """A log's form: its short name, or its media type."""

    TEXT = "text"
    NDJSON = "ndjson"
    SSE = "sse"
    TEXT_PLAIN = "text/plain"
    X_NDJSON = "application/x-ndjson"
    EVENT_STREAM = "text/event-stream"

    @property
    def form(self) -> LogForm:
        """The form that it names."""
        return _FORMS[self]


_FORMS = {
    LogFormat.TEXT: LogForm.TEXT,
    LogFormat.NDJSON: LogForm.NDJSON,
    LogFormat.SSE: LogForm.EVENTS,
    LogFormat.TEXT_PLAIN: LogForm.TEXT,
    LogFormat.X_NDJSON: LogForm.NDJSON,
    LogFormat.EVENT_STREAM: LogForm.EVENTS,
}


class LogSource(StrEnum):
    """Where a line was printed."""

    STDOUT = "stdout"
    STDERR = "stderr"


class LogLine(ReadModel):
    """A line of a log."""

    event: Literal["line"] = Field(description="That it is a line.", examples=["line"])
    seq: int = Field(description="Its number in the log, from 0.", examples=[0])
    time: Time = Field(description="When it was printed.")
    job: int | None = Field(description="The id of the job that printed it; null in a build.", examples=[1])
    role: Role | None = Field(description="The job's role; null in a build.", examples=["master"])
    index: int | None = Field(description="The job's index in its role; null in a build.", examples=[0])
    stream: LogSource = Field(description="Where it was printed.", examples=["stdout"])
    text: str = Field(description="The line, without its end.", examples=["epoch 1: loss 0.31"])


class LogGap(ReadModel):
    """Lines that are lost. It has a number of its own."""

    event: Literal["gap"] = Field(description="That lines are lost here.", examples=["gap"])
    seq: int = Field(description="Its number in the log.", examples=[7])
    job: int | None = Field(description="The id of the job that printed them.", examples=[1])
    from_time: Time | None = Field(description="The time of the last line before.")
    to_time: Time | None = Field(description="The time of the first line after.")


class LogEnd(ReadModel):
    """The end of a log: every line was sent."""

    event: Literal["end"] = Field(description="That the log ends.", examples=["end"])
    status: Status = Field(description="Where the experiment or build stands.", examples=["succeeded"])
    last_seq: int = Field(description="The number of the last line; -1 of an empty log.", examples=[31])


class LogHeartbeat(ReadModel):
    """A sign of life while a stream of NDJSON waits, every 15 seconds; server-sent events have a comment."""

    event: Literal["heartbeat"] = Field(description="That the stream waits.", examples=["heartbeat"])


class LogEvent(RootModel[LogLine | LogGap | LogEnd | LogHeartbeat]):
    """What a stream of a log consists of; `event` tells which."""


class LogTicket(ReadModel):
    """What opens one log stream where no header can be sent."""

    ticket: str = Field(
        description="The value of the parameter `ticket`; it is shown this once.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"],
    )
    expires_at: Time = Field(description="Until when streams can be opened with it.")
    url: str = Field(
        description="The stream with this ticket, for an EventSource: server-sent events, followed.",
        examples=[
            "http://127.0.0.1:8000/api/v1/root/quick-start/experiments/1/logs/events?follow=true&ticket=9f86d08188"
        ],
    )


class LogLines(BodyModel):
    """Lines for the log of an experiment that is only tracked."""

    lines: list[str] = Field(description="The lines, in order.", examples=[["epoch 1", "epoch 2"]])


class PostedLogLines(ReadModel):
    """What was stored."""

    count: int = Field(description="How many lines.", examples=[2])
    last_seq: int = Field(description="The number of the log's last line; -1 when it is empty.", examples=[1])

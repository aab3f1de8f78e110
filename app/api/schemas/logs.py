"""Logs: the forms and parameters of their streams, tickets for them, and lines that are posted."""

from enum import StrEnum

from pydantic import Field

from app.api.schemas.base import BodyModel, ReadModel, Time
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

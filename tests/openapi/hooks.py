"""What Schemathesis is told beside its configuration: how a stream of server-sent events is read, what is
taken though the document doesn't offer it, and that `4XX` is no excuse."""

import json
from typing import Any

import schemathesis


@schemathesis.deserializer("text/event-stream")
def read_events(context: Any, response: Any) -> list[Any]:
    """Each event's data: that is what the document describes, as generators for 3.1 read it. Schemathesis
    takes it for the event itself, with its id, as OpenAPI 3.2 does."""
    lines = response.content.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@schemathesis.hook
def filter_headers(context: Any, headers: Any) -> bool:
    """An empty `Last-Event-ID` is none: readers send it that had no event yet."""
    return bool((headers or {}).get("Last-Event-ID", "none"))


@schemathesis.check
def own_errors_are_named(context: Any, response: Any, case: Any) -> None:
    """`4XX` stands for what any path answers, such as 405; what is of this operation has its own status."""
    status = str(response.status_code)
    named = {*case.operation.definition.raw["responses"], "405"}
    assert not status.startswith("4") or status in named, f"{status} is not named"

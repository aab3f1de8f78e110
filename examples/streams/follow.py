"""Follows a log with httpx: BUNSEN_URL=… BUNSEN_TOKEN=… python follow.py root/digits/experiments/1

Prints every line once, whatever is cut meanwhile, and ends only when the log is whole.
"""

import json
import os
import sys
import time
from collections.abc import Iterator

import httpx


def follow(client: httpx.Client, path: str) -> Iterator[dict]:
    """Every `line`, `gap` and at last the `end` of a log, each once. Raises httpx.HTTPStatusError."""
    following = 0
    while True:
        try:
            parameters = {"follow": True, "offset": following}
            # The server says something every 15 seconds: a minute without a word is a dead connection.
            with client.stream("GET", f"{path}/logs/lines", params=parameters, timeout=60) as answer:
                if answer.status_code < 500:
                    answer.raise_for_status()
                    for text in answer.iter_lines():
                        event = json.loads(text)
                        if event["event"] == "heartbeat":
                            continue
                        yield event
                        if event["event"] == "end":
                            return
                        following = event["seq"] + 1
        except (httpx.TransportError, json.JSONDecodeError):
            pass  # cut, perhaps within a line: go on at the next number
        time.sleep(1)


if __name__ == "__main__":
    headers = {"Authorization": f"token {os.environ['BUNSEN_TOKEN']}"}
    with httpx.Client(base_url=f"{os.environ['BUNSEN_URL']}/api/v1", headers=headers) as client:
        for event in follow(client, sys.argv[1]):
            if event["event"] == "line":
                print(event["text"], flush=True)
            elif event["event"] == "gap":
                print(f"(lines are lost from {event['from_time']} to {event['to_time']})", file=sys.stderr)
            else:
                print(f"whole: {event['last_seq'] + 1} lines, {event['status']}", file=sys.stderr)

"""Follows a log as clients of 2018 do, with websocket-client:

    BUNSEN_URL=… BUNSEN_TOKEN=… python follow_websocket.py root/digits/experiments/1

Frames have no numbers, and every connection begins at the first line: after a cut the lines that were printed are
counted off. A log that is whole is closed with 1000, a cut one with another code or with none.
"""

import json
import os
import sys
import time
from collections.abc import Iterator

import websocket


def read(url: str, token: str) -> Iterator[list[str]]:
    """The lines of one connection, until it is closed with 1000. Raises what websocket-client raises."""
    socket = websocket.create_connection(url, header=[f"Authorization: token {token}"], timeout=60)
    try:
        while True:
            opcode, data = socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                if int.from_bytes(data[:2], "big") == 1000:
                    return
                raise ConnectionError("cut")
            yield json.loads(data)["log_lines"] or []
    finally:
        socket.close()


def follow(url: str, token: str) -> Iterator[str]:
    """Every line once. Raises websocket.WebSocketBadStatusException where the service refuses."""
    printed = 0
    while True:
        seen = 0
        try:
            for lines in read(url, token):
                for line in lines:
                    seen += 1
                    if seen > printed:
                        printed = seen
                        yield line
            return
        except websocket.WebSocketBadStatusException as refused:
            if refused.status_code < 500:
                raise
        except (OSError, websocket.WebSocketException):
            pass
        time.sleep(1)


if __name__ == "__main__":
    base = os.environ["BUNSEN_URL"].replace("http", "ws", 1)
    count = 0
    for line in follow(f"{base}/ws/v1/{sys.argv[1]}/logs", os.environ["BUNSEN_TOKEN"]):
        count += 1
        print(line, flush=True)
    print(f"whole: {count} lines", file=sys.stderr)

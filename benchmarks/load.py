"""A small HTTP/1.1 client for load: raw sockets and kept connections, so that the client costs little."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

CLIENTS = 16


@dataclass(frozen=True)
class Rate:
    """Requests a second, and the times of single ones in milliseconds."""

    per_second: float
    p50: float
    p99: float


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line[15:]))
    return status


async def _client(
    port: int, make: Callable[[int], bytes], numbers: list[int], until: float, times: list[float], expect: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        number = numbers[0]
        numbers[0] += 1
        began = time.perf_counter()
        writer.write(make(number))
        status = await _answer(reader)
        times.append(time.perf_counter() - began)
        if status != expect:
            raise RuntimeError(f"answered {status}, not {expect}")
    writer.close()


async def measure(
    port: int,
    make: Callable[[int], bytes],
    *,
    seconds: float = 3.0,
    clients: int = CLIENTS,
    expect: int = 200,
) -> Rate:
    """Send what `make(number)` gives, one after another on each of the connections."""
    times: list[float] = []
    warm: list[float] = []
    numbers = [0]
    for span, into in ((0.5, warm), (seconds, times)):
        until = time.perf_counter() + span
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(_client(port, make, numbers, until, into, expect))
    times.sort()
    return Rate(len(times) / seconds, _ms(times, 0.5), _ms(times, 0.99))


def _ms(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] * 1000


def request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """One request, ready to send."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: token {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

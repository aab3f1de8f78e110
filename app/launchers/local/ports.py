"""Free ports on 127.0.0.1 for the roles of a run, where no outgoing connection takes them in between."""

import random
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from app.launchers.base import LaunchDelayed

HOST = "127.0.0.1"
_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, taken: Collection[int]) -> list[int]:
    """That many ports which nobody listens on and which are not in `taken`. Raises LaunchDelayed."""
    found: list[int] = []
    for port in _candidates():
        if len(found) == count:
            break
        if port not in taken and _is_free(port):
            found.append(port)
    if len(found) < count:
        raise LaunchDelayed(f"waits for {count} free ports on {HOST}")
    return found


def _candidates() -> Iterator[int]:
    """All ports outside the range of outgoing connections, from a random one on."""
    low, high = map(int, _EPHEMERAL.read_text().split())
    ports = [*range(_LOWEST, low), *range(max(high + 1, _LOWEST), 65_536)]
    start = random.randrange(len(ports) or 1)  # noqa: S311
    yield from ports[start:]
    yield from ports[:start]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
    return True

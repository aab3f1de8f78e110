"""The socket that the service listens on, held from start to end so that no restart refuses a client."""

import errno
import socket
import time

from app.embedded.errors import CannotStart

BACKLOG = 2048
POLL = 0.02  # seconds


def listen(host: str, port: int, *, patience: float = 0.0) -> socket.socket:
    """A socket that listens on the address; port 0 takes a free one.

    A port that is taken is tried again for `patience` seconds: what held it may be about to end. Raises
    CannotStart.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(POLL)
                continue
            raise CannotStart(_why_not(host, port, error)) from None


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def reachable_address(listener: socket.socket) -> tuple[str, int]:
    """Host and port by which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104


def http_url(host: str, port: int) -> str:
    """The address as a URL."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _why_not(host: str, port: int, error: OSError) -> str:
    place = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program; name another with --port."
    if error.errno == errno.EACCES:
        return f"This user may not listen on {place}; name a port from 1024 on with --port."
    return f"The service can't listen on {place}: {error.strerror}."

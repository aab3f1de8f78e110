"""Asks the service whether it is ready, without ever waiting for the answer."""

import socket

REQUEST = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n"
TOO_LONG = 1 << 16


class ReadyProbe:
    """One question at a time; `files` is what to wait for while there is one."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._answer = b""

    @property
    def files(self) -> list[int]:
        return [self._socket.fileno()] if self._socket else []

    def ask(self) -> bool:
        """Go on with the question, or begin one; True once an answer said ready."""
        try:
            if self._socket is None:
                self._begin()
                return False
            return self._read()
        except BlockingIOError:
            return False
        except OSError:  # the server ended before it answered
            self.close()
            return False

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None
        self._answer = b""

    def _begin(self) -> None:
        """The listening socket is ours, so that connecting does not wait for who will accept."""
        self._socket = socket.create_connection(self._address, timeout=1.0)
        self._socket.sendall(REQUEST)
        self._socket.setblocking(False)

    def _read(self) -> bool:
        assert self._socket
        while data := self._socket.recv(4096):
            self._answer += data
            if len(self._answer) > TOO_LONG:
                break
        status = self._answer.split(b"\r\n", 1)[0].split(b" ")
        self.close()
        return len(status) > 1 and status[1] == b"200"

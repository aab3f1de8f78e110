"""TensorBoard behind a secret, as a program of its own: only who knows it is answered.

TensorBoard has no notion of users, and every user of a machine reaches its port. So it answers only who
sends a key made of the secret, from which nobody learns the secret, and says with each answer, by another
one, that it is no impostor at its port. The program gets the secret by its environment; it imports
nothing of the service, whose own code its user may not be able to read.
"""

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

KEY = "X-Bunsen-Key"
PROOF = "X-Bunsen-Proof"
IDENTITY = ("content-encoding", "identity")


def key_of(secret: str) -> str:
    """What requests bear."""
    return _made(secret, "request")


def proof_of(secret: str) -> str:
    """What answers bear."""
    return _made(secret, "answer")


def _made(secret: str, use: str) -> str:
    return hmac.new(secret.encode(), use.encode(), hashlib.sha256).hexdigest()


class Guarded:
    """A WSGI application that answers those who have the key."""

    def __init__(self, app: Callable[..., Iterable[bytes]], secret: str) -> None:
        self._app = app
        self._key = key_of(secret).encode()
        self._proof = proof_of(secret)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass it on with the proof, or refuse it."""
        sent = environ.get("HTTP_X_BUNSEN_KEY", "").encode("latin-1", "replace")
        if not hmac.compare_digest(sent, self._key):
            start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # "identity" should not be named (RFC 9110, 8.4): a cluster's API server drops pages with it.
            kept = [(name, value) for name, value in headers if (name.lower(), value) != IDENTITY]
            return start_response(status, [*kept, (PROOF, self._proof)], *error)

        return self._app(environ, start)


def main(environ: dict[str, str]) -> int:
    """Serve the folder `BUNSEN_TENSORBOARD_LOGDIR` until SIGTERM."""
    from tensorboard import program

    secret = environ.pop("BUNSEN_TENSORBOARD_SECRET")

    def server(app: Any, flags: Any) -> Any:
        return program.WerkzeugServer(Guarded(app, secret), flags)

    tensorboard = program.TensorBoard(server_class=server)
    tensorboard.configure(
        argv=(
            "tensorboard",
            *("--logdir", environ["BUNSEN_TENSORBOARD_LOGDIR"]),
            *("--host", environ.get("BUNSEN_TENSORBOARD_HOST", "127.0.0.1")),
            *("--port", environ["BUNSEN_PORT"]),
            "--load_fast=false",  # the fast loader serves everyone on a second port
            "--reload_multifile=true",
        )
    )
    return int(tensorboard.main())


if __name__ == "__main__":
    sys.exit(main(dict(os.environ)))

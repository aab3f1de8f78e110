"""HEAD for whatever has a GET: the same head, without the body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PROXIED = "/tensorboard/"  # answers HEAD itself


class AnswerHeads:
    """Asks for what a GET would give, and sends its head. A stream ends as if its reader had left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith(_PROXIED):
            await self._app(scope, receive, send)
            return
        sent = False

        async def head(message: Message) -> None:
            nonlocal sent
            if not sent:
                sent = True
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, head)

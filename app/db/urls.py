"""How a Postgres URL as people write it becomes the one that the driver takes."""

from sqlalchemy import URL, make_url

from app.errors import BadInput


def async_url(text: str) -> URL:
    """`postgres://…`, `postgresql://…` or `postgresql+asyncpg://…` as an asyncpg URL.

    Raises BadInput for another database's URL or one that can't be read.
    """
    try:
        url = make_url(text)
    except Exception:
        raise BadInput("DATABASE_URL can't be read as a URL.") from None
    if url.get_backend_name() not in {"postgres", "postgresql"}:
        raise BadInput(f"DATABASE_URL names {url.get_backend_name()}: the service needs Postgres.")
    return url.set(drivername="postgresql+asyncpg")

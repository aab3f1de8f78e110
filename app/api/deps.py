"""What routes depend on: the transaction, the caller, the page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyHeader
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.answers import JsonAnswer
from app.api.service import Service, get_service
from app.db.engine import transaction
from app.errors import Forbidden, NotAuthenticated
from app.services.access import Caller
from app.services.tokens import find_caller, hash_token

ServiceDep = Annotated[Service, Depends(get_service)]

MAX_OFFSET = 2**63 - 1
_SCHEMES = frozenset({"token", "bearer", "ephemeraltoken", "internaltoken"})

token_scheme = APIKeyHeader(
    name="Authorization",
    scheme_name="token",
    auto_error=False,
    description="`Authorization: token X`; `Bearer X` is taken, too.",
)


async def get_session(service: ServiceDep) -> AsyncIterator[AsyncSession]:
    """One transaction a request, committed before the answer is sent (scope="function")."""
    async with transaction(service.sessions) as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


def read_token(header: str | None) -> str:
    """The token of an `Authorization` header. Raises NotAuthenticated."""
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if not token or scheme.lower() not in _SCHEMES:
        raise NotAuthenticated("Send a token: `Authorization: token …`.")
    return token


async def authenticate(service: Service, token: str) -> Caller:
    """Who the token stands for, from the cache or with one short statement. Raises NotAuthenticated."""
    token_hash = hash_token(token)
    caller = service.tokens.get(token_hash)
    if caller is None:
        async with transaction(service.sessions) as session:
            caller = await find_caller(session, token_hash)
        if caller is None:
            raise NotAuthenticated("This token is not valid.")
        service.tokens.put(caller)
    return caller


async def get_any_caller(service: ServiceDep, header: Annotated[str | None, Depends(token_scheme)]) -> Caller:
    """A person or a job, for the calls that a tracker makes from inside a job."""
    return await authenticate(service, read_token(header))


async def get_caller(caller: Annotated[Caller, Depends(get_any_caller)]) -> Caller:
    """A person: a job's token is refused."""
    if caller.is_job:
        raise Forbidden("A job's token can't make this call.")
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
AnyCallerDep = Annotated[Caller, Depends(get_any_caller)]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list."""

    limit: int
    offset: int


async def get_page(
    limit: Annotated[int, Query(ge=1, le=1000, description="How many rows at the most.", examples=[20])] = 20,
    offset: Annotated[
        int, Query(ge=0, le=MAX_OFFSET, description="How many rows to skip.", examples=[0])
    ] = 0,
) -> Page:
    return Page(limit, offset)


async def get_metrics_page(
    limit: Annotated[
        int, Query(ge=1, le=1000, description="How many rows at the most.", examples=[20])
    ] = 1000,
    offset: Annotated[
        int, Query(ge=0, le=MAX_OFFSET, description="How many rows to skip.", examples=[0])
    ] = 0,
) -> Page:
    return Page(limit, offset)


PageDep = Annotated[Page, Depends(get_page)]
MetricsPageDep = Annotated[Page, Depends(get_metrics_page)]


def base_url(request: Request) -> str:
    """Where clients reach the service: `BUNSEN_PUBLIC_URL`, else the request's own host."""
    service: Service = request.app.state.service
    return service.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The absolute URLs of the pages around one."""

    next: str | None
    previous: str | None


def page_links(request: Request, page: Page, count: int) -> PageLinks:
    """`next` and `previous` keep the other parameters of the request."""

    def link(offset: int) -> str:
        url = request.url.include_query_params(limit=page.limit, offset=offset)
        return f"{base_url(request)}{url.path}?{url.query}"

    following = page.offset + page.limit
    return PageLinks(
        next=link(following) if following < count else None,
        previous=link(max(0, page.offset - page.limit)) if page.offset > 0 else None,
    )


def page_answer(request: Request, page: Page, count: int, rows: Sequence[Mapping[str, Any]]) -> JsonAnswer:
    """A page of a list in its documented form."""
    links = page_links(request, page, count)
    return JsonAnswer({"count": count, "next": links.next, "previous": links.previous, "results": rows})

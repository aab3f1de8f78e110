"""The OpenAPI document, and a page that shows it; all of it comes from here."""

import gzip
from functools import cache
from importlib.resources import files

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.api.deps import base_url
from app.api.openapi import describe
from app.api.requests import StrictRoute
from app.errors import NotFound

router = APIRouter(route_class=StrictRoute, include_in_schema=False)

# Swagger UI (its licence lies beside it) sets styles from its script; everything else is this origin's.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {
    "docs.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "swagger-ui.LICENSE": "text/plain",
}
PACKED = frozenset({"swagger-ui-bundle.js", "swagger-ui.css"})


@router.get("/openapi.json")
async def get_openapi_document(request: Request) -> Response:
    """The document, made once a process."""
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = orjson.dumps(describe(request.app, state.service.settings.public_url))
    return Response(state.openapi, media_type="application/json")


@router.get("/")
async def get_root(request: Request) -> Response:
    """To the page: what a person sees who opens the service's URL."""
    return RedirectResponse(f"{base_url(request)}/docs")


@router.get("/docs")
async def get_docs() -> Response:
    """The page."""
    return Response(_asset("docs.html"), media_type="text/html", headers={"Content-Security-Policy": POLICY})


@router.get("/docs/")
async def get_docs_with_a_slash() -> Response:
    """To the page, whose links are relative."""
    return RedirectResponse("../docs")


@router.get("/docs/{name}")
async def get_docs_asset(request: Request, name: str) -> Response:
    """What the page is made of. The large ones are kept packed, and sent so to whoever takes that."""
    if name not in ASSETS:
        raise NotFound("There is nothing at this path.")
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    content = _asset(f"{name}.gz" if name in PACKED else name)
    if name in PACKED:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            content = gzip.decompress(content)
    return Response(content, media_type=ASSETS[name], headers=headers)


@cache
def _asset(name: str) -> bytes:
    return (files("app.api") / "static" / name).read_bytes()

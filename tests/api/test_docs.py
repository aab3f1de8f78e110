"""The page that shows the calls: all of it comes from this service."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from app.api.routes.docs import ASSETS, PACKED


class Links(HTMLParser):
    """Every URL that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value for name, value in attrs if name in {"href", "src"} and value]


async def test_the_page_needs_no_token_and_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    links = Links()
    links.feed(page.text)
    assert {"docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "docs/docs.js"} <= set(links.urls)
    for url in links.urls:
        if not url.startswith("data:"):
            assert not re.match(r"[a-z]+:|//", url)
            assert (await client.get(f"/{url}")).status_code == 200


async def test_the_browser_is_told_to_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers["Content-Security-Policy"]
    sources = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert sources["default-src"] == "'none'"
    assert sources["script-src"] == sources["connect-src"] == "'self'"
    assert "http" not in policy


@pytest.mark.parametrize("name", ASSETS)
async def test_assets_are_sent_packed_to_whoever_takes_that(client: httpx.AsyncClient, name: str) -> None:
    packed = await client.get(f"/docs/{name}", headers={"Accept-Encoding": "gzip"})
    plain = await client.get(f"/docs/{name}", headers={"Accept-Encoding": "identity"})
    assert packed.status_code == plain.status_code == 200
    assert packed.content == plain.content
    assert packed.headers["Content-Type"].startswith(ASSETS[name])
    assert packed.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Encoding" not in plain.headers
    assert packed.headers.get("Content-Encoding") == ("gzip" if name in PACKED else None)
    if name in PACKED:
        assert packed.headers["Vary"] == "Accept-Encoding"


async def test_swagger_ui_brings_its_licence(client: httpx.AsyncClient) -> None:
    assert "Apache License" in (await client.get("/docs/swagger-ui.LICENSE")).text


@pytest.mark.parametrize(
    "name", ["nothing", "docs.html", "swagger-ui.css.gz", "..%2f..%2fmain.py", "__init__.py"]
)
async def test_nothing_else_is_there(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/docs/", "/"])
async def test_a_slash_at_the_end_and_the_service_s_url_lead_to_the_page(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/docs")

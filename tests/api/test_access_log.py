"""The access log has a line for each request, whatever is asked for."""

import logging

import httpx
import pytest


async def test_what_a_path_holds_makes_no_line_of_its_own(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bunsen.access")
    await client.get("/x%0Aforged%1b%5b31m?ticket=secret")
    (line,) = (record.getMessage() for record in caplog.records if record.name == "bunsen.access")
    assert line.startswith("GET /x%0Aforged%1b%5b31m 404 ")

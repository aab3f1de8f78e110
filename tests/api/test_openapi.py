"""How FastAPI's document is mended; what the whole document holds is shown in tests/openapi."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError

from app.api.openapi import describe
from app.api.schemas.base import BodyModel
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]


def service_settings(**more: Any) -> Settings:
    return Settings(database_url="postgresql://nobody@127.0.0.1/nothing", **more)


@pytest.fixture(scope="module")
def document() -> Json:
    return describe(create_app(service_settings()))


def nodes(node: Any) -> Iterator[Json]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


async def test_it_is_made_once_and_served_to_anybody(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/openapi.json"), await client.get("/openapi.json")
    assert first.headers["Content-Type"] == "application/json"
    assert first.json()["info"]["title"] == "Bunsen"
    assert first.content == second.content


@pytest.mark.parametrize(
    ("public_url", "server"), [(None, "/"), ("https://bunsen.example/lab/", "https://bunsen.example/lab")]
)
def test_its_server_is_the_public_url_else_wherever_it_was_read(public_url: str | None, server: str) -> None:
    settings = service_settings(public_url=public_url)
    assert describe(create_app(settings), settings.public_url)["servers"][0]["url"] == server


def test_examples_keep_their_nulls(document: Json) -> None:
    schemas = document["components"]["schemas"]
    page = schemas["ProjectPage"]["examples"][0]
    assert (page["next"], page["previous"]) == (None, None)
    assert schemas["Experiment"]["properties"]["experiment_group"]["examples"] == [None]
    experiment = schemas["Experiment"]["examples"][0]
    assert experiment["experiment_group"] is None
    assert len(experiment) == 24


def test_the_service_takes_the_examples_of_its_bodies(document: Json) -> None:
    refused = []
    for model in _subclasses(BodyModel):
        for example in document["components"]["schemas"].get(model.__name__, {}).get("examples", []):
            try:
                model.model_validate(example)
            except ValidationError as error:
                refused.append((model.__name__, str(error)))
    assert refused == []


def _subclasses(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _subclasses(model)


def test_a_union_is_flat_and_its_references_stand_alone(document: Json) -> None:
    for node in nodes(document):
        for choice in node.get("anyOf", []):
            assert "anyOf" not in choice
            assert "$ref" not in choice or len(choice) == 1


def test_what_only_says_the_key_once_more_is_no_title(document: Json) -> None:
    project = document["components"]["schemas"]["Project"]
    assert project["title"] == "Project"
    assert [key for key, part in project["properties"].items() if "title" in part] == []

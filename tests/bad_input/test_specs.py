"""Specs that want too much are refused, in a moment, with their place; nothing is made of them."""

import time
from typing import Any

import httpx
import pytest

from tests.bad_input.conftest import Lab

MOMENT = 10.0  # seconds, on a machine that does much else


async def create(lab: Lab, **spec: Any) -> httpx.Response:
    config = {"version": 1, "kind": "experiment", "run": {"cmd": "true"}} | spec
    started = time.monotonic()
    answer = await lab.owner.http.post("/ada/lab/experiments", json={"config": config})
    assert time.monotonic() - started < MOMENT
    return answer


async def refused(lab: Lab, **spec: Any) -> list[list[Any]]:
    """The places that the refusal names."""
    answer = await create(lab, **spec)
    assert answer.status_code == 400, answer.text[:500]
    assert (await lab.owner.http.get("/ada/lab/experiments")).json()["count"] == 1
    return [error["loc"] for error in answer.json()["errors"]]


async def test_10_000_declarations_are_taken_whole_or_refused(lab: Lab) -> None:
    declarations = {f"d{number}": number for number in range(10_000)}
    answer = await create(lab, declarations=declarations)
    if answer.status_code == 201:
        assert answer.json()["declarations"] == declarations
    else:
        assert answer.status_code == 400
        assert answer.json()["errors"]


async def test_10_000_declarations_that_use_each_other_end_in_a_moment(lab: Lab) -> None:
    declarations: dict[str, Any] = {f"d{number}": f"{{{{ d{number + 1} }}}}" for number in range(10_000)}
    answer = await create(lab, declarations=declarations | {"d10000": 1})
    assert answer.status_code in {201, 400}


async def test_declarations_in_a_circle_are_refused(lab: Lab) -> None:
    declarations = {f"d{number}": f"{{{{ d{(number + 1) % 1000} }}}}" for number in range(1000)}
    places = await refused(lab, declarations=declarations)
    assert places[0][:2] == ["config", "declarations"]


ENDLESS = {
    "a power": "{{ 9 ** 9 ** 9 }}",
    "a long text": "{{ 'x' * 10 ** 9 }}",
    "a long list": "{{ [0] * 10 ** 9 }}",
    "loops in loops": "{% for a in l %}" * 4 + "x" + "{% endfor %}" * 4,
    "a padded number": "{{ '%1000000000d' % 1 }}",
    "shifted text": "{{ ('x' * 1000000)|replace('x', 'x' * 1000000) }}",
    "deep brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "deep ifs": "{% if l %}" * 5_000 + "x" + "{% endif %}" * 5_000,
    "open to the end": "{% for a in l %}" * 1_000,
    "an attribute of an object": "{{ l.__class__.__mro__ }}",
    "a call": "{{ range(10 ** 9) }}",
}


@pytest.mark.parametrize("case", ENDLESS)
async def test_a_template_that_expands_without_end_is_refused(lab: Lab, case: str) -> None:
    places = await refused(lab, declarations={"l": list(range(1000))}, run={"cmd": ENDLESS[case]})
    assert places[0][:3] == ["config", "run", "cmd"]


async def test_declarations_that_double_each_other_are_refused(lab: Lab) -> None:
    doubling = {f"d{number + 1}": f"{{{{ d{number} }}}}{{{{ d{number} }}}}" for number in range(64)}
    places = await refused(lab, declarations={"d0": "x"} | doubling)
    assert places[0][:2] == ["config", "declarations"]


async def test_a_template_over_256_kib_is_refused(lab: Lab) -> None:
    assert (await refused(lab, run={"cmd": "{{ 1 }}" + " " * 256 * 1024}))[0][:3] == ["config", "run", "cmd"]


YAML = {
    "nested 10,000 deep": "a: " + "[" * 10_000 + "]" * 10_000,
    "indented 1,000 deep": "\n".join(" " * depth + "a:" for depth in range(1_000)),
    "a billion laughs": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)),
    "an object of Python": "!!python/object/apply:os.system ['true']",
    "over 1 MiB": "# " + "x" * 1024 * 1024,
    "a key twice": "version: 1\nversion: 1",
    "two documents": "version: 1\n---\nversion: 1",
    "an alias of itself": "a: &a [*a]",
    "cut off": "a: [1, 2",
    "a tab": "a:\n\t- b",
    "no object": "7",
}


@pytest.mark.parametrize("case", YAML)
async def test_yaml_that_cannot_be_a_spec_is_refused(lab: Lab, case: str) -> None:
    started = time.monotonic()
    answer = await lab.owner.http.post("/ada/lab/experiments", json={"config": YAML[case]})
    assert time.monotonic() - started < MOMENT
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["errors"][0]["loc"][0] == "config"
    assert (await lab.owner.http.get("/ada/lab/experiments")).json()["count"] == 1


@pytest.mark.parametrize("config", [[], 5, True, ""])
async def test_a_config_of_another_type_is_one_mistake_with_its_place(lab: Lab, config: object) -> None:
    answer = await lab.owner.http.post("/ada/lab/experiments", json={"config": config})
    assert answer.status_code == 400
    assert [(place["loc"], place["type"]) for place in answer.json()["errors"]] == [
        (["config"], "type_error")
    ]

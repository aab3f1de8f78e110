"""The build section, and the hash that says which builds are the same."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.spec.build import BUILD_FILES, BUILD_SCRIPTS, build_hash
from app.domain.spec.rendered import Build
from app.errors import Location
from tests.domain.spec.specs import kinds, refusal, render, spec


def build(**section: object) -> Build:
    read = render(spec(build=section, declarations={"n": 2, "on": True, "name": "A", "tag": "3.11"})).build
    assert read is not None
    return read


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.11",
        "library/python:3.11-slim",
        "registry.example:5000/python:3.11",
        "localhost/x",
        "localhost:5000/a/b_c/d__e/f-g.h:T_1.x",
        "host:80/x",
        "[::1]:5000/x",
        "a.b.c/d@sha256:" + "a" * 64,
        "python:3.11@sha256:" + "0" * 64,
        "Registry.Example/x",
        "tensorflow/tensorflow:1.4.1-py3",
    ],
)
def test_any_valid_reference_is_an_image(image: str) -> None:
    assert build(image=image).image == image


@pytest.mark.parametrize(
    "image",
    [
        *("", "Python", "a b", "a:", "a@sha256:1", "/a", "a/", "a//b", "http://x/y", "a:b:c", "-a", "a_"),
        *("x" * 513, "a:" + "t" * 129, 1, ["a"]),
    ],
)
def test_anything_else_is_refused(image: object) -> None:
    assert set(refusal(spec(build={"image": image}))) == {("config", "build", "image")}


def test_an_image_may_be_templated() -> None:
    assert build(image="python:{{ tag }}").image == "python:3.11"


def test_an_image_alone_builds_nothing() -> None:
    assert not build(image="python").needed
    assert not build(env_vars={"A": "1"}, nocache=True).needed
    assert build(build_steps=["true"]).needed


def test_steps_are_kept_in_order() -> None:
    assert build(build_steps=["a {{ n }}", "b"]).steps == ("a 2", "b")


@pytest.mark.parametrize("written", [[["A", 1], ["B", "x y"], ["C", 0.5]], {"A": 1, "B": "x y", "C": 0.5}])
def test_variables_are_pairs_or_a_map(written: object) -> None:
    assert build(env_vars=written).env_vars == (("A", "1"), ("B", "x y"), ("C", "0.5"))


def test_variables_are_rendered_and_the_last_of_a_name_holds() -> None:
    written = [["{{ name }}", "{{ n }}"], ["B", "<{{ n }}>"], ["C", "{{ on }}"], ["D", ""], ["A", 3]]
    assert build(env_vars=written).env_vars == (("A", "3"), ("B", "<2>"), ("C", "True"), ("D", ""))


@pytest.mark.parametrize(
    ("section", "loc"),
    [
        ({"build_steps": "pip install x"}, ("build_steps",)),
        ({"build_steps": [1]}, ("build_steps", 0)),
        ({"build_steps": ["a", ""]}, ("build_steps", 1)),
        ({"build_steps": ["a"] * 101}, ("build_steps",)),
        ({"env_vars": "A=1"}, ("env_vars",)),
        ({"env_vars": ["A=1"]}, ("env_vars", 0)),
        ({"env_vars": [["A"]]}, ("env_vars", 0)),
        ({"env_vars": [["A", None]]}, ("env_vars", 0, 1)),
        ({"env_vars": [["A", [1]]]}, ("env_vars", 0, 1)),
        ({"env_vars": [["A B", 1]]}, ("env_vars", 0, 0)),
        ({"env_vars": [["A=B", 1]]}, ("env_vars", 0, 0)),
        ({"env_vars": [[1, 1]]}, ("env_vars", 0, 0)),
        ({"env_vars": {"1A": 1}}, ("env_vars", "1A")),
        ({"env_vars": {"A": {}}}, ("env_vars", "A")),
        ({"env_vars": {"A": "x" * 120_001}}, ("env_vars", "A")),
        ({"env_vars": {f"A{n}": "x" * 100_000 for n in range(6)}}, ("env_vars",)),
        ({"nocache": "yes"}, ("nocache",)),
        ({"nocache": "true"}, ("nocache",)),
        ({"nocache": 1}, ("nocache",)),
        ({"dockerfile": "x"}, ("dockerfile",)),
    ],
)
def test_mistakes_have_their_places(section: dict[str, object], loc: Location) -> None:
    assert set(refusal(spec(build=section))) == {("config", "build", *loc)}


@pytest.mark.parametrize(
    ("written", "nocache"),
    [
        (True, True),
        (False, False),
        (None, False),
        ("{{ on }}", True),
        ("{{ not on }}", False),
        ("{% if on %}true{% endif %}", True),
    ],
)
def test_nocache_is_a_boolean(written: object, nocache: bool) -> None:
    assert build(nocache=written).nocache is nocache


def test_a_build_is_an_object() -> None:
    assert kinds(spec(build="python:3.11")) == {("config", "build"): "type_error"}


DIGEST = hashlib.sha256(b"x").hexdigest()
BASE = Build(image="python", steps=("a", "b"), env_vars=(("A", "1"),))


def test_the_hash_is_known_and_does_not_change_between_releases() -> None:
    name = build_hash(BASE, {"requirements.txt": DIGEST}, "local-3.11")
    assert name == build_hash(BASE, {"requirements.txt": DIGEST}, "local-3.11")
    assert len(name) == 64
    assert name == "2fc93b6576bbb7d36509e2dadd093f9db9b24d198959027deeb7da4d2e9f712e"


def test_code_that_no_step_sees_and_nocache_are_no_part_of_it() -> None:
    name = build_hash(BASE, {}, "x")
    assert name == build_hash(BASE, {"train.py": DIGEST}, "x")
    assert name == build_hash(Build(BASE.image, BASE.steps, BASE.env_vars, nocache=True), {}, "x")


@pytest.mark.parametrize(
    "other",
    [
        (Build(None, ("a", "b"), (("A", "1"),)), {}, "x"),
        (Build("python", ("b", "a"), (("A", "1"),)), {}, "x"),
        (Build("python", ("a b",), (("A", "1"),)), {}, "x"),
        (Build("python", ("a", "b"), (("A", "2"),)), {}, "x"),
        (Build("python", ("a", "b"), ()), {}, "x"),
        (BASE, {"setup.sh": DIGEST}, "x"),
        (BASE, {}, "y"),
    ],
)
def test_all_else_is(other: tuple[Build, dict[str, str], str]) -> None:
    assert build_hash(*other) != build_hash(BASE, {}, "x")


@given(st.permutations([(name, DIGEST) for name in BUILD_FILES]))
def test_the_order_of_files_does_not_matter(files: list[tuple[str, str]]) -> None:
    assert build_hash(BASE, dict(files), "x") == build_hash(BASE, dict.fromkeys(BUILD_FILES, DIGEST), "x")


def test_the_files_that_steps_see_are_four_and_two_of_them_run() -> None:
    assert BUILD_FILES == ("requirements.txt", "polyaxon_requirements.txt", "setup.sh", "polyaxon_setup.sh")
    assert set(BUILD_SCRIPTS) < set(BUILD_FILES)

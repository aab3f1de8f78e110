"""What a build's Dockerfile says, and what lies beside it for its steps."""

import subprocess

import pytest

from app.launchers.kubernetes.dockerfile import dockerfile, full_image, shown, step_files
from tests.launchers.kubernetes.specs import build_of


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("team/image", "docker.io/team/image"),
        ("localhost/image:1", "localhost/image:1"),
        ("registry.example/a/b:1", "registry.example/a/b:1"),
        ("host:5000/a", "host:5000/a"),
        ("[::1]:5000/a", "[::1]:5000/a"),
        ("host:5000/a:1@sha256:" + "0" * 64, "host:5000/a@sha256:" + "0" * 64),
        ("a@sha256:" + "0" * 64, "docker.io/library/a@sha256:" + "0" * 64),
    ],
)
def test_an_image_has_its_registry_and_no_tag_beside_a_digest(name: str, full: str) -> None:
    assert full_image(name) == full


def test_it_is_as_the_spec_says() -> None:
    run = build_of("pip install -r requirements.txt", "echo 'a\nb' \\\n  c", code="ab" * 32)
    assert dockerfile(run, "python:3.11-slim").splitlines() == [
        "FROM docker.io/library/python:3.11-slim",
        'ENV LANG="C.UTF-8"',
        "WORKDIR /code",
        'COPY ["./", "/code/"]',
        'RUN ["/bin/sh", "/run/bunsen/step", "1", "2", "pip install -r requirements.txt"]',
        'RUN ["/bin/sh", "/run/bunsen/step", "2", "2", "echo \'a b\' \\\\ c"]',
    ]
    files = step_files(run, {})
    assert files["command-2"] == "echo 'a\nb' \\\n  c"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", 'ENV WORD="plain"'),
        ("", 'ENV WORD=""'),
        ("a b=c # d", 'ENV WORD="a b=c # d"'),
        ("$HOME \"x\" \\ 'y'", 'ENV WORD="\\$HOME \\"x\\" \\\\ \'y\'"'),
        ("two\nlines", None),
        ("x" * 40_000, None),
    ],
)
def test_a_variable_is_in_the_image_or_where_no_line_can_hold_it_beside_the_steps(
    value: str, line: str | None
) -> None:
    run = build_of("true", env_vars=(("WORD", value),))
    lines = dockerfile(run, "i").splitlines()
    assert [found for found in lines if "WORD" in found] == ([] if line is None else [line])
    assert ("WORD=" in step_files(run, {})["variables"]) == (line is None)


def test_the_specs_variables_win_over_the_settings_and_these_over_ours() -> None:
    run = build_of("true", env_vars=(("A", "spec's"), ("TMPDIR", "/own")))
    settings = {"A": "x", "B": "it's $HOME", "PIP_NO_INPUT": "0", "my.index": "no shell knows it"}
    text = step_files(run, settings)["variables"] + "exec env\n"
    printed = subprocess.run(
        ["/bin/sh", "-ac", text], env={"A": "spec's"}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {"A=spec's", "B=it's $HOME", "PIP_NO_INPUT=0", "HOME=/root"} <= set(printed)
    assert not [line for line in printed if line.startswith(("TMPDIR", "my."))]


def test_a_step_is_shown_in_one_short_line() -> None:
    assert shown(" a\n\tb\x1b[1m ") == "a b [1m"
    assert len(shown("x" * 500)) == 100


def test_no_line_is_longer_than_parsers_read() -> None:
    run = build_of(*["é" * 30_000] * 3, env_vars=(("A", "x" * 32_000),))
    assert max(len(line.encode()) for line in dockerfile(run, "i").splitlines()) < 64 * 1024

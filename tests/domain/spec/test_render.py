"""The spec as a whole: required and allowed keys, every mistake at once, and what becomes of each section."""

import json

import pytest

from app.domain.lifecycle import Role
from app.domain.runs import Amounts, Resources
from app.domain.spec.rendered import Build, Job, RenderedSpec
from app.errors import Location
from tests.domain.spec.specs import kinds, refusal, render, spec

TYPICAL = """
version: 1
kind: experiment
logging: {level: INFO}
tags: [mnist, baseline, "lr-{{ lr }}"]
declarations: {lr: 0.01, batch: 64, layers: [128, 64], data: {name: mnist}, total: "{{ batch * 10 }}"}
environment:
  resources:
    cpu: {requests: 500m, limits: 2}
    memory: {requests: 512, limits: 2Gi}
    gpu: {requests: "{{ 1 }}", limits: 1}
build:
  image: registry.example:5000/python:3.11
  build_steps: [pip install -r requirements.txt]
  env_vars: [[PYTHONUNBUFFERED, 1]]
  nocache: false
run:
  cmd: python train.py --lr={{ lr }} --units={{ layers|join(',') }} {% if lr > 0.1 %}--clip{% endif %}
termination: {max_retries: 2, timeout: 3600}
"""


def test_the_example_of_the_specification_renders() -> None:
    resources = Resources(
        requests=Amounts(cpu=0.5, memory=512 * 1024**2, gpu=1),
        limits=Amounts(cpu=2, memory=2 * 1024**3, gpu=1),
    )
    assert render(TYPICAL) == RenderedSpec(
        declarations={"lr": 0.01, "batch": 64, "layers": [128, 64], "data": {"name": "mnist"}, "total": 640},
        tags=("mnist", "baseline", "lr-0.01"),
        log_level="INFO",
        build=Build(
            image="registry.example:5000/python:3.11",
            steps=("pip install -r requirements.txt",),
            env_vars=(("PYTHONUNBUFFERED", "1"),),
            nocache=False,
        ),
        command="python train.py --lr=0.01 --units=128,64 ",
        max_retries=2,
        timeout=3600,
        framework=None,
        jobs=(Job(Role.MASTER, 0, resources),),
        references=(),
        data_volumes=(),
        outputs_volume=None,
        secret_refs=(),
        configmap_refs=(),
        resources={
            "cpu": {"requests": 0.5, "limits": 2},
            "memory": {"requests": 512, "limits": 2048},
            "gpu": {"requests": 1, "limits": 1},
        },
    )


def test_the_smallest_spec_renders() -> None:
    rendered = render({"version": 1.0, "kind": "experiment", "run": {"cmd": "python3 model.py"}})
    assert rendered.command == "python3 model.py"
    assert rendered.jobs == (Job(Role.MASTER, 0),)
    assert (rendered.build, rendered.resources, rendered.timeout, rendered.max_retries) == (
        None,
        None,
        None,
        0,
    )


def test_the_same_spec_renders_the_same_again() -> None:
    assert render(TYPICAL) == render(TYPICAL)


def test_a_null_is_a_key_left_out() -> None:
    nulls = dict.fromkeys(("logging", "tags", "declarations", "environment", "build", "termination"))
    assert render(spec(**nulls)) == render(spec())
    deeper = spec(
        environment={"resources": None, "tensorflow": None}, build={"image": None, "env_vars": None},
        termination={"timeout": None}, logging={"level": None},
    )  # fmt: skip
    assert render(deeper).build == Build()


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    told = kinds(
        {
            "version": 2,
            "kind": "group",
            "runs": {},
            "logging": {"level": "info", "colour": 1},
            "tags": [1, "x" * 129],
            "declarations": {"a": "{{ nope }}"},
            "environment": {"resources": {"cpu": 1}, "tpu": 1, "secret_refs": ["s"]},
            "build": {"image": "Not An Image", "build_steps": "pip"},
            "termination": {"max_retries": -1, "timeout": 0},
        }
    )
    assert told == {
        ("config", "version"): "type_error",
        ("config", "kind"): "type_error",
        ("config", "runs"): "unknown_key",
        ("config", "run"): "missing",
        ("config", "logging", "level"): "enum",
        ("config", "logging", "colour"): "unknown_key",
        ("config", "tags", 0): "type_error",
        ("config", "tags", 1): "too_long",
        ("config", "declarations", "a"): "template",
        ("config", "environment", "resources", "cpu"): "type_error",
        ("config", "environment", "tpu"): "unknown_key",
        ("config", "environment", "secret_refs", 0): "value_error",
        ("config", "build", "image"): "value_error",
        ("config", "build", "build_steps"): "type_error",
        ("config", "termination", "max_retries"): "out_of_range",
        ("config", "termination", "timeout"): "out_of_range",
    }


def test_required_keys_are_named() -> None:
    assert kinds({}) == {("config", key): "missing" for key in ("version", "kind", "run")}
    assert kinds(spec(run={})) == {("config", "run", "cmd"): "missing"}
    assert kinds(spec(run=None)) == {("config", "run"): "missing"}


def test_an_unknown_key_is_told_with_those_there_are_and_what_was_meant() -> None:
    [msg] = refusal(spec(terminaton={})).values()
    assert msg == (
        "unknown key 'terminaton'; allowed: build, declarations, environment, kind, logging, run, tags, "
        "termination, version. Did you mean termination?"
    )
    [msg] = refusal(spec(run={"cmd": "x", "zzz": 1})).values()
    assert msg == "unknown key 'zzz'; allowed: cmd"
    assert "Did you mean" not in next(iter(refusal(spec(**{"x" * 100: 1})).values()))


def test_no_more_than_a_hundred_mistakes_are_told() -> None:
    assert len(refusal(spec(**{f"k{n}": 1 for n in range(500)}))) == 100


@pytest.mark.parametrize("version", [True, 2, "1", "1.0", 1.1, [], {}])
def test_the_version_is_the_number_one(version: object) -> None:
    assert kinds(spec(version=version)) == {("config", "version"): "type_error"}


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"])
def test_the_level_is_one_of_six_words(level: str) -> None:
    assert render(spec(logging={"level": level, "formatter": 1})).log_level == level
    [msg] = refusal(spec(logging={"level": level.lower()})).values()
    assert msg.startswith(f"'{level.lower()}' is none of them; allowed: DEBUG, ERROR")


@pytest.mark.parametrize(
    ("cmd", "command"),
    [
        ("a", "a"),
        (["a", "b -c"], "a && b -c"),
        (["a {{ n }}", "{{ n }}"], "a 2 && 2"),
        ("{{ steps }}", "x && y"),
        ("{{ n }}", "2"),
        ("echo ${#n} | grep '{'", "echo ${#n} | grep '{'"),
    ],
)
def test_a_command_is_a_text_or_a_list_of_them(cmd: object, command: str) -> None:
    assert render(spec(declarations={"n": 2, "steps": ["x", "y"]}, run={"cmd": cmd})).command == command


@pytest.mark.parametrize(
    ("cmd", "loc"),
    [
        (1, ()),
        ("", ()),
        ([], ()),
        ({"a": 1}, ()),
        (["a", 1], (1,)),
        (["a", ""], (1,)),
        ("x" * 120_001, ()),
        ("é" * 70_000, ()),
        (["x" * 70_000] * 2, ()),
        ("{{ [1] }}", (0,)),
    ],
)
def test_any_other_command_is_refused(cmd: object, loc: Location) -> None:
    assert set(refusal(spec(run={"cmd": cmd}))) == {("config", "run", "cmd", *loc)}


def test_tags_are_texts_each_once() -> None:
    rendered = render(spec(tags=["a", "{{ n }}", "a", "x-{{ n }}"], declarations={"n": 2}))
    assert rendered.tags == ("a", "2", "x-2")
    assert kinds(spec(tags=[str(n) for n in range(101)])) == {("config", "tags"): "too_long"}
    assert kinds(spec(tags="a,b")) == {("config", "tags"): "type_error"}
    assert kinds(spec(tags=[""])) == {("config", "tags", 0): "too_short"}


@pytest.mark.parametrize(
    ("termination", "read"),
    [({}, (0, None)), ({"max_retries": 3}, (3, None)), ({"max_retries": 2.0, "timeout": 0.5}, (2, 0.5))],
)
def test_termination_gives_retries_and_seconds(termination: object, read: tuple[int, float | None]) -> None:
    rendered = render(spec(termination=termination))
    assert (rendered.max_retries, rendered.timeout) == read


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_retries", 1.5),
        ("max_retries", "1"),
        ("max_retries", True),
        ("max_retries", 101),
        ("timeout", "1h"),
        ("timeout", False),
        ("timeout", -1),
        ("timeout", 0),
        ("timeout", 1e12),
    ],
)
def test_other_terminations_are_refused(key: str, value: object) -> None:
    assert set(refusal(spec(termination={key: value}))) == {("config", "termination", key)}


def test_whole_sections_may_come_from_a_declaration() -> None:
    rendered = render(
        spec(
            declarations={"need": {"cpu": {"limits": 2}}, "steps": ["a", "b"], "many": ["x"]},
            environment={"resources": "{{ need }}"},
            build={"build_steps": "{{ steps }}"},
            tags="{{ many }}",
        )
    )
    assert rendered.jobs[0].resources.limits.cpu == 2
    assert rendered.build is not None
    assert rendered.build.steps == ("a", "b")
    assert rendered.tags == ("x",)


def test_what_is_rendered_can_be_kept() -> None:
    rendered = render(TYPICAL)
    assert json.loads(json.dumps(rendered.declarations)) == rendered.declarations

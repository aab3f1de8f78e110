"""From a spec as it is kept to the spec as it is launched: rendered, checked, every mistake told at once."""

import json
from collections.abc import Mapping

from app.domain.plain_json import check_json
from app.domain.spec.build import read_build
from app.domain.spec.checker import MAX_ARGUMENT, Checker
from app.domain.spec.environment import read_environment
from app.domain.spec.problems import Enough, Problems
from app.domain.spec.quantities import total
from app.domain.spec.reader import CONFIG, LIMITS
from app.domain.spec.rendered import Allowed, RenderedSpec
from app.domain.spec.templating import MAX_DECLARATIONS, Declaration, RenderContext, Renderer
from app.errors import Location

__all__ = ["RenderContext", "render_spec"]

DECLARATIONS: Location = ("declarations",)
LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL")
MAX_TAGS = 100
MAX_TAG = 128
MAX_RETRIES = 100
MAX_TIMEOUT = 10 * 365 * 86_400
_KEYS = ("version", "kind", "logging", "tags", "declarations", "environment", "build", "run", "termination")
_TEMPLATED = ("tags", "environment", "build", "run")


def render_spec(
    spec: Mapping[str, object],
    *,
    context: RenderContext,
    declarations: Mapping[str, object] | None = None,
    allowed: Allowed | None = None,
    loc: Location = CONFIG,
) -> RenderedSpec:
    """The spec rendered and checked.

    `spec` is what `read_spec` gave, `declarations` those of the request's body, which win key by key. The
    same arguments give the same result. Raises BadInput with the place of every mistake, below `loc` or
    below `("declarations",)`.
    """
    problems = Problems()
    try:
        rendered = _render(spec, declarations, context, allowed or Allowed(), loc, problems)
    except Enough:
        raise problems.error() from None
    if problems:
        raise problems.error()
    return rendered


def _render(
    spec: Mapping[str, object],
    overrides: Mapping[str, object] | None,
    context: RenderContext,
    allowed: Allowed,
    loc: Location,
    problems: Problems,
) -> RenderedSpec:
    renderer = Renderer(context, problems)
    checker = Checker(problems, renderer.rendered)
    section = checker.mapping(dict(spec), loc, _KEYS, required=("version", "kind", "run"))
    declared = _declared(checker, section.get("declarations", {}), overrides, loc)
    declarations = renderer.declarations(declared)
    for key in _TEMPLATED:
        if key in section:
            section[key] = renderer.tree(section[key], (*loc, key))
    _check_head(checker, section, loc)
    _check_declarations(checker, declarations, (*loc, "declarations"))
    environment = read_environment(checker, section.get("environment", {}), (*loc, "environment"), allowed)
    max_retries, timeout = _read_termination(checker, section.get("termination", {}), (*loc, "termination"))
    build = section.get("build")
    return RenderedSpec(
        declarations=declarations or None,
        tags=_read_tags(checker, section.get("tags", []), (*loc, "tags")),
        log_level=_read_level(checker, section.get("logging", {}), (*loc, "logging")),
        build=None if build is None else read_build(checker, build, (*loc, "build")),
        command=_read_command(checker, section["run"], (*loc, "run")) if "run" in section else "",
        max_retries=max_retries,
        timeout=timeout,
        framework=environment.framework,
        jobs=environment.jobs,
        references=environment.references,
        data_volumes=environment.data_volumes,
        outputs_volume=environment.outputs_volume,
        secret_refs=environment.secret_refs,
        configmap_refs=environment.configmap_refs,
        resources=total(job.resources for job in environment.jobs),
    )


def _declared(
    checker: Checker, value: object, overrides: Mapping[str, object] | None, loc: Location
) -> dict[str, Declaration]:
    """The spec's declarations and the body's, which win. Raises Enough when they can't be worked on."""
    at = (*loc, "declarations")
    if not isinstance(value, dict):
        checker.wrong(value, at, "an object")
        value = {}
    declared = {name: Declaration(item, (*at, name)) for name, item in value.items()}
    if overrides:
        places = check_json(overrides, DECLARATIONS, LIMITS)
        for place in places:
            checker.problems.add(place.loc, place.msg, place.type)
        if places:
            raise Enough
        declared |= {name: Declaration(item, (*DECLARATIONS, name)) for name, item in overrides.items()}
    if len(declared) > MAX_DECLARATIONS:
        where = at if len(value) > MAX_DECLARATIONS else DECLARATIONS
        checker.problems.add(where, f"must be at most {MAX_DECLARATIONS} declarations", "too_many")
        raise Enough
    return declared


def _check_head(checker: Checker, section: Mapping[str, object], loc: Location) -> None:
    version = section.get("version")
    if version is not None and (isinstance(version, bool) or version not in (1, 1.0)):
        checker.wrong(version, (*loc, "version"), "1")
    kind = section.get("kind")
    if kind is not None and kind != "experiment":
        checker.wrong(kind, (*loc, "kind"), "experiment")


def _check_declarations(checker: Checker, declarations: Mapping[str, object], loc: Location) -> None:
    """A job gets them as one variable, and one variable has its bound."""
    if not checker.problems and len(json.dumps(declarations)) > MAX_ARGUMENT:
        checker.problems.add(loc, f"must be at most {MAX_ARGUMENT} bytes of JSON once rendered", "too_large")


def _read_tags(checker: Checker, value: object, loc: Location) -> tuple[str, ...]:
    items = checker.items(value, loc, "a list of texts")
    if len(items) > MAX_TAGS:
        checker.problems.add(loc, f"must be at most {MAX_TAGS} tags", "too_long")
    tags = [checker.text(item, (*loc, i), longest=MAX_TAG) for i, item in enumerate(items[:MAX_TAGS])]
    return tuple(dict.fromkeys(tags))


def _read_level(checker: Checker, value: object, loc: Location) -> str:
    """`level`; `formatter` is taken without effect."""
    section = checker.mapping(value, loc, ("level", "formatter"))
    return checker.one_of(section["level"], (*loc, "level"), LEVELS) if "level" in section else "INFO"


def _read_command(checker: Checker, value: object, loc: Location) -> str:
    """`cmd`: a text, or a list of them that run one after another while each succeeds."""
    section = checker.mapping(value, loc, ("cmd",), required=("cmd",))
    if "cmd" not in section:
        return ""
    value, loc = section["cmd"], (*loc, "cmd")
    if not isinstance(value, list):
        return checker.argument(value, loc, wanted="a text or a list of texts")
    if not value:
        checker.problems.add(loc, "must have a command", "too_short")
    commands = [checker.argument(item, (*loc, index)) for index, item in enumerate(value)]
    command = " && ".join(commands)
    if len(command.encode()) > MAX_ARGUMENT:
        checker.problems.add(loc, f"must be at most {MAX_ARGUMENT} bytes together", "too_long")
    return command


def _read_termination(checker: Checker, value: object, loc: Location) -> tuple[int, float | None]:
    """`max_retries`, and `timeout` in seconds of running."""
    section = checker.mapping(value, loc, ("max_retries", "timeout"))
    retries = checker.integer(section.get("max_retries", 0), (*loc, "max_retries"), low=0, high=MAX_RETRIES)
    if "timeout" not in section:
        return retries, None
    timeout = checker.number(section["timeout"], (*loc, "timeout"), low=0, high=MAX_TIMEOUT)
    if timeout == 0 and not isinstance(section["timeout"], (str, bool)):
        checker.problems.add((*loc, "timeout"), "must be more than 0 seconds", "out_of_range")
    return retries, timeout

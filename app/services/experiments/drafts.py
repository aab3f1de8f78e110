"""A new experiment before it is stored: its spec read, rendered and checked."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.experiments.references import find_reference
from app.db.tables.base import new_uuid
from app.domain.spec.problems import BadSpec
from app.domain.spec.reader import read_spec
from app.domain.spec.render import render_spec
from app.domain.spec.rendered import Allowed, RenderedSpec
from app.domain.spec.templating import RenderContext
from app.errors import BadInput, Place
from app.services.access import Caller
from app.settings import Settings

IN_THREAD = 4 * 1024  # characters of spec above which reading and rendering take long enough to be felt


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the experiment is made: names and ids that its templates and references mean."""

    owner: str
    project_id: int
    project_name: str
    maker: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked spec: the parsed config, what was rendered of it, and the outputs folders it may read."""

    id: int
    uuid: str
    config: dict[str, Any] | None
    given: dict[str, Any] | None
    rendered: RenderedSpec | None
    reads: tuple[str, ...]


def outputs_path(settings: Settings, outputs_uuid: str, volume: str | None) -> str:
    """The path of an outputs folder as jobs see it: on a volume, else in the data folder."""
    return str(settings.outputs_root(volume) / outputs_uuid)


def allowed(settings: Settings, *, enforced: bool = True) -> Allowed:
    """What the settings allow a spec to name."""
    return Allowed(
        max_jobs=settings.max_jobs,
        data_volumes=tuple(settings.data_volumes),
        outputs_volumes=tuple(settings.outputs_volumes),
        secrets=tuple(settings.secrets),
        configmaps=tuple(settings.configmaps),
        enforced=enforced,
    )


async def read_config(config: Any) -> dict[str, Any] | None:
    """The spec as a plain object; None stays None. A long text is read in a thread."""
    if config is None:
        return None
    if isinstance(config, str) and len(config) > IN_THREAD:
        return await asyncio.to_thread(read_spec, config)
    return read_spec(config)


async def make_draft(
    session: AsyncSession,
    caller: Caller,
    settings: Settings,
    where: Surroundings,
    *,
    experiment_id: int,
    config: dict[str, Any] | None,
    given: dict[str, Any] | None,
    outputs_uuid: str | None = None,
) -> Draft:
    """Render and check. Raises BadInput with every place."""
    uuid = new_uuid()
    if config is None:
        return Draft(experiment_id, uuid, None, given, None, ())
    volume = next(iter(settings.outputs_volumes), None)
    try:
        rendered = await _render(settings, where, experiment_id, uuid, config, given, outputs_uuid, volume)
    except BadSpec as error:
        _, places = await _resolve(session, caller, where, error.references)
        raise BadInput(error.detail, errors=[*(error.errors or ()), *places]) from None
    if rendered.outputs_volume != volume:  # the path in its templates is that of the volume that it names
        volume = rendered.outputs_volume
        rendered = await _render(settings, where, experiment_id, uuid, config, given, outputs_uuid, volume)
    reads, places = await _resolve(session, caller, where, dict(enumerate(rendered.references)))
    if places:
        raise BadInput(places[0].msg, errors=places)
    return Draft(experiment_id, uuid, config, given, rendered, reads)


async def _render(
    settings: Settings,
    where: Surroundings,
    experiment_id: int,
    uuid: str,
    config: dict[str, Any],
    given: dict[str, Any] | None,
    outputs_uuid: str | None,
    volume: str | None,
) -> RenderedSpec:
    context = RenderContext(
        experiment_id=experiment_id,
        experiment_uuid=uuid,
        outputs_path=outputs_path(settings, outputs_uuid or uuid, volume),
        project_name=where.project_name,
        user=where.maker,
    )
    render = partial(render_spec, config, declarations=given, context=context, allowed=allowed(settings))
    return await asyncio.to_thread(render) if _is_long(config) else render()


def _is_long(config: dict[str, Any]) -> bool:
    return len(orjson.dumps(config, default=str)) > IN_THREAD


async def _resolve(
    session: AsyncSession, caller: Caller, where: Surroundings, references: Mapping[int, int | str]
) -> tuple[tuple[str, ...], list[Place]]:
    """The outputs folders of the experiments that the spec names, and the places of those that aren't there
    or that the caller may not see."""
    found: list[str] = []
    places: list[Place] = []
    for index, reference in references.items():
        row = await _find(session, caller, where, reference)
        if row is None:
            loc = ("config", "environment", "outputs", "experiments", index)
            places.append(Place(loc, f"there is no experiment {reference!r} that you may see", "not_found"))
        elif row not in found:
            found.append(row)
    return tuple(found), places


async def _find(
    session: AsyncSession, caller: Caller, where: Surroundings, reference: int | str
) -> str | None:
    parts = str(reference).split("/")
    if isinstance(reference, int):
        row = await find_reference(
            session, caller_id=caller.user_id, everything=caller.is_superuser, experiment_id=reference
        )
    else:
        owner, project = (parts[0], parts[1]) if len(parts) == 3 else (where.owner, parts[0])
        row = await find_reference(
            session,
            caller_id=caller.user_id,
            everything=caller.is_superuser,
            name=parts[-1],
            project=project if len(parts) > 1 else None,
            owner=owner,
            in_project=where.project_id,
        )
    return None if row is None else str(row.outputs_uuid)

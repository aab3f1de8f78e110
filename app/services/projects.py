"""Projects: made, found, listed, changed, deleted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import projects as db
from app.db.notify import Channel, announce
from app.db.rows import AnyRow
from app.domain.names import MAX_TAGS
from app.domain.plain_json import refuse
from app.errors import BadInput, NotAuthenticated, NotFound, Place
from app.services.access import Caller, check_access, not_there

THERE_IS_NONE = "There is no such project."


@dataclass(frozen=True, slots=True)
class BriefProject:
    """What calls below a project need to know of it."""

    id: int
    uuid: str
    name: str
    owner_id: int
    owner: str
    is_public: bool
    code_id: int | None

    @property
    def unique_name(self) -> str:
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in a list."""

    id: int
    uuid: str
    user: str
    name: str
    unique_name: str
    description: str | None
    tags: list[str] | None
    created_at: datetime
    updated_at: datetime
    is_public: bool


@dataclass(frozen=True, slots=True)
class FullProject(ProjectRow):
    """One project, with what there is in it."""

    num_experiments: int
    num_independent_experiments: int
    num_jobs: int
    num_builds: int
    num_experiment_groups: int
    has_code: bool
    has_tensorboard: bool
    has_notebook: bool
    bookmarked: bool


@dataclass(frozen=True, slots=True)
class NewProject:
    """What a project is made with."""

    name: str
    description: str | None = None
    tags: list[str] | None = None
    is_public: bool = False


async def get_project(
    session: AsyncSession,
    caller: Caller,
    username: str,
    name: str,
    *,
    change: bool = False,
    build_id: int | None = None,
) -> BriefProject:
    """The project of a path. Raises NotFound for none that the caller may see, Forbidden for one that it
    may not change. The token of the build `build_id` may see it, too."""
    row = await db.find_brief(session, username, name)
    if row is None:
        raise not_there(caller, THERE_IS_NONE)
    check_access(caller, row.owner_id, row.is_public, change=change, build_id=build_id)
    return BriefProject(
        id=row.id,
        uuid=row.uuid,
        name=row.name,
        owner_id=row.owner_id,
        owner=row.owner,
        is_public=row.is_public,
        code_id=row.code_id,
    )


async def read_project(session: AsyncSession, caller: Caller, username: str, name: str) -> FullProject:
    """One project, whole. Raises NotFound, Forbidden (for a job's token)."""
    row = await db.read(session, caller.user_id, username, name)
    if row is None:
        raise NotFound(THERE_IS_NONE)
    check_access(caller, row.owner_id, row.is_public, change=False)
    return FullProject(
        **_listed(row),
        num_experiments=row.num_experiments,
        num_independent_experiments=row.num_experiments,  # there are no groups
        num_jobs=row.num_jobs,
        num_builds=row.num_builds,
        num_experiment_groups=0,
        has_code=row.has_code,
        has_tensorboard=row.has_tensorboard,
        has_notebook=False,
        bookmarked=row.bookmarked,
    )


async def list_projects(
    session: AsyncSession, caller: Caller, username: str, *, limit: int, offset: int
) -> tuple[int, list[ProjectRow]]:
    """How many of a user's projects the caller may see, and a page of them. Raises NotFound."""
    sight = db.Sight(caller.user_id, caller.is_superuser)
    count = await db.count_of(session, sight, username)
    if count is None:
        raise NotFound("There is no such user.")
    rows = await db.read_page(session, sight, username, limit=limit, offset=offset)
    return count, [project_row(row) for row in rows]


async def create_project(session: AsyncSession, caller: Caller, new: NewProject) -> FullProject:
    """A new project of the caller. Raises BadInput for a name that it has already."""
    try:
        project_id = await db.add(
            session,
            owner_id=caller.user_id,
            name=new.name,
            description=new.description,
            tags=new.tags,
            is_public=new.is_public,
        )
    except IntegrityError:  # the user was deleted just now
        raise NotAuthenticated("This token is not valid.") from None
    if project_id is None:
        raise _taken(new.name)
    return await read_project(session, caller, caller.username, new.name)


async def update_project(
    session: AsyncSession, caller: Caller, username: str, name: str, values: dict[str, Any], *, merge: bool
) -> FullProject:
    """Set `name`, `description`, `tags`, `is_public`, those that are there; with `merge` tags are added.

    Raises NotFound, Forbidden; BadInput for a name that is taken or too many tags.
    """
    project = await get_project(session, caller, username, name, change=True)
    if merge and values.get("tags") is not None:
        values = {**values, "tags": await _merged_tags(session, project.id, values["tags"])}
    if values:
        try:
            await db.change(session, project.id, values)
        except IntegrityError:
            raise _taken(values["name"]) from None
    return await read_project(session, caller, username, values.get("name", name))


async def _merged_tags(session: AsyncSession, project_id: int, tags: list[str]) -> list[str]:
    before = await db.read_tags_locked(session, project_id) or []
    merged = list(dict.fromkeys([*before, *tags]))
    if len(merged) > MAX_TAGS:
        refuse([Place(("tags",), f"would be {len(merged)} tags: {MAX_TAGS} is the limit", "too_long")])
    return merged


async def delete_project(session: AsyncSession, caller: Caller, username: str, name: str) -> None:
    """Delete a project with all that is in it: hidden at once, its name free again; the reconciler ends what
    runs of it and removes the rows. Raises NotFound, Forbidden."""
    project = await get_project(session, caller, username, name, change=True)
    if not await db.mark_deleted(session, project.id):
        raise NotFound(THERE_IS_NONE)
    for experiment_id in await db.mark_experiments_deleted(session, project.id):
        announce(session, Channel.EXPERIMENT, experiment_id)
    for token_hash in await db.remove_job_tokens(session, project.id):
        announce(session, Channel.TOKEN, token_hash.hex())
    announce(session, Channel.WORK)


def _taken(name: str) -> BadInput:
    message = f"the name {name} is taken"
    return BadInput(f"You have a project {name} already.", errors=[Place(("name",), message, "taken")])


def _listed(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "uuid": row.uuid,
        "user": row.owner,
        "name": row.name,
        "unique_name": f"{row.owner}.{row.name}",
        "description": row.description,
        "tags": row.tags,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "is_public": row.is_public,
    }


def project_row(row: AnyRow) -> ProjectRow:
    """A row of `select_projects` as it is listed."""
    return ProjectRow(**_listed(row))

"""Code: uploaded to projects, run by experiments, and what trackers say of it."""

import asyncio
import tempfile
from pathlib import Path
from typing import IO

from fastapi import Request, status
from fastapi.routing import APIRoute

from app.api.archives import GzipDownload, open_download
from app.api.deps import AnyCallerDep, CallerDep, ServiceDep, SessionDep
from app.api.multipart import receive_file
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.code import Code, CodeReference, CodeReferenceCreate
from app.api.schemas.paths import BuildId, ExperimentPathDep, ProjectName, Username
from app.db.engine import transaction
from app.services import code
from app.services.projects import get_project
from app.storage.files import room_checked

router = api_router("code")
streamed_router = api_router("code", route_class=APIRoute)

UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/CodeUpload"}}},
    }
}


@streamed_router.put(
    "/{username}/{project_name}/repo/upload",
    responses=errors(400, 403, 404, 413, 507),
    openapi_extra=UPLOAD,
)
async def upload_code(
    request: Request, username: Username, project_name: ProjectName, caller: CallerDep, service: ServiceDep
) -> Code:
    """Upload code.

    A tar.gz, sent as `repo`: the project's next experiments run in it. Links that stay inside are kept; those
    that leave it, devices, absolute names and `..` are refused with the entry's name. What was there stays
    until all is checked.
    """
    async with transaction(service.sessions) as session:
        project = await get_project(session, caller, username, project_name, change=True)
    with room_checked("The code can't be stored"):
        file = await asyncio.to_thread(_nameless_file, service.settings.data / "uploads")
        with file:
            await receive_file(request, "repo", file, service.settings.max_upload)
            await asyncio.to_thread(file.flush)
            path = Path(f"/proc/self/fd/{file.fileno()}")
            stored = await code.store_code(service.sessions, service.code, project.id, path)
    return Code.model_validate(stored)


def _nameless_file(folder: Path) -> IO[bytes]:
    """A file on the data disk that is gone with this process, however that ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


@router.get("/{username}/{project_name}/repo", responses=errors(404))
async def get_code(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> Code:
    """Get what code is stored.

    404 where none was uploaded.
    """
    return Code.model_validate(await code.get_code(session, caller, username, project_name))


@router.get(
    "/{username}/{project_name}/repo/download",
    response_class=GzipDownload,
    responses=errors(404),
)
async def download_code(
    username: Username, project_name: ProjectName, caller: CallerDep, service: ServiceDep
) -> GzipDownload:
    """Download the code.

    A tar.gz with the names, contents and links that were uploaded.
    """
    async with transaction(service.sessions) as session:
        stored = await code.get_code(session, caller, username, project_name)
    return await open_download(service.code.path(stored.sha256), f"{project_name}.tar.gz")


@router.delete(
    "/{username}/{project_name}/repo",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors(403, 404),
)
async def delete_code(
    username: Username, project_name: ProjectName, caller: CallerDep, session: SessionDep
) -> None:
    """Forget the code.

    The project's next experiments run in an empty folder; those that are there keep theirs.
    """
    await code.forget_code(session, caller, username, project_name)


@router.get(
    "/{username}/{project_name}/experiments/{id}/code",
    response_class=GzipDownload,
    responses=errors(404),
)
async def download_experiment_code(
    path: ExperimentPathDep, caller: AnyCallerDep, service: ServiceDep
) -> GzipDownload:
    """Download an experiment's code.

    The tar.gz that it runs in; 404 where it runs in an empty folder.
    """
    async with transaction(service.sessions) as session:
        stored = await code.get_experiment_code(session, caller, path)
    return await open_download(service.code.path(stored.sha256), f"{path.project}.{path.id}.tar.gz")


@router.get(
    "/{username}/{project_name}/builds/{id}/code",
    response_class=GzipDownload,
    responses=errors(404, 507),
)
async def download_build_code(
    username: Username,
    project_name: ProjectName,
    build_id: BuildId,
    caller: AnyCallerDep,
    service: ServiceDep,
) -> GzipDownload:
    """Download what a build's steps see.

    A tar.gz of those of `requirements.txt`, `polyaxon_requirements.txt`, `setup.sh`, `polyaxon_setup.sh` that
    its code has; 404 where it has no code.
    """
    async with transaction(service.sessions) as session:
        files = await code.get_build_files(session, caller, username, project_name, build_id)
    with room_checked("The files can't be packed"):
        file = await asyncio.to_thread(_nameless_file, service.settings.data / "uploads")
        await code.pack_files(service.code, files, file)
    return GzipDownload(file, f"{project_name}.builds.{build_id}.tar.gz")


@router.get("/{username}/{project_name}/experiments/{id}/coderef", responses=errors(404))
async def get_code_reference(
    path: ExperimentPathDep, caller: AnyCallerDep, session: SessionDep
) -> CodeReference:
    """Get an experiment's code reference.

    What its tracker said of the code that it runs; 404 where none was posted.
    """
    return CodeReference.model_validate(await code.get_code_reference(session, caller, path))


@router.post(
    "/{username}/{project_name}/experiments/{id}/coderef",
    status_code=status.HTTP_201_CREATED,
    responses=errors(400, 403, 404),
)
async def create_code_reference(
    path: ExperimentPathDep,
    caller: AnyCallerDep,
    session: SessionDep,
    body: CodeReferenceCreate | None = None,
) -> CodeReference:
    """Post an experiment's code reference.

    What a tracker says of the code that it runs; the last one counts. One that knows nothing of it sends no
    body.
    """
    reference = (body or CodeReferenceCreate()).model_dump()
    await code.set_code_reference(session, caller, path, reference)
    return CodeReference(**reference)

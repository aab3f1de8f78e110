"""Outputs: all of them as an archive, a folder listed, one file."""

from typing import Annotated, Any

from fastapi import Header, Path, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from app.api.answers import JsonAnswer
from app.api.deps import AnyCallerDep, PageDep, ServiceDep, page_links
from app.api.outputs_responses import OutputDownload, OutputsArchive
from app.api.responses import errors
from app.api.routers import api_router
from app.api.schemas.outputs import OutputFilePage
from app.api.schemas.paths import ExperimentPathDep
from app.api.service import Service
from app.db.engine import transaction
from app.domain.times import iso
from app.errors import AppError
from app.services.access import Caller
from app.services.experiments.find import ExperimentPath
from app.services.outputs import ExperimentOutputs, find_outputs

OUTPUTS = "/{username}/{project_name}/experiments/{id}/outputs"


class FileConvertor(Convertor[str]):
    """Any path at all: a name may hold a newline, which Starlette's own takes for an end."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("file", FileConvertor())
FILE = f"{OUTPUTS}/files/{{path:file}}"
Folder = Annotated[
    str, Query(alias="path", description="The folder, from the outputs' on.", examples=["checkpoints"])
]
File = Annotated[
    str,
    Path(
        alias="path", description="The file, from the outputs' folder on.", examples=["checkpoints/model.pt"]
    ),
]
Part = Annotated[
    str | None,
    Header(alias="Range", description="The bytes to send, all if left out.", examples=["bytes=0-1023"]),
]
Known = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The `ETag` that the client has: then 304 where it is the file's still.",
        examples=['"65a1f0c2e1b40-6400000"'],
    ),
]
PARTS: dict[int | str, dict[str, Any]] = {
    206: {
        "description": "The range that `Range` asks for.",
        "content": {"application/octet-stream": {"schema": {}}},
    },
    304: {"description": "The client has it as it is."},
}

router = api_router("outputs")


async def _find(service: Service, caller: Caller, path: ExperimentPath) -> ExperimentOutputs:
    """In a transaction of its own: none is open while the disk is read."""
    async with transaction(service.sessions) as session:
        return await find_outputs(session, caller, service.settings, path)


@router.get(f"{OUTPUTS}/download", response_class=OutputsArchive, include_in_schema=False)  # clients of 2018
@router.get(
    OUTPUTS,
    response_class=OutputsArchive,
    responses=errors(400, 403, 404, 409, 503),
)
async def download_outputs(service: ServiceDep, caller: AnyCallerDep, path: ExperimentPathDep) -> Response:
    """Download all outputs.

    A tar.gz of relative names, made while it is sent; nothing there yet: an empty archive. Each file has the
    size that it had when its turn came; one that shrinks meanwhile breaks the transfer.
    """
    outputs = await _find(service, caller, path)
    name = f"{path.username}.{path.project}.{path.id}.tar.gz"
    return OutputsArchive(service, caller.token_hash, outputs.experiment_id, await outputs.archive(), name)


@router.get(f"{OUTPUTS}/files", response_model=OutputFilePage, responses=errors(400, 403, 404, 503))
async def list_output_files(
    request: Request,
    service: ServiceDep,
    caller: AnyCallerDep,
    path: ExperimentPathDep,
    page: PageDep,
    folder: Folder = "",
) -> Response:
    """List a folder of the outputs.

    By name. A link counts as what it leads to; those that lead outside are not shown.
    """
    outputs = await _find(service, caller, path)
    found = await outputs.list(folder, offset=page.offset, limit=page.limit)
    links = page_links(request, page, found.count)
    rows = [
        {
            "path": entry.path,
            "size": entry.size,
            "modified_at": iso(entry.modified_at),
            "is_dir": entry.is_dir,
        }
        for entry in found.entries
    ]
    return JsonAnswer({"count": found.count, "next": links.next, "previous": links.previous, "results": rows})


@router.get(
    FILE,
    response_class=OutputDownload,
    responses={**PARTS, **errors(400, 403, 404, 416, 503)},
)
async def download_output_file(
    request: Request,
    service: ServiceDep,
    caller: AnyCallerDep,
    path: ExperimentPathDep,
    file_path: File,
    part: Part = None,  # both are read by what answers
    known: Known = None,
) -> Response:
    """Download one file of the outputs.

    At the size that it has now, or one range of it (`Range`). Links that stay inside are followed.
    """
    outputs = await _find(service, caller, path)
    file = await outputs.open(file_path)
    try:
        return OutputDownload(service, caller.token_hash, outputs.experiment_id, file, request.headers)
    except AppError:
        file.close()
        raise

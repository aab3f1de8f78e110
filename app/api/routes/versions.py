"""What clients ask before they log in: versions, and where to report their own errors."""

from app.api.deps import ServiceDep
from app.api.routers import api_router
from app.api.schemas.versions import ChartVersion, LogHandler, Versions
from app.services import versions

router = api_router("versions")


@router.get("/versions/cli")
async def get_cli_version() -> Versions:
    """Get the versions of the command line.

    Those of the documented API's command line that work with this service.
    """
    return Versions.model_validate(versions.CLIENTS)


@router.get("/versions/lib")
async def get_library_version() -> Versions:
    """Get the versions of the client library.

    Those of the documented API's library that work with this service.
    """
    return Versions.model_validate(versions.CLIENTS)


@router.get("/versions/platform")
async def get_platform_version() -> Versions:
    """Get the version of the service.

    Both are this release's.
    """
    return Versions.model_validate(versions.PLATFORMS)


@router.get("/versions/chart")
async def get_chart_version() -> ChartVersion:
    """Get the version of the chart.

    Released with the service, under the same version.
    """
    return ChartVersion(version=versions.PLATFORM)


@router.get("/log_handler")
async def get_log_handler(service: ServiceDep) -> LogHandler:
    """Get where clients report their own errors.

    Nowhere: `dsn` is null, and clients take that as "don't".
    """
    return LogHandler(dsn=None, environment=service.settings.environment, tags={})

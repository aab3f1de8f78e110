"""The routes, a file a feature."""

from starlette.routing import BaseRoute

from app.api.routes import (
    bookmarks,
    build_logs,
    builds,
    clones,
    code,
    docs,
    experiments,
    health,
    jobs,
    log_websocket,
    logs,
    metrics,
    outputs,
    projects,
    statuses,
    superusers,
    tensorboard,
    tensorboard_proxy,
    tickets,
    tracking,
    users,
    versions,
)

_ROUTERS = (
    health.router,
    docs.router,
    # Words of our own first: `/users/token` is no project's path, whatever a username could be.
    users.router,
    superusers.router,
    versions.router,
    bookmarks.router,
    experiments.router,
    clones.router,
    code.router,
    code.streamed_router,
    metrics.router,
    outputs.router,
    builds.router,
    jobs.router,
    statuses.router,
    tracking.router,
    tensorboard.router,
    logs.router,
    tickets.router,
    build_logs.router,
    # `/{username}` takes what no other path of the API does: last of it.
    projects.router,
    log_websocket.router,
    tensorboard_proxy.router,
)

ROUTES: list[BaseRoute] = [route for router in _ROUTERS for route in router.routes]

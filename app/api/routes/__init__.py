"""The routes, a file a feature."""

from fastapi import APIRouter

from app.api.requests import StrictRoute
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

outside_router = APIRouter(route_class=StrictRoute)
outside_router.include_router(health.router)
outside_router.include_router(docs.router)
proxy_router = APIRouter()
proxy_router.include_router(tensorboard_proxy.router)

api_router = APIRouter(route_class=StrictRoute)
# Words of our own first: `/users/token` is no project's path, whatever a username could be.
api_router.include_router(users.router)
api_router.include_router(superusers.router)
api_router.include_router(versions.router)
api_router.include_router(bookmarks.router)
api_router.include_router(experiments.router)
api_router.include_router(clones.router)
api_router.include_router(code.router)
api_router.include_router(code.streamed_router)
api_router.include_router(metrics.router)
api_router.include_router(outputs.router)
api_router.include_router(builds.router)
api_router.include_router(jobs.router)
api_router.include_router(statuses.router)
api_router.include_router(tracking.router)
api_router.include_router(tensorboard.router)
api_router.include_router(logs.router)
api_router.include_router(tickets.router)
api_router.include_router(build_logs.router)
# `/{username}` takes what no other path does: last.
api_router.include_router(projects.router)

socket_router = APIRouter()
socket_router.include_router(log_websocket.router)

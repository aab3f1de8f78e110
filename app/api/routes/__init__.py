"""The routes, a file a feature."""

from fastapi import APIRouter

from app.api.requests import StrictRoute
from app.api.routes import clones, experiments, health, metrics, projects, superusers, users

outside_router = APIRouter(route_class=StrictRoute)
outside_router.include_router(health.router)

api_router = APIRouter(route_class=StrictRoute)
api_router.include_router(experiments.router)
api_router.include_router(clones.router)
api_router.include_router(metrics.router)
api_router.include_router(users.router)
api_router.include_router(superusers.router)
# `/{username}` takes what no other path does: last.
api_router.include_router(projects.router)

"""The routes, a file a feature."""

from fastapi import APIRouter

from app.api.requests import StrictRoute
from app.api.routes import health

outside_router = APIRouter(route_class=StrictRoute)
outside_router.include_router(health.router)

api_router = APIRouter(route_class=StrictRoute)

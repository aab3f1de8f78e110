"""Routers whose routes have their whole path and name, so that an application takes them as they are.

FastAPI would make each route anew for whoever includes its router, at the first request, and look through
nested routers three times for each.
"""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from app.api.requests import StrictRoute

API = "/api/v1"


def operation_id(route: APIRoute) -> str:
    """The route function's name: what SDKs call their method."""
    return route.name


def api_router(tag: str, *, prefix: str = API, route_class: type[APIRoute] = StrictRoute) -> APIRouter:
    """A router for a feature's calls, under their tag in the document."""
    return APIRouter(
        prefix=prefix, tags=[tag], route_class=route_class, generate_unique_id_function=operation_id
    )

"""The errors that users meet: each kind carries its HTTP status and a stable code; knows no framework."""

from collections.abc import Sequence
from dataclasses import dataclass

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One mistake in what was sent: where it stands, what is wrong, and a stable word for its kind."""

    loc: Location
    msg: str
    type: str = "value_error"


class AppError(Exception):
    """An error that a user can act on. `detail` is a full sentence; `errors` names each place."""

    status = 500
    code = "internal_error"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[Place] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors) if errors is not None else None
        self.headers = headers or {}


class BadInput(AppError):
    """What was sent is malformed or breaks a rule (400)."""

    status = 400
    code = "invalid"
    title = "Invalid input"


class NotAuthenticated(AppError):
    """No token, or one that is not valid (401)."""

    status = 401
    code = "not_authenticated"
    title = "Not authenticated"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "token"})


class Forbidden(AppError):
    """The caller may see it but not do this (403)."""

    status = 403
    code = "forbidden"
    title = "Forbidden"


class NotFound(AppError):
    """There is none, or none that the caller may see (404)."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(AppError):
    """The path exists but not with this method (405)."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class Conflict(AppError):
    """The state of the thing does not allow it (409)."""

    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(AppError):
    """A body over its limit (413)."""

    status = 413
    code = "too_large"
    title = "Too large"


class RangeNotSatisfiable(AppError):
    """A byte range outside the file (416)."""

    status = 416
    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class TooManyRequests(AppError):
    """Over a rate limit (429); says when to come again."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class Unavailable(AppError):
    """Something the service needs is away for now (503); says when to come again."""

    status = 503
    code = "unavailable"
    title = "Unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


class InsufficientStorage(AppError):
    """No space left where it is to be stored (507)."""

    status = 507
    code = "insufficient_storage"
    title = "Insufficient storage"

"""Every error, as it is answered."""

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from app.api.schemas.base import ReadModel

CODES = (
    *("invalid", "invalid_query", "invalid_sort", "bad_archive", "cut_off", "client_left"),
    *("not_authenticated", "wrong_password", "inactive", "forbidden", "not_found", "method_not_allowed"),
    *("conflict", "batch_mismatch", "done", "idempotency_mismatch", "last_superuser", "launched"),
    *("made_experiments", "outputs_too_deep", "owns_projects", "too_large", "range_not_satisfiable"),
    *("too_many_requests", "headers_too_large", "internal_error", "unavailable", "insufficient_storage"),
)
"""What `code` may be, by status. The document makes no enum of it: a new one breaks no client."""


class ProblemStep(RootModel[str | int]):
    """A key, or a position in a list or text."""

    model_config = ConfigDict(json_schema_extra={"examples": ["name"]})


class ProblemPlace(ReadModel):
    """One mistake in what was sent."""

    loc: Annotated[
        list[ProblemStep],
        Field(description="Where it stands: keys and positions from the outermost.", examples=[["name"]]),
    ]
    msg: Annotated[
        str,
        Field(description="What is wrong, for a person.", examples=["the name quick-start is taken"]),
    ]
    type: Annotated[str, Field(description="A stable word for the kind of mistake.", examples=["taken"])]


class Problem(ReadModel):
    """An error (RFC 9457)."""

    type: Annotated[
        str,
        Field(description="Always `about:blank`: `code` tells the kinds apart.", examples=["about:blank"]),
    ]
    title: Annotated[str, Field(description="The status in words.", examples=["Invalid input"])]
    status: Annotated[int, Field(description="The answer's HTTP status.", ge=400, le=599, examples=[400])]
    detail: Annotated[
        str,
        Field(
            description="What happened, in a sentence.", examples=["You have a project quick-start already."]
        ),
    ]
    code: Annotated[
        str,
        Field(
            description=f"A stable word to branch on; more may come. {', '.join(CODES)}.",
            examples=["invalid"],
        ),
    ]
    instance: Annotated[str, Field(description="The path of the request.", examples=["/api/v1/projects"])]
    request_id: Annotated[
        str | None,
        Field(
            description="The request's id, also in the header `X-Request-Id` and in the service's log.",
            examples=["41429e2b877447769ebc78be6a6b1c2b"],
        ),
    ]
    errors: Annotated[
        list[ProblemPlace] | None,
        Field(
            description="Each mistake in what was sent, up to a hundred; null where it is not the input.",
            examples=[[{"loc": ["name"], "msg": "the name quick-start is taken", "type": "taken"}]],
        ),
    ]

"""The errors of the service through the client that openapi-python-client makes: each kind, as an object."""

import io
import os

from bunsen_client import AuthenticatedClient, Client
from bunsen_client.api.code import upload_code
from bunsen_client.api.experiments import create_experiment, get_experiment
from bunsen_client.api.outputs import download_output_file
from bunsen_client.api.projects import create_project, get_project
from bunsen_client.api.users import create_user_token, get_current_user
from bunsen_client.models import CodeUpload, Credentials, ExperimentCreate, Problem, ProjectCreate
from bunsen_client.types import File

URL = os.environ["BUNSEN_URL"]


def meet_errors(client: AuthenticatedClient, user: str, project: str, id: int) -> None:
    """One of each kind of mistake, each a `Problem`."""
    taken = create_project.sync(client=client, body=ProjectCreate(name=project))
    assert isinstance(taken, Problem)
    assert (taken.status, taken.code) == (400, "invalid")
    assert taken.errors is not None
    assert (taken.errors[0].loc, taken.errors[0].type_) == (["name"], "taken")

    nobody = get_current_user.sync(client=AuthenticatedClient(base_url=URL, token="none"))
    assert isinstance(nobody, Problem)
    assert (nobody.status, nobody.code) == (401, "not_authenticated")

    open_project = os.environ["BUNSEN_PUBLIC"]  # someone else's: read, not changed
    forbidden = create_experiment.sync("root", open_project, client=client)
    assert isinstance(forbidden, Problem)
    assert (forbidden.status, forbidden.code) == (403, "forbidden")

    missing = get_experiment.sync(user, project, 10**9, client=client)
    assert isinstance(missing, Problem)
    assert (missing.status, missing.code) == (404, "not_found")

    method = get_project.sync("users", "token", client=client)  # one logs in there, by POST
    assert isinstance(method, Problem)
    assert (method.status, method.code) == (405, "method_not_allowed")

    result = "notes/result.txt"  # of five bytes
    beyond = download_output_file.sync(user, project, id, result, client=client, range_="bytes=5-")
    assert isinstance(beyond, Problem)
    assert (beyond.status, beyond.code) == (416, "range_not_satisfiable")

    body = ExperimentCreate(description="x" * 11_000_000)
    large = create_experiment.sync(user, project, client=client, body=body)
    assert isinstance(large, Problem)
    assert (large.status, large.code) == (413, "too_large")


def meet_troubles(client: AuthenticatedClient, user: str, project: str) -> None:
    """What passes: come again later."""
    wrong = Credentials(username="nobody", password="wrong")
    for _ in range(10):
        assert create_user_token.sync_detailed(client=Client(base_url=URL), body=wrong).status_code == 401
    often = create_user_token.sync(client=Client(base_url=URL), body=wrong)
    assert isinstance(often, Problem)
    assert (often.status, often.code) == (429, "too_many_requests")

    away = get_current_user.sync(client=AuthenticatedClient(base_url=os.environ["BUNSEN_AWAY"], token="any"))
    assert isinstance(away, Problem)  # its database is
    assert (away.status, away.code) == (503, "unavailable")

    if "BUNSEN_SMALL_DISK" in os.environ:  # of a mebibyte
        code = File(io.BytesIO(bytes(2_000_000)), "code.tar.gz")
        full = upload_code.sync(user, project, client=client, body=CodeUpload(repo=code))
        assert isinstance(full, Problem)
        assert (full.status, full.code) == (507, "insufficient_storage")

"""Users, logins, superusers, as the contract has them."""

import asyncio
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from sqlalchemy import func, select, text, update

from app.db.engine import Sessions, transaction
from app.db.tables import LoginTry, Token, User
from app.main import create_app
from app.services.passwords import hash_password
from app.services.users import create_user
from app.settings import Settings
from tests.people import Person

LOGIN = "/api/v1/users/token"
PASSWORD = "correct horse"


@pytest.fixture
async def grace(sessions: Sessions) -> str:
    """A user with a password, by name."""
    password_hash = await hash_password(PASSWORD)
    async with transaction(sessions) as session:
        await create_user(session, "grace", password_hash, email="grace@example.org")
    return "grace"


async def log_in(client: httpx.AsyncClient, username: str, password: str) -> httpx.Response:
    return await client.post(LOGIN, json={"username": username, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_password_gets_a_token(client: httpx.AsyncClient, grace: str) -> None:
    answer = await log_in(client, grace, PASSWORD)
    assert answer.status_code == 200
    assert set(answer.json()) == {"token"}
    me = await client.get("/api/v1/users", headers=bearer(answer.json()["token"]))
    assert me.json() == {"username": "grace", "email": "grace@example.org", "is_superuser": False}


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "json_with_a_slash"])
async def test_a_login_is_json_or_a_form(client: httpx.AsyncClient, grace: str, form: str) -> None:
    fields = {"username": grace, "password": PASSWORD}
    sent: dict[str, Any] = {
        "urlencoded": {"url": LOGIN, "data": fields},
        "multipart": {"url": LOGIN, "files": {key: (None, value) for key, value in fields.items()}},
        "json_with_a_slash": {"url": LOGIN + "/", "json": fields},
    }
    assert (await client.post(**sent[form])).status_code == 200


@pytest.mark.parametrize("scheme", ["token", "Token", "TOKEN", "Bearer", "bearer"])
async def test_a_scheme_is_taken_in_any_case(ada: Person, client: httpx.AsyncClient, scheme: str) -> None:
    answer = await client.get("/api/v1/users", headers={"Authorization": f"{scheme} {ada.token}"})
    assert answer.json()["username"] == "ada"


@pytest.mark.parametrize("header", [None, "", "token", "token ", "Basic YTpi", "token nonsense", "nonsense"])
async def test_no_or_a_bad_token_is_401(client: httpx.AsyncClient, header: str | None) -> None:
    answer = await client.get("/api/v1/users", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "token"
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("username", "password"), [("grace", "wrong"), ("nobody", PASSWORD), ("a b", "x")])
async def test_a_wrong_login_is_401_and_says_not_what_was_wrong(
    client: httpx.AsyncClient, grace: str, username: str, password: str
) -> None:
    answer = await log_in(client, username, password)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "token"
    assert answer.json()["detail"] == "Wrong username or password."


@pytest.mark.parametrize(
    ("sent", "locs"),
    [
        ({"json": {}}, [["username"], ["password"]]),
        ({"json": {"username": "grace", "password": None}}, [["password"]]),
        ({"json": {"username": ["grace"], "password": "secret-value"}}, [["username"]]),
        ({"json": {"username": "g" * 129, "password": "secret-value"}}, [["username"]]),
        ({"json": {"username": "grace", "password": "secret-value" * 100}}, [["password"]]),
        ({"json": ["secret-value"]}, [[]]),
        ({"data": {"username": "grace"}}, [["password"]]),
        ({"data": {"username": "g\0", "password": "secret-value"}}, [["username"]]),
        (
            {"content": b"username=grace", "headers": {"Content-Type": "text/plain"}},
            [["username"], ["password"]],
        ),
    ],
)
async def test_a_malformed_login_is_400_and_never_quotes_the_password(
    client: httpx.AsyncClient, sent: dict[str, Any], locs: list[Any]
) -> None:
    answer = await client.post(LOGIN, **sent)
    assert answer.status_code == 400
    assert [place["loc"] for place in answer.json()["errors"]] == locs
    assert "secret-value" not in answer.text


@pytest.mark.parametrize(
    "content", [b"--b\r\nContent-Disposition: nonsense\r\n", b"--b\r\nno header\r\n\r\n", b"\x00\xff"]
)
async def test_a_broken_form_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await client.post(LOGIN, content=content, headers=headers)).status_code == 400


async def test_an_inactive_user_is_not_let_in_until_activated(
    client: httpx.AsyncClient, grace: str, root: Person, sessions: Sessions
) -> None:
    async with transaction(sessions) as session:
        await session.execute(update(User).where(User.username == grace).values(is_active=False))
    refused = await log_in(client, grace, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (401, "inactive")
    for _ in range(2):
        assert (await root.http.post("/users/activate/grace")).status_code == 200
    assert (await log_in(client, grace, PASSWORD)).status_code == 200


async def test_of_tries_at_once_ten_are_looked_at_and_the_rest_must_wait(
    client: httpx.AsyncClient, grace: str
) -> None:
    answers = await asyncio.gather(*(log_in(client, grace, "wrong") for _ in range(14)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 4
    late = await log_in(client, grace, PASSWORD)
    assert (late.status_code, late.json()["code"]) == (429, "too_many_requests")
    assert 50 <= int(late.headers["Retry-After"]) <= 60
    assert (await log_in(client, "somebody-else", "wrong")).status_code == 401


async def test_tries_count_for_an_address(app: Any, grace: str) -> None:
    async def status_from(address: str) -> int:
        transport = httpx.ASGITransport(app=app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://bunsen.test") as client:
            return (await log_in(client, grace, "wrong")).status_code

    assert [await status_from("192.0.2.1") for _ in range(11)] == [401] * 10 + [429]
    assert await status_from("192.0.2.2") == 401


async def test_all_processes_share_the_count(
    client: httpx.AsyncClient, grace: str, settings: Settings
) -> None:
    for _ in range(10):
        await log_in(client, grace, "wrong")
    other = create_app(settings)
    async with LifespanManager(other):
        transport = httpx.ASGITransport(app=other)
        async with httpx.AsyncClient(transport=transport, base_url="http://bunsen.test") as second:
            assert (await log_in(second, grace, "wrong")).status_code == 429


async def test_when_the_minute_is_over_tries_count_anew(
    client: httpx.AsyncClient, grace: str, sessions: Sessions
) -> None:
    for _ in range(11):
        await log_in(client, grace, "wrong")
    await log_in(client, "nobody", "wrong")
    async with transaction(sessions) as session:
        aged = LoginTry.since - text("interval '61 seconds'")
        await session.execute(update(LoginTry).values(since=aged))
    assert (await log_in(client, grace, "wrong")).status_code == 401
    async with transaction(sessions) as session:  # what is over is swept
        assert (await session.execute(select(LoginTry.tries))).scalars().all() == [1]


async def test_the_right_password_clears_the_count(client: httpx.AsyncClient, grace: str) -> None:
    for _ in range(9):
        await log_in(client, grace, "wrong")
    for _ in range(3):
        assert (await log_in(client, grace, PASSWORD)).status_code == 200


async def test_a_users_row_holds_no_password_and_a_tokens_row_no_token(
    client: httpx.AsyncClient, grace: str, sessions: Sessions
) -> None:
    token = (await log_in(client, grace, PASSWORD)).json()["token"]
    async with transaction(sessions) as session:
        stored = (await session.execute(select(User.password_hash))).scalar_one()
        hashes = (await session.execute(select(Token.hash))).scalars().all()
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert token.encode() not in b"".join(hashes)
    assert bytes.fromhex(token) not in b"".join(hashes)


async def test_superusers_are_made_and_unmade_at_once(root: Person, ada: Person, bob: Person) -> None:
    await bob.http.post("/projects", json={"name": "closed"})
    assert (await ada.http.get("/bob/closed")).status_code == 404
    for _ in range(2):
        granted = await root.http.post("/superusers/grant/ada")
        assert (granted.status_code, granted.json()["is_superuser"]) == (200, True)
    assert (await ada.http.get("/bob/closed")).status_code == 200
    for _ in range(2):
        revoked = await root.http.post("/superusers/revoke/ada")
        assert (revoked.status_code, revoked.json()["is_superuser"]) == (200, False)
    assert (await ada.http.get("/bob/closed")).status_code == 404


async def test_the_last_superuser_stays(root: Person) -> None:
    for method, path in (("POST", "/superusers/revoke/root"), ("DELETE", "/users/delete/root")):
        answer = await root.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_superuser")
    assert (await root.http.get("/users")).json()["is_superuser"] is True


async def test_two_superusers_who_unmake_each_other_leave_one(
    root: Person, ada: Person, sessions: Sessions
) -> None:
    await root.http.post("/superusers/grant/ada")
    people = (root, ada)
    for _ in range(5):
        answers = await asyncio.gather(
            root.http.post("/superusers/revoke/ada"), ada.http.post("/superusers/revoke/root")
        )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200, 403]
        async with transaction(sessions) as session:
            left = select(func.count()).where(User.is_superuser)
            assert (await session.execute(left)).scalar_one() == 1
        winner, loser = people[statuses.index(200)], people[statuses.index(403)]
        await winner.http.post(f"/superusers/grant/{loser.username}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/users/activate/ada"),
        ("DELETE", "/users/delete/ada"),
        ("POST", "/superusers/grant/ada"),
        ("POST", "/superusers/revoke/root"),
    ],
)
async def test_only_superusers_change_users(
    root: Person, ada: Person, client: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await ada.http.request(method, path)).status_code == 403
    assert (await client.request(method, f"/api/v1{path}")).status_code == 401
    nobody = path.rpartition("/")[0] + "/nobody"
    assert (await root.http.request(method, nobody)).status_code == 404


async def test_a_deleted_user_is_gone_with_its_tokens_at_once(root: Person, ada: Person) -> None:
    assert (await ada.http.get("/users")).status_code == 200
    assert (await root.http.delete("/users/delete/ada")).status_code == 204
    assert (await ada.http.get("/users")).status_code == 401
    assert (await root.http.delete("/users/delete/ada")).status_code == 404


async def test_a_user_that_owns_projects_stays(root: Person, ada: Person) -> None:
    await ada.http.post("/projects", json={"name": "mine"})
    owned = await root.http.delete("/users/delete/ada")
    assert (owned.status_code, owned.json()["code"]) == (409, "owns_projects")
    await ada.http.delete("/ada/mine")
    leaving = await root.http.delete("/users/delete/ada")
    assert (leaving.status_code, "try again" in leaving.json()["detail"]) == (409, True)


async def test_a_user_deleted_while_it_makes_a_project_is_one_or_the_other(
    root: Person, sessions: Sessions, client: httpx.AsyncClient, ada: Person
) -> None:
    made, deleted = await asyncio.gather(
        ada.http.post("/projects", json={"name": "p"}), root.http.delete("/users/delete/ada")
    )
    assert (made.status_code, deleted.status_code) in {(201, 409), (401, 204)}


async def test_a_user_without_a_mail_address_has_a_local_one(
    client: httpx.AsyncClient, sessions: Sessions
) -> None:
    """Clients of the document's day refuse a caller whose `email` is no address."""
    async with transaction(sessions) as session:
        made = await create_user(session, "grace", None)
    assert made.email == "grace@localhost"

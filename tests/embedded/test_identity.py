"""As whom Postgres runs, and which start is refused for it."""

import os
import pwd
from pathlib import Path

import pytest

from app.embedded.errors import CannotStart
from app.embedded.identity import server_user, service_user_name
from app.embedded.postgres import EmbeddedPostgres
from tests.embedded.other_user import as_other, in_open_clone
from tests.embedded.processes import ask

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")

STRANGER = 61_234
NOBODY = pwd.getpwnam("nobody")


def test_a_person_runs_it_as_themselves(folder: Path) -> None:
    user = as_other(NOBODY.pw_uid, NOBODY.pw_gid, lambda: server_user(folder / "none"))
    assert (user.name, user.uid, user.gid) == ("nobody", NOBODY.pw_uid, NOBODY.pw_gid)


@in_open_clone
def test_a_persons_own_database_starts_and_answers(folder: Path) -> None:
    """From making it to an answer, without root."""
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)

    def life() -> object:
        server = EmbeddedPostgres(folder, durable=False)
        server.start()
        server.wait_ready(60)
        value = ask(server.url, "SELECT current_user::text")
        server.stop()
        return value

    assert as_other(NOBODY.pw_uid, NOBODY.pw_gid, life) == "bunsen"


def test_anothers_database_is_refused_to_a_person(folder: Path) -> None:
    with pytest.raises(CannotStart, match="belongs to another user"):
        as_other(NOBODY.pw_uid, NOBODY.pw_gid, lambda: server_user(folder))
    os.chown(folder, STRANGER, STRANGER)
    with pytest.raises(CannotStart, match=f"belongs to another user .{STRANGER}."):
        as_other(NOBODY.pw_uid, NOBODY.pw_gid, lambda: server_user(folder))


def test_a_user_without_an_entry_is_refused_in_a_sentence(folder: Path) -> None:
    for question in (service_user_name, lambda: server_user(folder / "none")):
        with pytest.raises(CannotStart, match=f"the number {STRANGER} has no entry"):
            as_other(STRANGER, STRANGER, question)


def test_root_runs_what_is_there_as_its_owner(folder: Path) -> None:
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    assert server_user(folder).name == "nobody"


def test_root_takes_nobody_where_there_is_no_postgres(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"nobody": NOBODY}
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    assert server_user(folder / "none").name == "nobody"
    known.clear()
    with pytest.raises(CannotStart, match="neither a user `postgres` nor `nobody`"):
        server_user(folder / "none")

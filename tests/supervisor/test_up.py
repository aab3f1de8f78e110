"""`bunsen up`: what it prints, keeps and refuses."""

import os
import re
import stat
from pathlib import Path

import httpx
import pytest

from app.embedded.postgres import EmbeddedPostgres, running_url
from app.supervisor.listening import listen
from tests.embedded.processes import ask, until
from tests.supervisor.conftest import MakeUp
from tests.supervisor.service import Up


def refused(up: Up) -> str:
    """The one sentence of a start that is refused."""
    assert up.start().wait() == 1
    sentences = up.output.strip().splitlines()
    assert len(sentences) == 1, up.output
    assert sentences[0].startswith("bunsen: ")
    return sentences[0]


def test_it_prints_its_url_its_docs_the_user_and_a_token_that_works(running: Up) -> None:
    printed = running.output
    assert re.search(r"URL +http://127\.0\.0\.1:\d+\n", printed)
    docs = re.search(r"Docs +(\S+)", printed)
    token = re.search(r"Token +(\S+)", printed)
    assert docs
    assert token
    assert token[1] == running.token
    assert httpx.get(docs[1]).status_code == 200
    me = httpx.get(f"{running.url}/api/v1/users", headers={"Authorization": f"token {token[1]}"}).json()
    assert me["username"] == "root"
    assert me["is_superuser"] is True


def test_the_password_that_it_printed_logs_in(running: Up) -> None:
    password = re.search(r"Password +(\S+)", running.output)
    assert password
    answer = httpx.post(
        f"{running.url}/api/v1/users/token", json={"username": "root", "password": password[1]}
    )
    assert answer.status_code == 200


def test_the_token_is_kept_for_its_owner_alone(running: Up) -> None:
    assert stat.S_IMODE((running.data / "token").stat().st_mode) == 0o600


def test_it_says_alive_and_ready(running: Up) -> None:
    assert httpx.get(f"{running.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{running.url}/readyz").status_code == 200


def test_a_second_one_on_its_folder_is_refused(running: Up, make_up: MakeUp) -> None:
    sentence = refused(make_up(folder=running.data))
    assert f"{running.data} is in use by another `bunsen up` (process {running.pid})." in sentence
    assert httpx.get(f"{running.url}/healthz").status_code == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users")
def test_another_one_of_root_with_users_of_its_is_refused(running: Up, make_up: MakeUp) -> None:
    running.part("reconciler")
    until(lambda: "app.worker: leads" in running.output)
    last = running.uids.partition("-")[2]
    sentence = refused(make_up(BUNSEN_UIDS=f"{last}-{last}"))
    assert f"Of the users {last}-{last} another service on this machine has some" in sentence


def test_a_python_that_no_job_can_run_is_refused_by_name(make_up: MakeUp) -> None:
    assert "The Python that BUNSEN_PYTHON names (/nowhere) can't be run" in refused(
        make_up(BUNSEN_PYTHON="/nowhere")
    )


def test_a_port_that_is_taken_is_named_before_anything_is_made(make_up: MakeUp, data: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        up = make_up()
        up.port = listener.getsockname()[1]
        assert f"Port {up.port} on 127.0.0.1 is taken" in refused(up)
    assert not (data / "postgres").exists()


def test_a_folder_that_is_a_file_is_named(make_up: MakeUp, data: Path) -> None:
    data.write_text("")
    assert "is not a folder" in refused(make_up())


def test_a_database_of_another_postgres_is_named(make_up: MakeUp, data: Path) -> None:
    (data / "postgres" / "data" / "global").mkdir(parents=True)
    (data / "postgres" / "data" / "PG_VERSION").write_text("19\n")
    (data / "postgres" / "data" / "global" / "pg_control").write_text("x")
    sentence = refused(make_up())
    assert "19" in sentence or "belongs to root" in sentence


def test_a_database_of_a_newer_version_is_named_and_left_alone(make_up: MakeUp, data: Path) -> None:
    data.mkdir(mode=0o711)
    with_newer_schema(data)
    assert "made by a newer version of Bunsen: its schema is at 9999" in refused(make_up())
    assert running_url(data) is None


def with_newer_schema(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    server.wait_ready(60)
    ask(server.url, "CREATE TABLE alembic_version AS SELECT '9999' AS version_num")
    server.stop()


def test_the_next_start_keeps_the_token_and_prints_no_password(make_up: MakeUp) -> None:
    up = make_up(BUNSEN_ROOT_PASSWORD="a password of mine").start().wait_ready()
    assert "Password" not in up.output
    assert "a password of mine" not in up.output
    token = up.token
    answer = httpx.post(
        f"{up.url}/api/v1/users/token", json={"username": "root", "password": "a password of mine"}
    )
    assert answer.status_code == 200
    up.stop()
    up.start().wait_ready()
    assert up.token == token
    assert "Password" not in up.output
    (up.data / "token").unlink()
    up.stop()
    up.start().wait_ready()
    assert up.token != token
    with up.client() as client:
        assert client.get("/api/v1/users").status_code == 200


def test_a_setting_that_cant_be_is_named(make_up: MakeUp) -> None:
    assert "BUNSEN_TICK: Input should be a valid number" in refused(make_up(BUNSEN_TICK="often"))


def test_another_postgres_is_used_where_one_is_named(
    make_up: MakeUp, data: Path, server: EmbeddedPostgres
) -> None:
    up = make_up(DATABASE_URL=server.url).start().wait_ready()
    assert not (data / "postgres").exists()
    assert ask(server.url, "SELECT count(*) FROM users") == 1
    with up.client() as client:
        assert client.get("/api/v1/users").status_code == 200


def test_one_that_cant_be_reached_is_named(make_up: MakeUp) -> None:
    sentence = refused(make_up(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))
    assert "The database can't be used" in sentence

"""The embedded Postgres: made, found, kept apart, and up again after whatever happened to it."""

import os
import signal
import stat
from pathlib import Path

import psutil
import pytest

from app.embedded.errors import CannotStart
from app.embedded.identity import server_user
from app.embedded.leftover import read_record, take_lock
from app.embedded.postgres import EmbeddedPostgres, running_url
from app.embedded.socket_folder import socket_folder
from tests.embedded.conftest import MakeServer
from tests.embedded.other_user import in_open_clone
from tests.embedded.processes import ask, lives, start_elsewhere, until


def socket_of(server: EmbeddedPostgres) -> Path:
    record = read_record(server.data)
    assert record
    assert record.socket
    return record.socket


def test_a_new_folder_gets_a_database_in_which_the_service_is_no_superuser(server: EmbeddedPostgres) -> None:
    assert ask(server.url, "SELECT current_user || ' ' || current_database()") == "bunsen bunsen"
    assert ask(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(server.url, "SHOW server_encoding") == "UTF8"


def test_what_is_durable_by_default_is_not_given_up(folder: Path, make_server: MakeServer) -> None:
    server = make_server(durable=True)
    server.start()
    server.wait_ready(60)
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert ask(server.url, f"SHOW {name}") == "on"


def test_it_listens_on_no_network_and_in_a_closed_folder(server: EmbeddedPostgres) -> None:
    assert ask(server.url, "SHOW listen_addresses") == ""
    socket = socket_of(server)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_the_next_start_finds_the_same_data(server: EmbeddedPostgres, make_server: MakeServer) -> None:
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS value")
    server.stop()
    again = make_server()
    again.start()
    again.wait_ready(60)
    assert again.url == server.url
    assert ask(again.url, "SELECT value FROM kept") == 42


def test_others_find_it_by_its_folder_while_it_runs(server: EmbeddedPostgres, folder: Path) -> None:
    assert running_url(folder) == server.url
    server.stop()
    assert running_url(folder) is None


def test_a_record_of_a_server_that_is_gone_names_none(server: EmbeddedPostgres, folder: Path) -> None:
    record = server.data / "postmaster.pid"
    text = record.read_text()
    server.stop()
    record.write_text(text)
    assert running_url(folder) is None
    record.write_text("")
    assert running_url(folder) is None
    record.write_text(text.replace(text.split()[0], str(os.getpid()), 1))
    assert running_url(folder) is None


def test_starting_what_runs_changes_nothing(server: EmbeddedPostgres) -> None:
    pid = server.pid
    server.start()
    assert server.pid == pid
    assert server.poll() is None


def test_stopping_what_does_not_run_changes_nothing(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.stop()
    assert server.pid is None
    assert server.poll() is None
    with pytest.raises(CannotStart, match="not started"):
        server.is_ready()


def test_a_server_that_was_killed_starts_again_with_what_was_committed(
    make_server: MakeServer,
) -> None:
    server = make_server(durable=True)
    server.start()
    server.wait_ready(60)
    ask(server.url, "CREATE TABLE kept AS SELECT 42 AS value")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.poll() == -signal.SIGKILL)
    server.start()
    server.wait_ready(60)
    assert server.pid != pid
    assert ask(server.url, "SELECT value FROM kept") == 42


def test_orphans_of_a_killed_server_are_ended(server: EmbeddedPostgres) -> None:
    """One that does not see that its postmaster is gone would keep Postgres from starting."""
    orphan = freeze_a_child(server)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.poll() is not None)
    assert lives(orphan)
    server.start()
    server.wait_ready(60)
    assert not lives(orphan)


def freeze_a_child(server: EmbeddedPostgres) -> int:
    child = psutil.Process(server.pid).children()[0]
    child.suspend()
    return child.pid


def test_it_ends_when_the_process_that_started_it_is_killed(folder: Path, make_server: MakeServer) -> None:
    parent, pid = start_elsewhere(folder)
    parent.kill()
    parent.communicate()
    until(lambda: not lives(pid))
    server = make_server()
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1


def test_a_server_left_over_is_ended_before_the_next_starts(folder: Path, make_server: MakeServer) -> None:
    """Its supervisor is gone, but it has not ended yet; here it is frozen, the worst case of that."""
    parent, pid = start_elsewhere(folder)
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.communicate()
    assert lives(pid)
    server = make_server(patience=1.0)
    server.start()
    assert not lives(pid)
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1


def test_a_live_server_of_another_start_is_asked_to_end(folder: Path, make_server: MakeServer) -> None:
    parent, pid = start_elsewhere(folder)
    server = make_server()
    server.start()
    assert not lives(pid)
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1
    parent.kill()
    parent.communicate()


def test_two_starts_at_once_leave_one_server(folder: Path) -> None:
    starts = [start_elsewhere(folder) for _ in range(3)]
    alive = [pid for _, pid in starts if lives(pid)]
    assert alive == [starts[-1][1]]
    for parent, _ in starts:
        parent.kill()
        parent.communicate()


def test_a_lock_that_no_server_holds_is_waited_for_and_then_named(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock", tmp_path / "data")
    with pytest.raises(CannotStart, match="Another Postgres still runs"):
        take_lock(tmp_path / "lock", tmp_path / "data", patience=0.05)
    os.close(lock)


def test_a_record_whose_number_is_now_another_process_does_not_keep_it_from_starting(
    server: EmbeddedPostgres,
) -> None:
    """In a container the numbers begin anew: Postgres alone would refuse."""
    record = server.data / "postmaster.pid"
    lines = record.read_text().splitlines()
    server.stop()
    record.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    os.chown(record, server.data.stat().st_uid, server.data.stat().st_gid)
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1


def test_a_long_path_gets_a_short_socket_folder_that_goes_with_the_server(
    folder: Path, make_server: MakeServer
) -> None:
    deep = folder / ("d" * 100)
    deep.mkdir(mode=0o711)
    server = make_server(deep)
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1
    socket = socket_of(server)
    assert len(str(socket)) < 60
    assert running_url(deep) == server.url
    server.stop()
    assert not socket.exists()


def test_a_short_folder_that_someone_else_made_is_not_used(folder: Path) -> None:
    user = server_user(folder / "none")
    wanted = folder / ("d" * 100)
    first = socket_folder(wanted, user)
    assert socket_folder(wanted, user) == first
    first.chmod(0o777)
    second = socket_folder(wanted, user)
    assert second != first
    assert stat.S_IMODE(second.stat().st_mode) == 0o700
    first.rmdir()
    second.rmdir()


@in_open_clone  # initdb finds no program below such a path, and there they would lie in the data folder
def test_paths_may_hold_any_character(folder: Path, make_server: MakeServer) -> None:
    odd = folder / 'it\'s "a", päth\\ & 100%'
    odd.mkdir(mode=0o711)
    server = make_server(odd)
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SELECT 1") == 1
    assert running_url(odd) == server.url


def test_settings_of_a_persons_own_come_last(folder: Path, make_server: MakeServer) -> None:
    server = make_server(settings={"work_mem": "9MB", "max_connections": "20"})
    server.start()
    server.wait_ready(60)
    server.stop()
    (server.root / "local.conf").write_text("work_mem = '10MB'\n")
    server.start()
    server.wait_ready(60)
    assert ask(server.url, "SHOW work_mem") == "10MB"
    assert ask(server.url, "SHOW max_connections") == "20"


def test_a_mistake_in_them_is_named(folder: Path, make_server: MakeServer) -> None:
    server = make_server(settings={"shared_buffers": "many"})
    server.start()
    with pytest.raises(CannotStart, match=r"Postgres ended at its start: .*postgresql.conf"):
        server.wait_ready(60)


def test_waiting_ends_after_its_time(folder: Path, make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    with pytest.raises(CannotStart, match="not ready after 0 seconds"):
        server.wait_ready(0)


def test_one_that_does_not_end_in_time_is_killed(server: EmbeddedPostgres) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    server.stop(timeout=0.2)
    assert not lives(pid)

"""Outputs as they are asked for: all, a folder, a file, a part of one."""

import io
import os
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.api.outputs_responses import attachment
from app.db.engine import Sessions, transaction
from app.db.tables import Experiment
from app.settings import Settings
from tests.api.experiments import create, make_lab
from tests.people import Person


async def add_outputs(person: Person, sessions: Sessions, settings: Settings) -> tuple[str, Path]:
    """An experiment with a few files; its outputs' path and their folder."""
    await make_lab(person)
    id = (await create(person))["id"]
    async with transaction(sessions) as session:
        uuid = (
            await session.execute(select(Experiment.outputs_uuid).where(Experiment.id == id))
        ).scalar_one()
    folder = settings.data / "outputs" / uuid
    (folder / "logs").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"0123456789")
    (folder / "logs" / "a.txt").write_text("hello")
    return f"/ada/lab/experiments/{id}/outputs", folder


@pytest.fixture
async def outputs(ada: Person, sessions: Sessions, settings: Settings) -> tuple[str, Path]:
    return await add_outputs(ada, sessions, settings)


async def test_a_name_may_hold_anything_but_a_slash(ada: Person, outputs: tuple[str, Path]) -> None:
    (outputs[1] / "a\nb\n").write_text("here")
    listed = (await ada.http.get(f"{outputs[0]}/files")).json()["results"]
    assert "a\nb\n" in [file["path"] for file in listed]
    answer = await ada.http.get(f"{outputs[0]}/files/a%0Ab%0A")
    assert (answer.status_code, answer.text) == (200, "here")


@pytest.mark.parametrize("below", ["", "/download/"], ids=["documented", "as clients of 2018 ask"])
async def test_all_outputs_come_as_an_archive_of_relative_names(
    ada: Person, outputs: tuple[str, Path], below: str
) -> None:
    answer = await ada.http.get(outputs[0] + below)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="ada.lab.')
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert sorted(archive.getnames()) == ["logs", "logs/a.txt", "model.bin"]


async def test_before_anything_is_there_the_archive_and_the_list_are_empty(ada: Person) -> None:
    await make_lab(ada)
    path = f"/ada/lab/experiments/{(await create(ada))['id']}/outputs"
    with tarfile.open(fileobj=io.BytesIO((await ada.http.get(path)).content)) as archive:
        assert archive.getnames() == []
    answer = await ada.http.get(f"{path}/files")
    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


async def test_a_folder_is_listed_by_name_in_pages(ada: Person, outputs: tuple[str, Path]) -> None:
    page = (await ada.http.get(f"{outputs[0]}/files?limit=1")).json()
    assert page["count"] == 2
    assert page["results"][0] | {"modified_at": ""} == {
        "path": "logs",
        "size": 0,
        "modified_at": "",
        "is_dir": True,
    }
    assert page["next"].endswith("/outputs/files?limit=1&offset=1")
    second = (await ada.http.get(page["next"])).json()
    assert [row["path"] for row in second["results"]] == ["model.bin"]
    below = (await ada.http.get(f"{outputs[0]}/files/", params={"path": "logs"})).json()
    assert [(row["path"], row["size"]) for row in below["results"]] == [("logs/a.txt", 5)]


async def test_a_file_comes_as_an_attachment_that_no_browser_runs(
    ada: Person, outputs: tuple[str, Path]
) -> None:
    (outputs[1] / "page.html").write_text("<script>")
    answer = await ada.http.get(f"{outputs[0]}/files/page.html")
    assert (answer.status_code, answer.text) == (200, "<script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"


async def test_a_range_is_sent_with_its_place(ada: Person, outputs: tuple[str, Path]) -> None:
    answer = await ada.http.get(f"{outputs[0]}/files/model.bin", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["content-range"] == "bytes 2-4/10"
    beyond = await ada.http.get(f"{outputs[0]}/files/model.bin", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    assert beyond.json()["code"] == "range_not_satisfiable"


async def test_a_file_that_is_there_already_is_not_sent_again(ada: Person, outputs: tuple[str, Path]) -> None:
    path = f"{outputs[0]}/files/model.bin"
    head = await ada.http.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")
    again = await ada.http.get(path, headers={"If-None-Match": head.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (outputs[1] / "model.bin").write_bytes(b"x" * 11)
    changed = await ada.http.get(path, headers={"If-None-Match": head.headers["etag"]})
    assert (changed.status_code, len(changed.content)) == (200, 11)


async def test_files_whose_names_are_no_text_are_found_as_they_are_listed_and_by_their_bytes(
    ada: Person, outputs: tuple[str, Path]
) -> None:
    names = [
        b"caf\xe9",
        b"caf\xc9",
        "caf\ufffd".encode(),
        "caf\ufffde9".encode(),
        b"\xed\xa0\x80",
        "ö".encode(),
    ]
    (outputs[1] / os.fsdecode(b"d\xff")).mkdir()
    for name in names:
        (outputs[1] / os.fsdecode(b"d\xff/" + name)).write_bytes(name)
    page = (await ada.http.get(f"{outputs[0]}/files")).json()
    assert page["results"][0]["path"] == "d\ufffdff"
    for folder in ("d%EF%BF%BDff", "d%ff"):
        url, listed = f"{outputs[0]}/files?limit=4&path={folder}", list[str]()
        while url:
            page = (await ada.http.get(url)).json()
            listed, url = listed + [row["path"] for row in page["results"]], page["next"]
        assert len(set(listed)) == len(names)
    found = [(await ada.http.get(f"{outputs[0]}/files/{quote(path)}")).content for path in listed]
    assert sorted(found) == sorted(names)
    assert "d\ufffdff/caf\ufffde9" in listed
    for name in names[:3]:
        answer = await ada.http.get(f"{outputs[0]}/files//d%FF/{quote(name)}")
        assert (answer.status_code, answer.content) == (200, name)


async def test_an_empty_file_is_sent(ada: Person, outputs: tuple[str, Path]) -> None:
    (outputs[1] / "empty").touch()
    answer = await ada.http.get(f"{outputs[0]}/files/empty")
    assert (answer.status_code, answer.headers["content-length"]) == (200, "0")


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "logs",
        "%2e%2e/secret",
        "..%2fsecret",
        "logs/../../secret",
        "%2fetc%2fpasswd",
        "out",
        "out/passwd",
        "pipe",
        "a%00b",
        "model.bin/more",
        "x" * 300,
        "%ff",
    ],
)
async def test_no_path_leads_out_of_the_folder_or_to_what_is_no_file(
    ada: Person, outputs: tuple[str, Path], path: str
) -> None:
    (outputs[1].parent / "secret").write_text("secret")
    (outputs[1] / "out").symlink_to("/etc")
    os.mkfifo(outputs[1] / "pipe")
    answer = await ada.http.get(f"{outputs[0]}/files/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["..", "nothing", "model.bin", "a\0b", "/etc", "out"])
async def test_no_folder_outside_is_listed(ada: Person, outputs: tuple[str, Path], path: str) -> None:
    (outputs[1] / "out").symlink_to("/etc")
    answer = await ada.http.get(f"{outputs[0]}/files", params={"path": path})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_who_may_not_see_the_experiment_gets_nothing_of_it(
    bob: Person, outputs: tuple[str, Path]
) -> None:
    for path in (outputs[0], f"{outputs[0]}/files", f"{outputs[0]}/files/model.bin"):
        assert (await bob.http.get(path)).status_code == 404


async def test_folders_too_deep_to_be_archived_are_told_before_the_answer_begins(
    ada: Person, outputs: tuple[str, Path]
) -> None:
    here = os.open(outputs[1], os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    answer = await ada.http.get(outputs[0])
    assert (answer.status_code, answer.json()["code"]) == (409, "outputs_too_deep")


async def test_outputs_on_a_volume_are_read_there(
    ada: Person, sessions: Sessions, outputs: tuple[str, Path]
) -> None:
    async with transaction(sessions) as session:
        row = (await session.execute(select(Experiment))).scalar_one()
        row.outputs_volume = "forgotten"
    assert (await ada.http.get(f"{outputs[0]}/files/model.bin")).content == b"0123456789"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("model.pt", "attachment; filename=\"model.pt\"; filename*=UTF-8''model.pt"),
        ('a"b;c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%3Bc.txt"),
        ("größe.txt", "attachment; filename=\"gr__e.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"),
        ("a\r\nb", "attachment; filename=\"a__b\"; filename*=UTF-8''a__b"),
        ("..", "attachment; filename=\"download\"; filename*=UTF-8''download"),
    ],
)
def test_every_name_is_a_safe_file_name(name: str, header: str) -> None:
    assert attachment(name) == header

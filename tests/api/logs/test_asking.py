"""What a reader may ask for: which lines, from where, in which form; and what is refused."""

import httpx
import pytest

from app.domain.lifecycle import Status
from tests.log_readers import sse
from tests.log_world import LogWorld, printed

ACCEPTED = {
    "*/*": "text/plain",
    "application/json": "text/plain",
    "text/event-stream": "text/event-stream",
    "application/x-ndjson": "application/x-ndjson",
    "text/plain, application/x-ndjson;q=0.5": "text/plain",
    "text/plain;q=0.1, application/x-ndjson;q=0.5": "application/x-ndjson",
    "text/event-stream;q=0": "text/plain",
    "text/event-stream;q=much": "text/plain",
    "": "text/plain",
}
FORMATS = {
    "text": "text/plain",
    "ndjson": "application/x-ndjson",
    "sse": "text/event-stream",
    "text/plain": "text/plain",
    "application/x-ndjson": "application/x-ndjson",
    "text/event-stream": "text/event-stream",
}


async def test_the_form_by_accept(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    for accept, media in ACCEPTED.items():
        answer = await ada.get(f"{run.path}/logs", headers={"Accept": accept})
        assert answer.headers["content-type"].partition(";")[0] == media, accept


async def test_format_wins_over_accept(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    for name, media in FORMATS.items():
        for accept in ("text/event-stream", "application/x-ndjson"):
            params, headers = {"format": name}, {"Accept": accept}
            answer = await ada.get(f"{run.path}/logs", params=params, headers=headers)
            assert answer.headers["content-type"].partition(";")[0] == media, name


LINES = [str(number) for number in range(10)]


CHOICES: list[tuple[dict[str, str | int], list[str]]] = [
    ({"offset": 7}, ["7", "8", "9"]),
    ({"offset": 10}, []),
    ({"offset": 2**63 - 1}, []),
    ({"tail": 2}, ["8", "9"]),
    ({"tail": 0}, []),
    ({"tail": 100}, LINES),
    ({"tail": 5, "offset": 8}, ["8", "9"]),
    ({"tail": 1, "offset": 3}, ["9"]),
    ({"since": "2026-11-24T03:00:09Z"}, ["8", "9"]),
    ({"since": "2026-11-24T03:00:09+00:00"}, ["8", "9"]),
    ({"since": "2026-11-24T04:00:09+01:00"}, ["8", "9"]),
    ({"since": "2026-11-24 03:00:09"}, ["8", "9"]),
    ({"since": "2027-01-01"}, []),
    ({"since": "2026-11-24T03:00:05Z", "tail": 3}, ["7", "8", "9"]),
    ({"since": "2026-11-24T03:00:05Z", "tail": 100}, ["4", "5", "6", "7", "8", "9"]),
    ({"since": "2026-11-24T03:00:05Z", "offset": 9}, ["9"]),
]


@pytest.mark.parametrize("status", [None, Status.FAILED])
async def test_offset_tail_and_since(world: LogWorld, ada: httpx.AsyncClient, status: Status | None) -> None:
    run = await printed(world, *LINES, status=status)
    for params, expected in CHOICES:
        answer = await ada.get(f"{run.path}/logs", params=params)
        assert answer.text.splitlines() == expected, params


async def test_a_plus_that_nobody_escaped_is_a_zone(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await printed(world, *LINES)
    answer = await ada.get(f"{run.path}/logs?since=2026-11-24T04:00:09+01:00")
    assert answer.text.splitlines() == ["8", "9"]


class TestLastEventId:
    """`Last-Event-ID: N` goes on at N+1, whatever the parameters say."""

    async def test_it_wins_over_the_parameters(self, world: LogWorld, ada: httpx.AsyncClient) -> None:
        run = await printed(world, *LINES)
        params = {"offset": "9", "tail": "1", "since": "2027-01-01"}
        answer = await ada.get(f"{run.path}/logs", params=params, headers={"Last-Event-ID": "6"})
        assert answer.text.splitlines() == ["7", "8", "9"]

    async def test_minus_one_is_the_beginning(self, world: LogWorld, ada: httpx.AsyncClient) -> None:
        run = await printed(world, "one", status=Status.SUCCEEDED)
        answer = await ada.get(f"{run.path}/logs", headers={"Last-Event-ID": "-1"})
        assert (answer.status_code, answer.text) == (200, "one\n")

    async def test_204_on_a_done_experiment_whose_last_seq_it_is(
        self, world: LogWorld, ada: httpx.AsyncClient
    ) -> None:
        run = await printed(world, "one", "two", status=Status.SUCCEEDED)
        for path in (f"{run.path}/logs", f"{run.path}/logs/events", f"{run.path}/jobs/{run.job}/logs"):
            answer = await ada.get(path, headers={"Last-Event-ID": "1"})
            assert (answer.status_code, answer.content) == (204, b"")
            assert (await ada.get(path, headers={"Last-Event-ID": "0"})).status_code == 200

    async def test_204_on_an_empty_one_is_minus_one(self, world: LogWorld, ada: httpx.AsyncClient) -> None:
        run = await world.experiment(tracked=True)
        await world.move(run, Status.FAILED)
        answer = await ada.get(f"{run.path}/logs/events")
        assert sse(answer.content) == [(-1, {"event": "end", "status": "failed", "last_seq": -1})]
        again = await ada.get(f"{run.path}/logs/events", headers={"Last-Event-ID": "-1"})
        assert again.status_code == 204

    async def test_not_while_it_runs(self, world: LogWorld, ada: httpx.AsyncClient) -> None:
        run = await printed(world, "one")
        answer = await ada.get(f"{run.path}/logs/events", headers={"Last-Event-ID": "0"})
        assert sse(answer.content) == [(0, {"event": "end", "status": "running", "last_seq": 0})]

    async def test_an_empty_one_says_nothing(self, world: LogWorld, ada: httpx.AsyncClient) -> None:
        run = await printed(world, "one")
        answer = await ada.get(f"{run.path}/logs", headers={"Last-Event-ID": ""})
        assert answer.text == "one\n"


BAD = [
    ("query", "offset", "-1"),
    ("query", "offset", str(2**63)),
    ("query", "tail", "-1"),
    ("query", "tail", "many"),
    ("query", "since", "yesterday"),
    ("query", "since", "0001-01-01T00:00:00+14:00"),
    ("query", "follow", "yes"),
    ("query", "timestamps", "2"),
    ("query", "format", "xml"),
    ("query", "job", "one"),
    ("header", "Last-Event-ID", "-2"),
    ("header", "Last-Event-ID", "x"),
]


async def test_bad_input_names_the_place(world: LogWorld, ada: httpx.AsyncClient) -> None:
    run = await world.experiment()
    for where, name, value in BAD:
        params = {name: value} if where == "query" else {}
        headers = {name: value} if where == "header" else {}
        answer = await ada.get(f"{run.path}/logs", params=params, headers=headers)
        assert answer.status_code == 400, (name, value)
        [place] = answer.json()["errors"]
        assert [part.lower() for part in place["loc"]] == [where, name.lower()]

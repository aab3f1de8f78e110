"""The way to the API server breaks, or the right to use it: nothing is lost, and readiness says why."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from tests.faults.calls import DONE
from tests.faults.cast import numbered
from tests.faults.kubernetes.account import Account
from tests.faults.kubernetes.conftest import free_port
from tests.faults.kubernetes.kube import Namespace, until
from tests.faults.kubernetes.pods import PROMPT, OnPods, tell, told
from tests.launchers.kubernetes.line import Line, line_to
from tests.launchers.kubernetes.specs import PYTHON

pytestmark = pytest.mark.timeout(300)


@dataclass
class Reached:
    """The service, the line over which it has the cluster, its account, and its own word on its state."""

    line: Line
    loop: asyncio.AbstractEventLoop
    account: Account
    status_port: int

    def cut(self) -> None:
        self.loop.call_soon_threadsafe(self.line.cut)

    def freeze(self) -> None:
        self.loop.call_soon_threadsafe(self.line.freeze)

    def checks(self) -> dict[str, str]:
        return dict(httpx.get(f"http://127.0.0.1:{self.status_port}/readyz", timeout=10).json()["checks"])


@pytest.fixture(scope="module")
def reached(
    namespace: Namespace, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reached]:
    folder = tmp_path_factory.mktemp("line")
    config = YAML(typ="safe").load(kubeconfig)
    account = Account(namespace, folder / "token")
    account.create()
    account.store(account.renew())
    config["users"][0]["user"] = {"tokenFile": str(folder / "token")}
    (folder / "own").write_text(json.dumps(config))
    ready, stopping, found = threading.Event(), asyncio.Event(), list[Line]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with line_to(folder / "own", folder) as (line, _):
            found.append(line)
            ready.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield Reached(found[0], loop, account, free_port())
    loop.call_soon_threadsafe(stopping.set)
    thread.join(10)
    account.remove()


@pytest.fixture(scope="module")
def environment(
    environment: dict[str, str], reached: Reached, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = sorted(tmp_path_factory.getbasetemp().glob("line*"))[-1]
    here = {"KUBECONFIG": str(folder / "kubeconfig"), "BUNSEN_STATUS_PORT": str(reached.status_port)}
    return environment | here


def test_5_a_log_stream_that_is_cut_every_few_seconds_is_continuous(pods: OnPods, reached: Reached) -> None:
    id = pods.create(numbered(100, 0.1))
    pods.said(id, "line 1")
    while pods.status(id) not in DONE:
        reached.cut()
        time.sleep(1.5)
    assert pods.end(id)[0] == "succeeded"
    assert pods.log(id) == [f"line {n}" for n in range(100)]
    assert pods.lag(id, "5") < 4  # its watch was cut as well


def test_15_creates_whose_answers_are_lost_make_one_pod_each(pods: OnPods, reached: Reached) -> None:
    reached.line.loses_answers = True
    ids = [pods.create("echo done") for _ in range(4)]
    time.sleep(4)
    reached.line.loses_answers = False
    for id in ids:
        assert pods.end(id)[0] == "succeeded"
        assert pods.log(id) == ["done"]
        assert len(pods.namespace.uids(pods.pod(id).partition("-")[0])) == 1


def away(pods: OnPods, reached: Reached, seconds: float) -> None:
    """An API server that is away for so long fails nothing, and all is caught up with after."""
    ends, talks = pods.create("echo it; sleep 5; exit 3"), pods.create(numbered(150, 0.1))
    pods.said(ends, "it")
    pods.said(talks, "line 1")
    name = pods.pod(ends)
    reached.line.refuses = True
    reached.cut()
    new = pods.create("echo new")
    until(lambda: "launcher" in reached.checks(), 20)
    pods.namespace.ended(name)
    time.sleep(seconds)  # how long it is away is what is tried
    assert pods.status(ends) == "running", "nobody told that it ended"
    assert pods.status(new) in {"created", "scheduled"}
    stopping = pods.create("sleep 600")
    pods.stop(stopping)
    reached.line.refuses = False
    back = datetime.now(UTC)
    assert pods.end(ends) == ("failed", "failed with exit code 3")
    told = (pods.seen(ends, "failed") - back).total_seconds()
    tell("19", "the end that came meanwhile, after the API server is back", told)
    assert told < 15
    for id, lines in ((talks, [f"line {n}" for n in range(150)]), (new, ["new"])):
        assert pods.end(id)[0] == "succeeded"
        assert pods.log(id) == lines
    assert pods.log(ends) == ["it"]
    assert pods.end(stopping)[0] == "stopped"
    until(lambda: not reached.checks(), 30)


def test_19_an_api_server_that_is_away_fails_nothing(pods: OnPods, reached: Reached) -> None:
    away(pods, reached, 5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_19_for_five_minutes(pods: OnPods, reached: Reached) -> None:
    away(pods, reached, 300)


PRINTS = """
import sys, time
begin = time.monotonic()
for page in range(PAGES):
    sys.stdout.write("".join(["%0100d\\n" % n for n in range(2000 * page, 2000 * page + 2000)]))
    sys.stdout.flush()
    time.sleep(max(0, begin + (page + 1) / 10 - time.monotonic()))
"""


def printed(pods: OnPods, seconds: int) -> None:
    """20,000 lines a second, of which the node rotates file after file away while they are followed."""
    code = PRINTS.replace("PAGES", str(10 * seconds))
    id = pods.create(f"python3 -c '{code}'", build={"image": PYTHON})
    assert pods.end(id, 300)[0] == "succeeded", pods.history(id)
    assert pods.log(id) == [f"{n:0100d}" for n in range(20_000 * seconds)]
    pods.lag(id, "12")


def test_12_a_log_that_is_rotated_while_it_is_followed(pods: OnPods) -> None:
    printed(pods, 8)


@pytest.mark.slow
def test_12_for_a_minute(pods: OnPods) -> None:
    printed(pods, 60)


FLOOD = "i=0; while [ $i -lt 150 ]; do head -c 100000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done"


def test_12_after_an_outage_that_outlasts_a_file_a_gap_says_so(pods: OnPods, reached: Reached) -> None:
    """Nodes rotate logs above 10 MiB, for which they look every 10 s; of those they serve the newest file."""
    done = 'touch "$POLYAXON_RUN_OUTPUTS_PATH/done"'
    id = pods.create(f"echo before; {told('go')}; {FLOOD}; {done}; {told('on')}; echo after")
    pods.said(id, "before")
    name = pods.pod(id)
    reached.line.refuses = True
    reached.cut()
    outputs = pods.outputs(id)
    (outputs / "go").touch()
    until((outputs / "done").exists)
    until(lambda: pods.namespace.last_line(name) == "", 90)  # its newest file is a new one
    (outputs / "on").touch()
    pods.namespace.ended(name)
    reached.line.refuses = False
    assert pods.end(id)[0] == "succeeded"
    first, gap, *rest = pods.log(id)
    assert (first, gap.partition(":")[0], rest) == ("before", "[gap", ["after"])


def recovered(pods: OnPods, reached: Reached, row: str, ids: list[int]) -> None:
    back = datetime.now(UTC)
    until(lambda: not reached.checks(), 90)
    tell(row, "ready again", (datetime.now(UTC) - back).total_seconds())
    for id in ids:
        assert pods.end(id)[0] == "succeeded", pods.history(id)
    assert pods.log(ids[0]) == [f"line {n}" for n in range(100)]


def test_31_a_permission_that_is_taken_away(pods: OnPods, reached: Reached) -> None:
    talks = pods.create(numbered(100, 0.1))
    pods.said(talks, "line 1")
    reached.account.revoke()
    reached.cut()
    began = datetime.now(UTC)
    until(lambda: "forbidden" in reached.checks().get("launcher", ""), 60)
    tell("31", "readiness says that it is forbidden", (datetime.now(UTC) - began).total_seconds())
    new = pods.create("echo new")
    pods.row(new, lambda _, said: "forbidden" in said)
    reached.account.allow()
    recovered(pods, reached, "31", [talks, new])


def test_31_a_token_that_is_rotated(pods: OnPods, reached: Reached) -> None:
    talks = pods.create(numbered(100, 0.1))
    pods.said(talks, "line 1")
    token = reached.account.renew()  # the API server takes the old one for some seconds yet

    def refused() -> bool:
        reached.cut()
        time.sleep(1)
        return "Unauthorized" in reached.checks().get("launcher", "")

    until(refused, 60)
    new = pods.create("echo new")
    reached.account.store(token)
    recovered(pods, reached, "31, token", [talks, new])


@pytest.mark.slow
def test_9_a_cluster_that_falls_silent_is_noticed(pods: OnPods, reached: Reached) -> None:
    id = pods.create("echo first; sleep 60; echo last")
    pods.said(id, "first")
    reached.line.silent = True
    began = datetime.now(UTC)
    until(lambda: "launcher" in reached.checks(), 90)
    noticed = (datetime.now(UTC) - began).total_seconds()
    tell("9", "a silent cluster is noticed", noticed)
    assert noticed < 76
    reached.line.silent = False
    assert pods.end(id, 60)[0] == "succeeded"
    assert pods.log(id) == ["first", "last"]


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_6_the_last_line_after_half_an_hour_of_silence(pods: OnPods, reached: Reached) -> None:
    """On the way all connections are forgotten once, without a word to either end, then if idle for 90 s."""
    id = pods.create("echo first; sleep 1800; echo last")
    pods.said(id, "first")
    reached.freeze()
    reached.line.forgets = 90.0
    ended = pods.namespace.ended(pods.pod(id), 1900)
    pods.said(id, "last")
    tell("6", "the last line after the cluster's end", (datetime.now(UTC) - ended.at).total_seconds())
    assert pods.lag(id, "6") < PROMPT
    assert pods.log(id) == ["first", "last"]
    assert reached.line.forgot > 10
    reached.line.forgets = None

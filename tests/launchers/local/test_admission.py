"""Which runs may start on one machine, in order, and what the others are told."""

import asyncio
from pathlib import Path

import pytest

from app.domain.lifecycle import Role, Status
from app.domain.runs import Amounts, JobRef, JobSpec, Resources, RunKind, RunSpec
from app.launchers.base import LaunchDelayed
from app.launchers.local import capacity, gpus
from app.launchers.local.admission import Demand, admit, demand
from app.launchers.local.capacity import Capacity
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from tests.launchers.local.runs import build, ended, experiment, job, lines, observed

GIB = 1024**3
MACHINE = Capacity(cpu=4, memory=8 * GIB, gpus=("0", "1"))


def asks(**amounts: object) -> RunSpec:
    return experiment("true", job(**amounts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("used", "run", "message"),
    [
        (Demand(), asks(), None),
        (Demand(cpu=3), asks(), None),
        (Demand(cpu=3.5), asks(), "waits for 1 core: 0.5 of 4 free"),
        (Demand(cpu=3), asks(cpu=2.0), "waits for 2 cores: 1 of 4 free"),
        (Demand(cpu=3), asks(cpu=0.5), None),
        (Demand(cpu=5), asks(cpu=0.5), "waits for 0.5 cores: 0 of 4 free"),
        (
            Demand(memory=7 * GIB),
            asks(memory=2 * GIB),
            "waits for 2.0 GiB of memory: 1.0 GiB of 8.0 GiB free",
        ),
        (Demand(gpus=1), asks(gpu=2), "waits for 2 GPUs: 1 of 2 free"),
        (
            Demand(cpu=4, gpus=2),
            asks(cpu=1.0, gpu=1),
            "waits for 1 core: 0 of 4 free; 1 GPU: 0 of 2 free",
        ),
        (Demand(), asks(cpu=8.0), "can never fit: 8 cores (this machine has 4)"),
        (
            Demand(),
            asks(memory=512 * 1024**2 + 8 * GIB),
            "can never fit: 8.5 GiB of memory (this machine has 8.0 GiB)",
        ),
        (Demand(cpu=4), build("true"), None),
    ],
)
def test_a_run_starts_when_its_requests_fit_and_else_says_what_it_waits_for(
    used: Demand, run: RunSpec, message: str | None
) -> None:
    [answer] = admit([run], MACHINE, used, set())
    assert (answer.admitted, answer.message) == (message is None, message)
    assert answer.never == (message or "").startswith("can never")


def test_runs_start_in_order_and_one_that_waits_holds_up_those_behind_it() -> None:
    answers = admit([asks(cpu=3.0), asks(cpu=2.0), asks(cpu=1.0)], MACHINE, Demand(), set())
    assert [answer.message for answer in answers] == [
        None,
        "waits for 2 cores: 1 of 4 free",
        "waits behind others: the first of them waits for 2 cores: 1 of 4 free",
    ]


def test_one_that_never_fits_holds_nobody_up() -> None:
    answers = admit([asks(cpu=5.0), asks(cpu=4.0)], MACHINE, Demand(), set())
    assert [(answer.admitted, answer.never) for answer in answers] == [(False, True), (True, False)]


def test_what_is_launched_already_may_be_launched_again() -> None:
    run = asks(cpu=4.0)
    assert admit([run], MACHINE, Demand(cpu=4), {f"{run.uuid}-1"})[0].admitted


def test_all_jobs_of_a_run_count_and_without_a_request_it_is_one_core_in_all() -> None:
    assert demand(experiment("true", *(job(index=i) for i in range(5)))) == Demand(1)
    several = experiment("true", job(cpu=2.0, memory=GIB), job(index=1), job(index=2, gpu=1, cpu=0.5))
    assert demand(several) == Demand(2.5, GIB, 1)


def test_a_limit_stands_in_for_a_request_that_is_not_there() -> None:
    resources = Resources(requests=Amounts(cpu=1), limits=Amounts(cpu=4, memory=GIB))
    run = RunSpec("u", RunKind.EXPERIMENT, 1, (JobSpec(JobRef("j", 1), Role.MASTER, 0, resources),), "true")
    assert demand(run) == Demand(1, GIB)


async def test_what_runs_counts_until_it_is_over(launcher: LocalLauncher) -> None:
    first, second = asks(cpu=3.0), asks(cpu=2.0)
    first = experiment("sleep 100", first.jobs[0])
    await launcher.launch(first)
    [answer] = await launcher.admit([second])
    assert answer.message == "waits for 2 cores: 1 of 4 free"
    await launcher.stop(first.jobs[0].ref, 0)
    await ended(launcher, first)
    [answer] = await launcher.admit([second])
    assert answer.admitted


async def test_each_job_sees_its_own_gpus_and_none_without(options: LocalOptions, data: Path) -> None:
    launcher = LocalLauncher(LocalOptions(data=data, uids=options.uids, cpus=4, gpus=3))
    await launcher.start()
    command = "echo $NVIDIA_VISIBLE_DEVICES/$CUDA_VISIBLE_DEVICES; sleep 100"
    run = experiment(command, job(gpu=2), job(index=1, gpu=1), job(index=2))
    await launcher.launch(run)
    for one in run.jobs:
        await observed(launcher, one.ref, Status.RUNNING)
    with pytest.raises(LaunchDelayed, match="waits for 1 GPU: 0 of 3 free"):
        await launcher.launch(asks(gpu=1))
    seen = []
    for one in run.jobs:
        await launcher.stop(one.ref, 0)
        await observed(launcher, one.ref, Status.STOPPED)
        seen += await lines(launcher, one.ref)
    assert seen == ["0,1/0,1", "2/2", "none/"]
    for one in run.jobs:
        await launcher.forget(one.ref)
    await launcher.close()


async def test_runs_launched_at_once_share_no_gpu_and_no_port(options: LocalOptions, data: Path) -> None:
    launcher = LocalLauncher(LocalOptions(data=data, uids=options.uids, cpus=8, gpus=6))
    await launcher.start()
    runs = [experiment("sleep 100", job(gpu=1)) for _ in range(6)]
    launched = await asyncio.gather(*(launcher.launch(run) for run in runs))
    definitions = [definition for one in launched for definition in one.values()]
    assert sorted(str(definition["gpus"]) for definition in definitions) == [f"['{n}']" for n in range(6)]
    assert len({definition["address"] for definition in definitions}) == 6
    for run in runs:
        await launcher.forget(run.jobs[0].ref)
    await launcher.close()


def test_gpus_are_those_that_nvidia_smi_lists_and_a_sliced_one_is_its_slices() -> None:
    listing = (
        "GPU 0: NVIDIA H200 (UUID: GPU-5d1e)\n"
        "  MIG 1g.18gb     Device  0: (UUID: MIG-aaaa)\n"
        "  MIG 1g.18gb     Device  1: (UUID: MIG-bbbb)\n"
        "GPU 1: NVIDIA H200 (UUID: GPU-77aa)\n"
    )
    assert gpus.parse_devices(listing) == ("MIG-aaaa", "MIG-bbbb", "1")
    assert gpus.parse_devices("") == ()


def test_the_container_s_limits_are_the_machine(tmp_path: Path, data: Path) -> None:
    """Version 1 and 2 of control groups; no limit leaves the machine's own."""
    whole = capacity.measure(LocalOptions(data=data, gpus=0), tmp_path)
    assert whole.cpu >= 1
    assert whole.memory > GIB
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    assert capacity.measure(LocalOptions(data=data, gpus=0), tmp_path) == Capacity(0.5, GIB, ())
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert capacity.measure(LocalOptions(data=data, gpus=0), tmp_path) == whole
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("25000")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    (tmp_path / "memory/memory.limit_in_bytes").write_text(str(GIB // 2))
    assert capacity.measure(LocalOptions(data=data, gpus=0), tmp_path) == Capacity(0.25, GIB // 2, ())
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1")
    assert capacity.measure(LocalOptions(data=data, gpus=0), tmp_path).cpu == whole.cpu


def test_settings_say_otherwise(data: Path) -> None:
    assert capacity.measure(LocalOptions(data=data, cpus=64, memory=GIB, gpus=2)) == Capacity(
        64, GIB, ("0", "1")
    )

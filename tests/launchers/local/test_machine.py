"""What a job gets of the machine: a port, a Python, facts of its GPUs; and what is said where it can't."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.lifecycle import Role
from app.domain.runs import Amounts, BuildSpec, JobRef, JobSpec, Resources, RunKind, RunSpec
from app.launchers.base import LaunchDelayed, LauncherUnusable, LaunchRefused
from app.launchers.local import gpus
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.notes import notes
from app.launchers.local.options import LocalOptions
from app.launchers.local.outputs import outputs_path
from app.launchers.local.ports import HOST, free_ports
from app.launchers.local.pythons import PythonChoice
from app.launchers.local.spawning import spawn_runner
from app.launchers.local.variables import named_variables

SYSTEM = os.path.realpath(getattr(sys, "_base_executable", sys.executable))


class TestPorts:
    def test_each_is_another_free_and_out_of_the_way_of_outgoing_connections(self) -> None:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        ports = free_ports(50, ())
        assert len(set(ports)) == 50
        assert not any(low <= port <= high for port in ports)

    def test_one_that_is_taken_or_listened_at_is_never_given(self) -> None:
        free = free_ports(2, ())
        with socket.socket() as listener:
            listener.bind((HOST, free[0]))
            listener.listen()
            others = set(range(65_536)) - set(free)
            assert free_ports(1, others) == [free[1]]
            with pytest.raises(LaunchDelayed, match="waits for 2 free ports"):
                free_ports(2, others)


class TestPythons:
    def test_the_one_that_is_named_is_taken_where_it_is_one(self) -> None:
        assert PythonChoice(SYSTEM, None).interpreter.version == sys.version_info[:2]

    @pytest.mark.parametrize("named", ["/nowhere/python3", "/bin/true", "/etc/passwd", sys.executable])
    def test_one_that_is_none_or_in_an_environment_is_refused_by_its_name(self, named: str) -> None:
        with pytest.raises(LaunchRefused, match=f"BUNSEN_PYTHON names .{named}"):
            _ = PythonChoice(named, None).interpreter

    async def test_with_one_that_is_none_no_service_starts(self, options: LocalOptions) -> None:
        launcher = LocalLauncher(replace(options, python="/nowhere/python3"))
        with pytest.raises(LauncherUnusable, match=r"^The Python that BUNSEN_PYTHON names .*can't be run"):
            await launcher.start()

    def test_root_runs_none_that_others_have_a_hand_in(self, tmp_path: Path) -> None:
        program = tmp_path / "python3.11"
        program.symlink_to(SYSTEM)
        open_to_all = tmp_path / "open"
        open_to_all.write_text("#!/bin/sh\n")
        open_to_all.chmod(0o777)
        uid = os.geteuid() or 65_534
        for named in (str(open_to_all), str(tmp_path / "dangling")):
            with pytest.raises(LaunchRefused):
                _ = PythonChoice(named, uid).interpreter

    def test_without_any_it_says_how_to_name_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 1\n")  # a version manager's
        monkeypatch.setattr("app.launchers.local.pythons._PLACES", ())
        with pytest.raises(LaunchRefused, match="name one by BUNSEN_PYTHON"):
            _ = PythonChoice(None, None, f"{tmp_path}:relative:{tmp_path}/none").interpreter


class TestRunners:
    @pytest.mark.parametrize(
        ("runner", "words"),
        [
            (("/nowhere/python",), "waits for a process to start: No such file"),
            (("/bin/false",), "waits for its runner to start: it died"),
            (("/bin/sh", "-c", "echo no memory >&2"), "waits for its runner to start: no memory"),
        ],
    )
    def test_one_that_does_not_start_delays_the_launch(
        self, tmp_path: Path, runner: tuple[str, ...], words: str
    ) -> None:
        with pytest.raises(LaunchDelayed, match=words):
            spawn_runner(LocalOptions(data=tmp_path, runner=runner), tmp_path, b"{}")


class TestGpus:
    def test_what_nvidia_smi_measures_is_in_bytes_and_none_where_it_does_not_tell(self) -> None:
        table = (
            "0, GPU-5d, NVIDIA H100 80GB HBM3, 165, 00000000:19:00.0, 81559, 1024, 80535, "
            "37, 2, 31, 119.25, 700.00\n"
            "1, GPU-6e, Tesla T4, [N/A], 00000000:20:00.0, 16, 0, 16, [N/A], 0, 30, [N/A], 70.00\n"
            "an error in between\n"
        )
        first, second = map(gpus.typed, gpus.parse_usage(table))
        assert (first["index"], first["name"]) == (0, "NVIDIA H100 80GB HBM3")
        assert (first["memory_total"], first["memory_used"]) == (81_559 * 1024**2, 1024**3)
        assert (first["utilization_gpu"], first["power_draw"]) == (37, 119)
        assert (second["utilization_gpu"], second["power_draw"], second["serial"]) == (None, None, "[N/A]")


NOTES = [
    ({}, None),
    ({"node_selector": {"disk": "ssd"}}, "node_selector"),
    ({"affinity": {"node": {}}}, "affinity"),
    ({"tolerations": ({"key": "gpu"},)}, "tolerations"),
    ({"resources": Resources(limits=Amounts(cpu=2))}, "limits of cores"),
]


@pytest.mark.parametrize(("asked", "words"), NOTES)
def test_what_one_machine_cant_give_is_named(asked: dict[str, object], words: str | None) -> None:
    job = JobSpec(JobRef("a" * 32, 1), Role.MASTER, 0, **asked)  # type: ignore[arg-type]
    said = notes(RunSpec("b" * 32, RunKind.EXPERIMENT, 1, (job,), "true"))
    assert said == (words and f"runs as processes of one machine, without effect here: {words}")


def test_an_image_is_named_with_the_build_s_own_first() -> None:
    run = RunSpec("b" * 32, RunKind.BUILD, 1, (), "", image="one", build=BuildSpec("h", "two", ()))
    assert "the image two" in str(notes(run))


def test_a_file_of_variables_is_read_by_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("# keys\nKEY=a=b\n SPACED =x\n=none\nnothing\nKEY2=\nexport  B=2\nexport=3\n#export C=4")
    found = named_variables(("s",), {"s": str(file)}, "secret")
    assert found == {"KEY": "a=b", "SPACED": "x", "KEY2": "", "B": "2", "export": "3"}
    file.write_bytes(b"\xff")
    for path in (file, tmp_path / "none"):
        with pytest.raises(LaunchRefused, match="the file of the secret 's' can't be read"):
            named_variables(("s",), {"s": str(path)}, "secret")


def test_outputs_on_a_volume_that_the_settings_don_t_name_are_refused(tmp_path: Path) -> None:
    options = LocalOptions(data=tmp_path, outputs_volumes={"big": "/mnt/big"})
    assert outputs_path(options, "big", "abc") == Path("/mnt/big/abc")
    with pytest.raises(LaunchRefused, match="no outputs volume 'old'"):
        outputs_path(options, "old", "abc")

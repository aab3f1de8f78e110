"""The launcher that the settings name, with what they say."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.runs import Amounts
from app.embedded.errors import CannotStart
from app.launchers.kubernetes.launcher import KubernetesLauncher
from app.launchers.local.launcher import LocalLauncher
from app.launching import JOB_ID, kubernetes_options, make_launcher
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.volumes import Volume

URL = "http://service.test:8000"


def settings_of(folder: Path, **more: Any) -> Settings:
    given = {"data": folder, "launcher": "kubernetes", "advertise_url": URL}
    return Settings.model_validate(given | more)


def test_each_launcher_by_its_name(tmp_path: Path) -> None:
    code = CodeArchives(tmp_path / "code")
    assert isinstance(make_launcher(settings_of(tmp_path), code), KubernetesLauncher)
    assert isinstance(make_launcher(settings_of(tmp_path, launcher="local"), code), LocalLauncher)


def test_what_the_settings_say_reaches_it(tmp_path: Path) -> None:
    options = kubernetes_options(
        settings_of(
            tmp_path,
            namespace="experiments",
            outputs_volume="pvc:claim",
            outputs_volumes={"big": "pvc:big:/mnt/big"},
            data_volumes={"mnist": "pvc:mnist"},
            pull_secrets="login, other",
            build_cpus=0,
            job_uid=0,
            secrets={"s3": ""},
        )
    )
    assert (options.namespace, options.api_url) == ("experiments", URL)
    assert options.outputs == Volume("pvc", "claim", str(tmp_path / "outputs"))
    assert options.outputs_volume("big") == Volume("pvc", "big", "/mnt/big")
    assert options.outputs_volume(None) == options.outputs
    assert options.data_volumes == {"mnist": Volume("pvc", "mnist", None)}
    assert options.pull_secrets == ("login", "other")
    assert options.build_requests == Amounts(None, 512 * 1024**2)
    assert options.uid == 0
    assert options.secrets == {"s3": ""}


@pytest.mark.parametrize("own", [0, 1234])
def test_jobs_run_as_the_service_does_but_never_as_root_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: own)
    monkeypatch.setattr(os, "getegid", lambda: own)
    options = kubernetes_options(settings_of(tmp_path))
    assert (options.uid, options.gid) == ((own, own) if own else (JOB_ID, JOB_ID))


def test_an_installation_has_one_name_for_good(tmp_path: Path) -> None:
    first = kubernetes_options(settings_of(tmp_path)).installation
    assert kubernetes_options(settings_of(tmp_path)).installation == first
    assert kubernetes_options(settings_of(tmp_path, installation="mine")).installation == "mine"
    with pytest.raises(ValidationError, match="it becomes a label"):
        settings_of(tmp_path, installation="not a label")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"advertise_url": None}, "BUNSEN_ADVERTISE_URL is needed with pods"),
        (
            {"outputs_volumes": {"big": "pvc:big"}},
            "The outputs volume big needs the path where the service has it: pvc:big:/PATH.",
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotStart) as refused:
        kubernetes_options(settings_of(tmp_path, **more))
    assert str(refused.value).startswith(said)

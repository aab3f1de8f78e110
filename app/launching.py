"""Makes the launcher that the settings name."""

import importlib
import os
import secrets
from pathlib import Path
from types import ModuleType

from app.domain.runs import Amounts
from app.embedded.errors import CannotStart
from app.launchers.base import Launcher
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.local.launcher import LocalLauncher
from app.launchers.local.options import LocalOptions
from app.settings import Settings
from app.storage.code_archives import CodeArchives
from app.volumes import read_volume

JOB_ID = 10001  # the user and group of jobs in pods where the service is root's: not root, and no system's


def make_launcher(settings: Settings, code: CodeArchives) -> Launcher:
    """Raises CannotStart where a setting is missing."""
    if settings.launcher == "local":
        return LocalLauncher(local_options(settings, code))
    made: Launcher = load_launcher(settings).KubernetesLauncher(kubernetes_options(settings))
    return made


def load_launcher(settings: Settings) -> ModuleType:
    """Import the settings' launcher: the client of clusters takes half a second, which one machine does
    without."""
    return importlib.import_module(f"app.launchers.{settings.launcher}.launcher")


def local_options(settings: Settings, code: CodeArchives) -> LocalOptions:
    """What the local launcher takes of the settings."""
    return LocalOptions(
        data=settings.data,
        api_url=settings.api_url,
        cpus=settings.cpus,
        memory=settings.memory,
        gpus=settings.gpus,
        uids=settings.uid_range,
        python=settings.python,
        code_file=code.path,
        step_env=settings.step_env,
        data_volumes=settings.data_volumes,
        outputs_volumes=settings.outputs_volumes,
        secrets=settings.secrets,
        configmaps=settings.configmaps,
    )


def kubernetes_options(settings: Settings) -> KubernetesOptions:
    """What the Kubernetes launcher takes of the settings. Raises CannotStart."""
    if settings.advertise_url is None:
        raise CannotStart("BUNSEN_ADVERTISE_URL is needed with pods: it says how they reach the service.")
    for name, text in settings.outputs_volumes.items():
        if read_volume(text).path is None:
            raise CannotStart(
                f"The outputs volume {name} needs the path where the service has it: {text}:/PATH."
            )
    return KubernetesOptions(
        data=settings.data,
        installation=settings.installation or _installation(settings.data),
        api_url=settings.advertise_url,
        outputs=settings.outputs,
        namespace=settings.namespace,
        default_image=settings.default_image,
        helper_image=settings.helper_image,
        tensorboard_image=settings.tensorboard_image,
        builder_image=settings.builder_image,
        build_requests=Amounts(settings.build_cpus or None, settings.build_memory or None),
        pull_secrets=settings.pull_secrets,
        registry=settings.registry,
        registry_url=settings.registry_url,
        registry_secret=settings.registry_secret,
        insecure_registries=settings.insecure_registries,
        step_env=settings.step_env,
        uid=_own_or(settings.job_uid, os.geteuid()),
        gid=_own_or(settings.job_gid, os.getegid()),
        data_volumes={name: read_volume(text) for name, text in settings.data_volumes.items()},
        outputs_volumes={name: read_volume(text) for name, text in settings.outputs_volumes.items()},
        secrets=settings.secrets,
        configmaps=settings.configmaps,
        pull_grace=settings.pull_grace,
        schedule_timeout=settings.schedule_timeout,
        node_lost_timeout=settings.node_lost_timeout,
    )


def _own_or(given: int | None, own: int) -> int:
    """The id of jobs: what was given, else the service's own, so that it may read and delete what they write;
    but never root's unasked."""
    if given is not None:
        return given
    return own if os.geteuid() != 0 else JOB_ID


def _installation(data: Path) -> str:
    """A name of this installation, made once: it marks everything that is its own in the namespace."""
    file = data / "installation"
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        name = secrets.token_hex(6)
        part = file.with_suffix(".part")
        part.write_text(name)
        part.rename(file)
        return name

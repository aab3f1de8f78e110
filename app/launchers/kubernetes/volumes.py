"""What a job's pod mounts: its own outputs, those that it may read, data, and folders of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.runs import RunKind, RunSpec
from app.launchers.base import LaunchRefused
from app.launchers.kubernetes.options import KubernetesOptions
from app.volumes import Volume

Json = dict[str, Any]

CODE, HOME, TMP, DATA = "/code", "/bunsen/home", "/bunsen/tmp", "/data"
_OWN = {"code": CODE, "home": HOME, "tmp": TMP}


@dataclass(frozen=True, slots=True)
class Mounts:
    """A pod's volumes and mounts, and the paths that its variables tell."""

    volumes: list[Json]
    mounts: list[Json]
    outputs_path: str
    data_paths: dict[str, str]
    reads_paths: list[str]


def scratch() -> tuple[list[Json], list[Json]]:
    """The volumes of a pod's own folders, and their mounts. Each has a volume: for a folder of one a kubelet
    runs `mount` and `umount`."""
    volumes: list[Json] = [{"name": name, "emptyDir": {}} for name in _OWN]
    mounts: list[Json] = [{"name": name, "mountPath": path} for name, path in _OWN.items()]
    volumes.append({"name": "shm", "emptyDir": {"medium": "Memory"}})  # else /dev/shm has 64 MB
    mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - the pod's own
    return volumes, mounts


def mounts_of(run: RunSpec, options: KubernetesOptions, reads: Mapping[str, Volume]) -> Mounts:
    """All that the jobs of a run mount. `reads` says on which volume each of `run.reads` lies.

    Raises LaunchRefused for a name that the settings don't know any more.
    """
    volumes, mounts = scratch()
    found = _Volumes(volumes)
    outputs_path = ""
    if run.outputs is not None:
        volume = options.outputs_volume(run.outputs_volume)
        if volume is None:
            raise LaunchRefused(f"there is no outputs volume {run.outputs_volume!r} in the settings")
        outputs_path = folder(volume, run.outputs)
        read_only = run.kind is RunKind.TENSORBOARD
        mounts.append(found.mount(volume, outputs_path, sub=run.outputs, read_only=read_only))
    reads_paths = []
    for uuid, volume in reads.items():
        path = folder(volume, uuid)
        reads_paths.append(path)
        mounts.append(found.mount(volume, path, sub=uuid, read_only=True))
    data_paths = {}
    for name in run.data_volumes:
        data = options.data_volumes.get(name)
        if data is None:
            raise LaunchRefused(f"there is no data volume {name!r} in the settings")
        data_paths[name] = f"{DATA}/{name}"
        mounts.append(found.mount(data, data_paths[name], read_only=True))
    return Mounts(volumes, mounts, outputs_path, data_paths, reads_paths)


def folder(volume: Volume, uuid: str) -> str:
    """The folder of these outputs, the same for the service and in pods."""
    return f"{volume.path}/{uuid}"


def source_of(volume: Volume, sub: str = "") -> Json:
    """The volume, or a folder of it on a host, as a pod's `volumes` have it, without its name."""
    if volume.kind == "pvc":
        return {"persistentVolumeClaim": {"claimName": volume.source}}
    return {"hostPath": {"path": f"{volume.source}/{sub}" if sub else volume.source, "type": "Directory"}}


class _Volumes:
    """Gives each volume one name in the pod. A host's folder is one of its own: so a pod has that alone, and
    its kubelet nothing to mount."""

    def __init__(self, volumes: list[Json]) -> None:
        self._volumes = volumes
        self._names: dict[tuple[str, str, str], str] = {}

    def mount(self, volume: Volume, path: str, *, sub: str = "", read_only: bool = False) -> Json:
        of_host = sub if volume.kind == "hostPath" else ""
        key = (volume.kind, volume.source, of_host)
        if key not in self._names:
            self._names[key] = f"volume-{len(self._names)}"
            self._volumes.append({"name": self._names[key], **source_of(volume, of_host)})
        mount: Json = {"name": self._names[key], "mountPath": path}
        if sub and not of_host:
            mount["subPath"] = sub
        if read_only:
            mount["readOnly"] = True
        return mount

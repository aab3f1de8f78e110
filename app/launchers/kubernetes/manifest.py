"""From a run to the objects that it is on the cluster: its owner, its token, its names, its pods."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.runs import JobRef, JobSpec, RunKind, RunSpec
from app.launchers.base import LaunchRefused
from app.launchers.kubernetes import names, volumes
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.quantities import resources
from app.launchers.kubernetes.scripts import PREPARE, WRAPPER
from app.launchers.kubernetes.variables import (
    PORT,
    SERVER_PORT,
    check_command,
    environment,
    host_of,
    literal,
    named_sources,
    token_variable,
    variables_of,
)
from app.volumes import Volume

Json = dict[str, Any]

SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class RunObjects:
    """What a run is made of. All but the owner get it as their owner when they are created."""

    owner: Json
    secret: Json | None
    service: Json | None
    pods: dict[JobRef, Json]


def objects_of(run: RunSpec, options: KubernetesOptions, reads: Mapping[str, Volume]) -> RunObjects:
    """All objects of one attempt. `reads` says on which volume each of `run.reads` lies.

    Raises LaunchRefused.
    """
    marks = labels_of(run, options)
    served = len(run.jobs) > 1 or run.kind is RunKind.TENSORBOARD
    service = _service(run, marks, options) if served else None
    secret = None if run.token is None else _secret(run, marks, options)
    mounts = volumes.mounts_of(run, options, reads)
    pods = {job.ref: _pod(run, job, marks, mounts, options) for job in run.jobs}
    return RunObjects(owner_of(run, options), secret, service, pods)


def owned(item: Json, owner: Mapping[str, Any]) -> Json:
    """The object with the owner that the cluster knows (`objects_of`'s, as created)."""
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [reference]}}


def labels_of(run: RunSpec, options: KubernetesOptions) -> dict[str, str]:
    """What marks all that one attempt of a run has."""
    component = names.COMPONENTS[run.kind]
    return names.labels(options.installation, component) | {
        names.RUN: run.uuid,
        names.ATTEMPT: str(run.attempt),
    }


def owner_of(run: RunSpec, options: KubernetesOptions) -> Json:
    """The small object that owns all that a run has."""
    marks = names.labels(options.installation, names.COMPONENTS[run.kind]) | {names.RUN: run.uuid}
    metadata = {"name": names.owner_name(run.uuid), "namespace": options.namespace, "labels": marks}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"what": f"Owns what the {run.kind.value} {run.uuid} has here; deleting it deletes all."},
    }


def _secret(run: RunSpec, marks: Json, options: KubernetesOptions) -> Json:
    assert run.token is not None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names.attempt_name(run), "namespace": options.namespace, "labels": marks},
        "data": {names.TOKEN_KEY: base64.b64encode(run.token.encode()).decode()},
    }


def _service(run: RunSpec, marks: Json, options: KubernetesOptions) -> Json:
    """A TensorBoard's has an address of its own. Jobs' is headless: it gives each pod a name, from the moment
    that it has an address."""
    spec: Json = {"selector": {key: marks[key] for key in (names.INSTANCE, names.RUN, names.ATTEMPT)}}
    if run.kind is RunKind.TENSORBOARD:
        spec["ports"] = [{"name": "http", "port": SERVER_PORT}]
    else:
        spec["clusterIP"] = "None"
        spec["publishNotReadyAddresses"] = True
        spec["ports"] = [{"name": "job", "port": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": names.attempt_name(run), "namespace": options.namespace, "labels": marks},
        "spec": spec,
    }


def _pod(run: RunSpec, job: JobSpec, marks: Json, mounts: volumes.Mounts, options: KubernetesOptions) -> Json:
    check_command(run.command)
    plain = variables_of(run, job, mounts, options)
    marks = marks | {
        names.JOB: job.ref.uuid,
        names.ROLE: job.role.value,
        names.INDEX: str(job.index),
    }
    main: Json = {
        "name": names.MAIN,
        "image": _image(run, options),
        "command": [SHELL, "-c", literal(WRAPPER), job.ref.name, literal(run.command)],
        "workingDir": volumes.CODE,
        "env": environment(plain, run),
        "envFrom": named_sources(run, options),
        "resources": resources(job.resources),
        "volumeMounts": mounts.mounts,
        "securityContext": container_security(options),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec: Json = {
        **pod_basics(run, options),
        "hostname": host_of(job),
        "initContainers": _preparation(run, mounts, options),
        "containers": [main],
        "volumes": mounts.volumes,
        "nodeSelector": dict(job.node_selector),
        "affinity": dict(job.affinity),
        "tolerations": [dict(toleration) for toleration in job.tolerations],
    }
    if len(run.jobs) > 1:
        spec["subdomain"] = names.attempt_name(run)
    metadata: Json = {
        "name": job.ref.name,
        "namespace": options.namespace,
        "labels": marks,
        "annotations": _annotations(run) | {names.END: end_line(job.ref.name)},
        "finalizers": [names.FINALIZER],
    }
    spec = {key: value for key, value in spec.items() if value not in ({}, [])}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _image(run: RunSpec, options: KubernetesOptions) -> str:
    """Raises LaunchRefused."""
    if run.kind is not RunKind.TENSORBOARD:
        return run.environment or run.image or options.default_image
    if options.tensorboard_image is None:
        raise LaunchRefused("no image for TensorBoards is set (BUNSEN_TENSORBOARD_IMAGE)")
    return options.tensorboard_image


def pod_basics(run: RunSpec, options: KubernetesOptions) -> Json:
    """What all pods of runs have."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": max(0, int(run.grace)),
        "securityContext": pod_security(options),
        "imagePullSecrets": [{"name": name} for name in options.image_secrets],
    }


def pod_security(options: KubernetesOptions) -> Json:
    """Whom a job's processes run as."""
    return {
        "runAsUser": options.uid,
        "runAsGroup": options.gid,
        "fsGroup": options.gid,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(options: KubernetesOptions) -> Json:
    """What a container of a job may do: nothing that only root may."""
    security: Json = {"allowPrivilegeEscalation": False}
    if options.uid != 0:
        security["capabilities"] = {"drop": ["ALL"]}
    return security


def _annotations(run: RunSpec) -> Json:
    found = {f"bunsen/{key}": value for key, value in run.labels.items()}
    if run.timeout is not None:
        found[names.TIMEOUT] = f"{run.timeout:g}"
    return found


def _preparation(run: RunSpec, mounts: volumes.Mounts, options: KubernetesOptions) -> list[Json]:
    """The init container: waits for the peers' names, fetches the code; none where there is nothing to do."""
    if run.kind is not RunKind.EXPERIMENT or (run.code is None and len(run.jobs) == 1):
        return []
    env: list[Json] = [{"name": "TMPDIR", "value": volumes.TMP}]
    if len(run.jobs) > 1:
        service = names.attempt_name(run)
        peers = " ".join(f"{host_of(job)}.{service}" for job in run.jobs)
        env.append({"name": "PEERS", "value": peers})
    if run.code is not None:
        owner, _, project = run.labels["project"].partition(".")
        url = f"{options.api_url}/api/v1/{owner}/{project}/experiments/{run.labels['experiment']}/code"
        env += [{"name": "CODE_URL", "value": url}, token_variable("TOKEN", run)]
    own = [mount for mount in mounts.mounts if mount["mountPath"] in (volumes.CODE, volumes.TMP)]
    return [
        {
            "name": "prepare",
            "image": options.helper_image,
            "command": ["/bin/sh", "-c", literal(PREPARE)],
            "env": env,
            "volumeMounts": own,
            "securityContext": container_security(options),
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
    ]

"""From a build's run to its pod: fetch the files, pull the base, run the steps, push the image."""

import base64
from typing import Any

from app.domain.runs import Resources, RunSpec
from app.launchers.base import LaunchRefused
from app.launchers.kubernetes import names
from app.launchers.kubernetes.build_scripts import BUILD, PULL, PUSH, STEP
from app.launchers.kubernetes.dockerfile import NAME, dockerfile, full_image, step_files
from app.launchers.kubernetes.ends import end_line
from app.launchers.kubernetes.logins import Logins
from app.launchers.kubernetes.manifest import (
    SHELL,
    RunObjects,
    container_security,
    labels_of,
    owner_of,
    pod_basics,
)
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.quantities import resources
from app.launchers.kubernetes.scripts import FETCH, WRAPPER
from app.launchers.kubernetes.variables import literal, token_variable

Json = dict[str, Any]
Keys = frozenset[str]

# What Buildah needs to give its steps a user namespace, measured; docs/kubernetes.md lists it.
CAPABILITIES = ("SETFCAP", "SETGID", "SETUID")
_MOST = 900_000  # bytes of all files together: a Secret takes 1 MiB
_AUTH, _LOGIN, _REGISTRIES = "auth.json", "login", "registries.conf"
_CONTAINERS, _SCRATCH = "/var/lib/containers", "scratch"


def build_objects(run: RunSpec, options: KubernetesOptions, logins: Logins) -> RunObjects:
    """All objects of one attempt of a build. Raises LaunchRefused."""
    assert run.build is not None
    assert options.build_repository is not None
    marks = labels_of(run, options)
    image = run.image or options.default_image
    data = {NAME: dockerfile(run, image), "step": STEP, **step_files(run, options.step_env)}
    data[_REGISTRIES] = _registries(options)
    plain = sorted(data)
    if (auth := logins.text()) is not None:
        data[_AUTH] = auth
    if (login := logins.of(options.build_repository.partition("/")[0])) is not None:
        data[_LOGIN] = login
    if run.token is not None:
        data[names.TOKEN_KEY] = run.token
    if sum(len(text.encode()) for text in data.values()) > _MOST:
        raise LaunchRefused(
            f"its build steps and variables are too long: at most {_MOST // 1000} KB together"
        )
    pod = _pod(run, options, marks, full_image(image), plain, frozenset(data))
    return RunObjects(
        owner_of(run, options), _secret(run, marks, options, data), None, {run.jobs[0].ref: pod}
    )


def _secret(run: RunSpec, marks: Json, options: KubernetesOptions, data: dict[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names.attempt_name(run), "namespace": options.namespace, "labels": marks},
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
    }


def _registries(options: KubernetesOptions) -> str:
    return "unqualified-search-registries = []\n" + "".join(
        f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in options.insecure_registries
    )


def _pod(
    run: RunSpec, options: KubernetesOptions, marks: Json, base: str, plain: list[str], keys: Keys
) -> Json:
    """`plain`: the keys of the Secret that steps may read; `keys`: all that it has."""
    job = run.jobs[0]
    logins = [_secret_volume(run, "logins", [_AUTH])] if _AUTH in keys else []
    fetch = [_fetch(run, options)] if run.code is not None else []
    spec: Json = {
        **pod_basics(run, options),
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "initContainers": [*fetch, _pull(options, base, keys), _push(run, options, keys)],
        "containers": [_main(run, options)],
        "volumes": [
            {"name": _SCRATCH, "emptyDir": {}},
            _secret_volume(run, "build", plain),
            _secret_volume(run, "registries", [_REGISTRIES]),
            *logins,
        ],
    }
    metadata: Json = {
        "name": job.ref.name,
        "namespace": options.namespace,
        "labels": marks | {names.JOB: job.ref.uuid, names.ROLE: job.role.value, names.INDEX: "0"},
        "annotations": {names.END: end_line(job.ref.name)}
        | {f"bunsen/{key}": value for key, value in run.labels.items()},
        "finalizers": [names.FINALIZER],
    }
    spec = {key: value for key, value in spec.items() if value not in ({}, [])}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _pull(options: KubernetesOptions, base: str, keys: Keys) -> Json:
    """Pulls the base image; the only one that sees all logins."""
    variables = {"BASE": base, "GRACE": str(int(options.pull_grace))}
    mounts = [*_STORE, _secret_mount("registries")]
    if _AUTH in keys:
        variables["AUTH"] = f"/bunsen/logins/{_AUTH}"
        mounts.append(_secret_mount("logins"))
    return _buildah(options, "pull", PULL, variables, mounts)


def _push(run: RunSpec, options: KubernetesOptions, keys: Keys) -> Json:
    """A sidecar (Kubernetes 1.29): waits for the image, pushes it, and ends with `main`."""
    variables = {"IMAGE": _image(run, options), "GRACE": str(int(options.pull_grace))}
    mounts = [
        _mount("store", "/bunsen/store", read_only=True),
        _mount("push", _CONTAINERS),
        _mount("push-tmp", "/tmp"),  # noqa: S108
        _HANDOVER,
        _secret_mount("registries"),
    ]
    push = _buildah(options, "push", PUSH, variables, mounts) | {"restartPolicy": "Always"}
    if _LOGIN in keys:
        source = {"secretKeyRef": {"name": names.attempt_name(run), "key": _LOGIN}}
        push["env"].append({"name": "LOGIN", "valueFrom": source})
    return push


def _main(run: RunSpec, options: KubernetesOptions) -> Json:
    """Runs the steps. Its log is the build's."""
    variables = {
        "IMAGE": _image(run, options),
        "CONTAINERS_REGISTRIES_CONF": f"/bunsen/build/{_REGISTRIES}",
    }
    context = _mount("context", "/bunsen/context", read_only=True)
    main = _buildah(
        options, names.MAIN, WRAPPER, variables, [*_STORE, _HANDOVER, context, _secret_mount("build")]
    )
    main["command"] += [run.jobs[0].ref.name, literal(BUILD)]
    # The whole pod's share of its node, whichever of its containers is at work.
    main["resources"] = resources(Resources(requests=options.build_requests))
    main["terminationMessagePolicy"] = "File"
    return main


def _image(run: RunSpec, options: KubernetesOptions) -> str:
    assert run.build is not None
    return f"{options.build_repository}:{run.build.hash}"


def _buildah(
    options: KubernetesOptions, name: str, script: str, variables: dict[str, str], mounts: list[Json]
) -> Json:
    """A container with Buildah: root, but without most of root's rights, and with nothing to write to but its
    mounts. The default seccomp profile would keep it from making a user namespace."""
    variables = {
        **{"HOME": "/tmp", "TMPDIR": "/tmp"},  # noqa: S108
        "CONTAINERS_REGISTRIES_CONF": f"/bunsen/registries/{_REGISTRIES}",
        **variables,
    }
    return {
        "name": name,
        "image": options.builder_image,
        "command": [SHELL, "-c", literal(script)],
        "env": [{"name": key, "value": literal(value)} for key, value in variables.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(CAPABILITIES)},
        },
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _fetch(run: RunSpec, options: KubernetesOptions) -> Json:
    """As a job fetches its code, and as whom."""
    owner, _, project = run.labels["project"].partition(".")
    url = f"{options.api_url}/api/v1/{owner}/{project}/builds/{run.labels['build']}/code"
    plain = {"TMPDIR": "/bunsen/tmp", "TARGET": "/bunsen/context", "CODE_URL": url}
    return {
        "name": "fetch",
        "image": options.helper_image,
        "command": [SHELL, "-c", literal(FETCH)],
        "env": [
            *({"name": key, "value": value} for key, value in plain.items()),
            token_variable("TOKEN", run),
        ],
        "volumeMounts": [_mount("context", "/bunsen/context"), _mount("fetch", "/bunsen/tmp")],
        "securityContext": {
            **container_security(options),
            "runAsUser": options.uid,
            "runAsGroup": options.gid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _mount(sub: str, path: str, *, read_only: bool = False) -> Json:
    mount: Json = {"name": _SCRATCH, "mountPath": path, "subPath": sub}
    return mount | {"readOnly": True} if read_only else mount


def _secret_mount(name: str) -> Json:
    return {"name": name, "mountPath": f"/bunsen/{name}", "readOnly": True}


def _secret_volume(run: RunSpec, name: str, keys: list[str]) -> Json:
    items = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": {"secretName": names.attempt_name(run), "items": items}}


_HANDOVER = _mount("handover", "/bunsen/handover")
_STORE = (_mount("store", _CONTAINERS), _mount("tmp", "/tmp"))  # noqa: S108

"""A build's pod: who has which secret, who may write where, and what it may do."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from app.launchers.base import LaunchRefused
from app.launchers.kubernetes.build_manifest import build_objects
from app.launchers.kubernetes.logins import Logins
from tests.launchers.kubernetes.specs import BUSYBOX, REGISTRY, build_of, builds_of

LOGINS = Logins({REGISTRY: {"auth": base64.b64encode(b"robot:sesame").decode()}})


def pod_of(logins: Logins = LOGINS, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod of a build, and what its Secret holds."""
    run = build_of("pip install x", token="t0k3n", code="ab" * 32, **more)
    objects = build_objects(run, builds_of(Path("/data"), "here", registry_secret="login"), logins)
    assert objects.secret is not None
    data = {key: base64.b64decode(value).decode() for key, value in objects.secret["data"].items()}
    return objects.pods[run.jobs[0].ref], data


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = pod["spec"]
    return {container["name"]: container for container in [*spec["initContainers"], *spec["containers"]]}


def test_it_fetches_then_pulls_and_pushes_beside_the_steps() -> None:
    pod, _ = pod_of()
    found = containers(pod)
    assert list(found) == ["fetch", "pull", "push", "main"]
    assert [name for name, container in found.items() if "restartPolicy" in container] == ["push"]
    assert "fetch" not in containers(_without_code())
    assert {"name": "BASE", "value": BUSYBOX} in found["pull"]["env"]


def _without_code() -> dict[str, Any]:
    run = build_of("true")
    return build_objects(run, builds_of(Path("/data"), "here"), LOGINS).pods[run.jobs[0].ref]


def test_secrets_are_only_named_and_the_steps_have_none() -> None:
    pod, data = pod_of()
    assert not any(word in json.dumps(pod) for word in ("t0k3n", "sesame", "hidden"))
    assert (data["token"], data["login"]) == ("t0k3n", "robot:sesame")
    found = containers(pod)
    keys = {
        volume["name"]: {item["key"] for item in volume["secret"]["items"]}
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }
    having: dict[str, set[str]] = {}
    for name, container in found.items():
        mounted = {key for mount in container["volumeMounts"] for key in keys.get(mount["name"], ())}
        named = {
            variable["valueFrom"]["secretKeyRef"]["key"]
            for variable in container["env"]
            if "valueFrom" in variable
        }
        having[name] = mounted | named
    assert having == {
        "fetch": {"token"},
        "pull": {"registries.conf", "auth.json"},
        "push": {"registries.conf", "login"},
        "main": {"Dockerfile", "step", "variables", "command-1", "registries.conf"},
    }


def test_it_requests_what_the_settings_say_for_the_pod_as_a_whole() -> None:
    """By its longest container: a node's share is the pod's."""
    pod, _ = pod_of()
    asked = {name: container.get("resources") or {} for name, container in containers(pod).items()}
    assert asked.pop("main") == {"requests": {"cpu": "50m", "memory": "67108864"}}
    assert not any(asked.values())


def test_no_container_has_more_rights_than_buildah_needs() -> None:
    pod, _ = pod_of()
    for name, container in containers(pod).items():
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert "privileged" not in security
        assert security["capabilities"]["drop"] == ["ALL"]
        wanted = None if name == "fetch" else ["SETFCAP", "SETGID", "SETUID"]
        assert security["capabilities"].get("add") == wanted
        assert security.get("readOnlyRootFilesystem", False) is (name != "fetch")
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_what_pushes_can_not_be_written_to_by_steps() -> None:
    pod, _ = pod_of()
    found = containers(pod)
    shared = {mount["subPath"] for mount in found["main"]["volumeMounts"] if not mount.get("readOnly", False)}
    push = {mount["subPath"]: mount for mount in found["push"]["volumeMounts"] if "subPath" in mount}
    assert {name for name in shared & set(push) if not push[name].get("readOnly")} == {"handover"}


def test_without_a_login_it_goes_without() -> None:
    pod, data = pod_of(Logins({}))
    assert not {"auth.json", "login"} & set(data)
    assert "AUTH" not in {variable["name"] for variable in containers(pod)["pull"]["env"]}


def test_steps_that_no_secret_can_hold_are_refused() -> None:
    run = build_of(*["x" * 100_000] * 10)
    with pytest.raises(LaunchRefused, match="at most 900 KB"):
        build_objects(run, builds_of(Path("/data"), "here"), Logins({}))


@pytest.mark.parametrize(
    ("auths", "host", "login"),
    [
        ({"h:1": {"auth": base64.b64encode(b"u:p:q").decode()}}, "h:1", "u:p:q"),
        ({"https://h/v1/": {"username": "u", "password": "p"}}, "h", "u:p"),
        ({"https://index.docker.io/v1/": {"username": "u", "password": "p"}}, "docker.io", "u:p"),
        ({"h": {"auth": "no base64"}}, "h", None),
        ({"h": {}}, "h", None),
        ({"h": {"username": "u"}}, "other", None),
    ],
)
def test_a_registrys_login_is_found_as_docker_writes_it(
    auths: dict[str, Any], host: str, login: str | None
) -> None:
    assert Logins(auths).of(host) == login

"""What helm makes of the chart with some values, in a namespace `here` as a release `trial`."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.launchers.kubernetes.conftest import no_cluster

CHART = Path(__file__).parents[2] / "deploy" / "chart"
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "api"}},
}
PAGE = CHART.parents[1] / "docs" / "install-kubernetes.md"
TRIAL = ("--set", "postgres.enabled=true")
EVERYTHING = (
    *TRIAL,
    *("--set", "ingress.enabled=true,ingress.host=bunsen.test,ingress.tlsSecret=tls"),
    *("--set", "networkPolicy.enabled=true,pullSecrets={login},publicUrl=https://bunsen.test"),
    *(
        "--set",
        "registry.repository=images.test:5000/ours,registry.secret=push,registry.insecure={images.test:5000}",
    ),
    *("--set", "registry.url=http://images:5000,jobs.builderImage=images.test:5000/buildah:1"),
    *("--set-json", 'settings={"GRACE":60,"MAX_BODY":10485760,"DATA_VOLUMES":{"mnist":"pvc:mnist"}}'),
    *("--set-json", 'settings.TRUSTED_PROXIES=["10.0.0.0/8","::1"]'),
    *("--set-json", 'extraEnv=[{"name":"HTTPS_PROXY","value":"http://proxy.test"}]'),
    *("--set-json", 'extraEnvFrom=[{"secretRef":{"name":"more"}}]'),
    *("--set", "podAnnotations.a=b,podLabels.team=lab,serviceAccount.annotations.a=b"),
    *("--set", "api.priorityClassName=high,api.nodeSelector.disk=fast,migration.nodeSelector.disk=fast"),
    *("--set-json", f"api.topologySpreadConstraints=[{json.dumps(SPREAD)}]"),
)
WITHOUT_SECRETS = ("--set", "database.existingSecret=db,rootPassword.existingSecret=first")


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program of the cluster's tools."""
    if shutil.which(words[0]) is None:
        no_cluster(f"no {words[0]} is in PATH")
    return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def render(*more: str, namespace: str = "here") -> subprocess.CompletedProcess[str]:
    words = ("helm", "template", "trial", str(CHART), "--namespace", namespace, "--kube-version", "1.34")
    return run(*words, *more)


@cache
def objects(*more: str) -> tuple[dict[str, Any], ...]:
    result = render(*more)
    assert result.returncode == 0, result.stderr
    return tuple(item for item in YAML(typ="safe").load_all(result.stdout) if item)


def of_kind(kind: str, *more: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in objects(*more) if item["kind"] == kind}


def pod_specs(*more: str) -> dict[str, dict[str, Any]]:
    """By the name of what makes the pods."""
    made = {
        item["metadata"]["name"]: item["spec"].get("template") for item in objects(*more) if "spec" in item
    }
    return {name: template["spec"] for name, template in made.items() if template is not None}


def containers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec["containers"]]

"""Pods of the service's own: they prove that pods reach it and share its outputs, and clear outputs."""

import asyncio
import secrets
from contextlib import aclosing
from pathlib import Path
from typing import Any

from app.disk import delete_tree
from app.launchers.base import LaunchDelayed, LauncherUnusable
from app.launchers.kubernetes import diagnose, names
from app.launchers.kubernetes.client import ApiRefused, Cluster
from app.launchers.kubernetes.knowledge import Knowledge
from app.launchers.kubernetes.manifest import pod_security
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.outputs import make_outputs
from app.launchers.kubernetes.volumes import source_of
from app.volumes import Volume

Json = dict[str, Any]

_PROVE = """\
said=$(timeout 5 wget -q -O /dev/null "$URL/healthz" 2>&1) || { echo "healthz: $said"; exit 1; }
echo "$WORD" >/volume/word || exit 2
"""
_CLEAR = "rm -rf /volume/* /volume/.[!.]* /volume/..?*"
_TRIES = 20.0  # seconds in which the service may come up, or a route


class Helpers:
    """Runs small pods to their end; what an earlier process left of them is removed at the start."""

    def __init__(self, cluster: Cluster, knowledge: Knowledge, options: KubernetesOptions) -> None:
        self._cluster = cluster
        self._knowledge = knowledge
        self._options = options

    async def prove(self) -> None:
        """Pods reach the service, and it sees what they write. Raises LauncherUnusable, LauncherAway."""
        until = asyncio.get_running_loop().time() + _TRIES
        while True:
            said = await self._prove_once()
            if said is None:
                return
            if asyncio.get_running_loop().time() > until:
                raise LauncherUnusable(said)
            await asyncio.sleep(1.0)

    async def clear(self, volume: Volume, uuid: str) -> None:
        """Empty the outputs folder as root. Raises LaunchDelayed, LauncherAway."""
        run_as = {"runAsUser": 0, "runAsGroup": 0}
        said = await self._run(names.HELPER, _CLEAR, {}, volume, uuid, run_as)
        if said is not None:
            raise LaunchDelayed(f"the outputs {uuid} could not be cleared by a pod: {said}")

    async def remove_left(self) -> None:
        """Delete the pods that an earlier process left. Raises LauncherAway."""
        for pod in self._knowledge.pods():
            if pod["metadata"]["labels"].get(names.COMPONENT) in {names.HELPER, names.PROOF}:
                await self._delete(pod["metadata"]["name"])

    async def _prove_once(self) -> str | None:
        """What is wrong, as a whole sentence; None if nothing is."""
        options, word = self._options, secrets.token_hex(8)
        place = Path(options.outputs.path or "") / f"proof{word}"
        try:
            await asyncio.to_thread(make_outputs, place, options.uid, options.gid)
        except OSError as error:
            return f"The service can't write to its outputs at {options.outputs.path}: {error.strerror}."
        try:
            variables = {"URL": options.api_url, "WORD": word}
            said = await self._run(names.PROOF, _PROVE, variables, options.outputs, place.name, {})
            if said is not None and "healthz:" in said:
                why = said.partition("healthz:")[2].strip() or "no answer"
                return f"Pods don't reach the service at {options.api_url} (BUNSEN_ADVERTISE_URL): {why}."
            if said is not None:
                return f"A pod that proves that pods reach the service failed: {said}."
            written = await asyncio.to_thread(_read, place / "word")
            if written != word:
                return (
                    f"The service does not see at {options.outputs.path} what pods write to the volume "
                    f"{options.outputs.kind}:{options.outputs.source} (BUNSEN_OUTPUTS_VOLUME)."
                )
            return None
        finally:
            await asyncio.to_thread(delete_tree, place)

    async def _run(
        self, component: str, script: str, variables: dict[str, str], volume: Volume, sub: str, run_as: Json
    ) -> str | None:
        """Run the script in a pod with that folder; None if it succeeded, else what it said."""
        pod = self._pod(component, script, variables, volume, sub, run_as)
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{self._options.namespace}/pods"
        try:
            self._knowledge.put(await self._cluster.create(path, pod))
        except ApiRefused as refusal:
            return f"the cluster refuses it: {refusal.message}"
        try:
            async with asyncio.timeout(self._options.proof_seconds):
                return await self._end_of(name)
        except TimeoutError:
            return f"it did not end within {self._options.proof_seconds:g} s: {self._waits_for(name)}"
        finally:
            await self._delete(name)

    async def _end_of(self, name: str) -> str | None:
        async with aclosing(self._knowledge.changes()) as changes:
            async for _ in changes:
                end = diagnose.terminated(self._knowledge.pod(name) or {"status": {}})
                if end is not None:
                    return (
                        None if end["exitCode"] == 0 else str(end.get("message") or end["exitCode"]).strip()
                    )
        return "the watch ended"

    def _waits_for(self, name: str) -> str:
        pod = self._knowledge.pod(name)
        if pod is None:
            return "it is gone"
        around = self._knowledge.around(pod)
        return diagnose.waits_for(pod, around.warning) or diagnose.unscheduled(pod) or "it runs yet"

    async def _delete(self, name: str) -> None:
        try:
            await self._cluster.delete(f"/api/v1/namespaces/{self._options.namespace}/pods/{name}", grace=0)
        except ApiRefused:
            return  # it owns nothing, and the next start removes it

    def _pod(
        self, component: str, script: str, variables: dict[str, str], volume: Volume, sub: str, run_as: Json
    ) -> Json:
        options = self._options
        container: Json = {
            "name": names.MAIN,
            "image": options.helper_image,
            "command": ["/bin/sh", "-c", script],
            "env": [{"name": key, "value": value} for key, value in variables.items()],
            "volumeMounts": [{"name": "volume", "mountPath": "/volume", "subPath": sub}],
            "securityContext": {"allowPrivilegeEscalation": False},
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
        spec: Json = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security(options) | run_as,
            "containers": [container],
            "volumes": [{"name": "volume", **source_of(volume)}],
        }
        if options.pull_secrets:
            spec["imagePullSecrets"] = [{"name": name} for name in options.pull_secrets]
        metadata: Json = {
            "name": f"bunsen-{component}-{secrets.token_hex(8)}",
            "namespace": options.namespace,
            "labels": names.labels(options.installation, component),
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None

"""Builds on a cluster: images in a registry, by the hash of what makes them, and what builds one."""

import logging
import time

from app.domain.runs import RunSpec
from app.launchers.amounts import seconds_text
from app.launchers.base import LaunchDelayed, LauncherAway, LaunchRefused
from app.launchers.kubernetes.build_manifest import build_objects
from app.launchers.kubernetes.client import Cluster
from app.launchers.kubernetes.logins import Logins, read_logins
from app.launchers.kubernetes.manifest import RunObjects
from app.launchers.kubernetes.options import KubernetesOptions
from app.launchers.kubernetes.registry import Registry, RegistryAway, RegistryRefused

logger = logging.getLogger(__name__)

_NO_REGISTRY = (
    "its build steps make an image, and no registry is set to keep it: BUNSEN_REGISTRY names one; or name an "
    "image that has what the steps install"
)
_NO_BUILDER = "its build steps make an image, but none with Buildah is set: BUNSEN_BUILDER_IMAGE names one"
_ASKED = 60.0  # seconds: who waits asks more often


class Builds:
    """What one launcher knows of built images; the registry has them."""

    def __init__(self, cluster: Cluster, options: KubernetesOptions) -> None:
        self._cluster = cluster
        self._options = options
        self._registry: Registry | None = None
        self._away: tuple[float, float] | None = None  # since when, and when it was last asked

    async def close(self) -> None:
        """Close the connections to the registry."""
        if self._registry is not None:
            await self._registry.close()

    async def find(self, build_hash: str) -> str | None:
        """The image of that hash by its digest, as nodes pull it; None where there is none yet.

        Raises LaunchRefused, LaunchDelayed.
        """
        repository = self._options.build_repository
        if repository is None:
            raise LaunchRefused(_NO_REGISTRY)
        try:
            digest = await self._open(repository).digest(build_hash)
        except RegistryRefused as refusal:
            raise LaunchRefused(f"the registry of {repository} refuses the service: {refusal}") from refusal
        except RegistryAway as error:
            raise self._is_away(repository, error) from error
        self._away = None
        return None if digest is None else f"{repository}@{digest}"

    async def remove(self, image: str) -> None:
        """Delete an image that nothing uses. One that the registry keeps stays there."""
        repository, _, digest = image.partition("@")
        if repository != self._options.build_repository or not digest:
            return  # made for another registry, which the settings name no more
        try:
            if not await self._open(repository).delete(digest):
                logger.info("the registry of %s deletes no images: %s stays", repository, image)
        except (RegistryRefused, RegistryAway, LaunchRefused, LaunchDelayed) as error:
            logger.warning("%s could not be deleted: %s", image, error)

    async def objects(self, run: RunSpec) -> RunObjects:
        """What a build is made of. Raises LaunchRefused, LaunchDelayed."""
        if self._options.build_repository is None:
            raise LaunchRefused(_NO_REGISTRY)
        if self._options.builder_image is None:
            raise LaunchRefused(_NO_BUILDER)
        return build_objects(run, self._options, await self._logins())

    async def _logins(self) -> Logins:
        try:
            return await read_logins(self._cluster, self._options.namespace, self._options.image_secrets)
        except LauncherAway as error:
            raise LaunchDelayed(f"waits for its registry's login: {error}") from error

    def _open(self, repository: str) -> Registry:
        if self._registry is None:
            host, _, path = repository.partition("/")
            insecure = host in self._options.insecure_registries
            url = self._options.registry_url or f"{'http' if insecure else 'https'}://{host}"

            async def login() -> str | None:
                return (await self._logins()).of(host)

            self._registry = Registry(url, path, verify=not insecure, login=login)
        return self._registry

    def _is_away(self, repository: str, error: RegistryAway) -> Exception:
        """It may come back, but not for ever: as with an image that a pod waits for."""
        now, grace = time.monotonic(), self._options.pull_grace
        since, last = self._away or (now, now)
        if now - last > _ASKED:
            since = now  # nobody waited meanwhile
        self._away = (since, now)
        if now - since < grace:
            return LaunchDelayed(f"waits for the registry of {repository}: {error}")
        return LaunchRefused(
            f"the registry of {repository} could not be reached for {seconds_text(grace)}: {error}"
        )

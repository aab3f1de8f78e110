"""The versions that clients ask for."""

from dataclasses import dataclass
from importlib.metadata import version

PLATFORM = version("bunsen")

# Clients of the document's day compare themselves with these: one older than `min` refuses to work, and one
# that isn't `latest` says so. The API is that of 0.2, and every client of it works.
OLDEST_CLIENT = "0.0.0"
NEWEST_CLIENT = "0.2.9"


@dataclass(frozen=True, slots=True)
class Versions:
    """What works with this service: from one version to another."""

    latest_version: str
    min_version: str


CLIENTS = Versions(NEWEST_CLIENT, OLDEST_CLIENT)
PLATFORMS = Versions(PLATFORM, PLATFORM)

"""What is used here of kubernetes_asyncio: its configuration and its HTTP client.

The package imports all of itself: 850 modules, a class for each kind of object, though this service reads
raw JSON. They cost a process 1.7 s of CPU, for which each takeover waits, and 73 MB; what is used costs 0.2 s
and 3 MB.
"""

import importlib.util
import sys
from types import ModuleType


def _unexecuted(name: str) -> ModuleType:
    """The package, so that its modules can be imported, without what its `__init__` imports."""
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"there is no {name}")
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return sys.modules[name]


_unexecuted("kubernetes_asyncio")
_client = _unexecuted("kubernetes_asyncio.client")
_unexecuted("kubernetes_asyncio.client.models")

from kubernetes_asyncio.client.api_client import ApiClient  # noqa: E402
from kubernetes_asyncio.client.configuration import Configuration  # noqa: E402

_client.__dict__.update(ApiClient=ApiClient, Configuration=Configuration)  # the configuration looks there

from kubernetes_asyncio.config import (  # noqa: E402
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

__all__ = ["ApiClient", "ConfigException", "Configuration", "load_incluster_config", "load_kube_config"]

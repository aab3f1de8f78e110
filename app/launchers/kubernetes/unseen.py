"""Whether the end of a pod's log went nowhere, from the pod's JSON and its node's. Pure.

What a container prints reaches its log through the node's runtime. While that is away, pipes hold it, but
only as long as the container runs: of one that ends meanwhile they are dropped. No status says so, but the
wrapper's last line is missing then (`ends.py`). One that was killed with its container prints none, and those
of pods of earlier versions don't; of them this tells: the node became ready only after the end, and its
kubelet knew of the end only later. (Late alone is no sign: a kubelet that is busy may be a minute late.)
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.launchers.kubernetes import names
from app.launchers.kubernetes.diagnose import LOST_CONTAINER, conditions, terminated, time_of

_NOTICED = timedelta(seconds=5)  # in which a kubelet that is not held up knows of an end
_KILLED = 137  # the exit code of a container that was killed with its wrapper, or whose command was
_READ = timedelta(seconds=1)  # before an end: who was read until then printed no more; kubelets tell seconds


def unseen_end(pod: Mapping[str, Any], node_ready: datetime | None, read: datetime) -> datetime | None:
    """Until when lines may have been lost of a log that was `read` to the last line that there is, and that
    lacks its wrapper's end; None where its node was there to see the end. `node_ready`: since when the node
    is ready, None where it is not."""
    end = terminated(pod)
    if end is None:
        return None
    finished, known = time_of(end.get("finishedAt")), None
    for condition in conditions(pod):
        # Not `Ready`: of a node that is lost the control plane writes that one.
        if condition["type"] == "ContainersReady" and condition["status"] == "False":
            known = time_of(condition.get("lastTransitionTime"))
    if end.get("reason") in LOST_CONTAINER:
        return max(time for time in (finished, known, read) if time is not None)
    says_end = names.END in (pod["metadata"].get("annotations") or {})
    if says_end and finished is not None and end.get("exitCode") != _KILLED:
        return max(finished, read)
    if finished is None or known is None or (node_ready is not None and finished >= node_ready):
        return None
    return finished if known - finished > _NOTICED and finished - read > _READ else None

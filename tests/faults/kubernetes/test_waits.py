"""What waits for the cluster, with the settings' own times and at full length: 3 minutes, all at once."""

import pytest

from tests.faults.kubernetes.pods import PROMPT, OnPods, reported, tell
from tests.faults.kubernetes.test_ends import CAST

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GRACE, NODE = 180.0, 60.0  # seconds: the pull grace as it is unless set, and a schedule timeout


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name != "BUNSEN_PULL_GRACE"}
    return kept | {"BUNSEN_SCHEDULE_TIMEOUT": f"{NODE:g}"}


def waited(pods: OnPods, id: int, words: str) -> float:
    """Seconds from when it was told of these words until it failed with them."""
    row = pods.row(id, lambda _, said: words in said)
    word, said = pods.end(id, 300)
    assert word == "failed"
    assert words in said
    return (reported(pods.rows(id)[-1]["created_at"]) - reported(row["created_at"])).total_seconds()


def test_1_2_18_each_fails_after_its_time_with_its_reason(pods: OnPods) -> None:
    reasons = {
        "no image": ("1", "ErrImagePull: ", GRACE),
        "no secret": ("18", 'secret "nowhere" not found', GRACE),
        "no volume": ("18", 'persistentvolumeclaim "nowhere" not found', GRACE),
        "no node": ("2", "Insufficient cpu", NODE),
    }
    ids = {name: pods.create(CAST[name][0], **CAST[name][1]) for name in reasons}
    for name, (row, words, seconds) in reasons.items():
        took = waited(pods, ids[name], words)
        tell(row, f"{name}: failed after its reason, with {seconds:g} s", took)
        assert seconds - 5 < took < seconds + 4 + PROMPT

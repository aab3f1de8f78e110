"""A row of metrics, as it is answered."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from app.domain.metrics import MetricValue
from app.domain.times import iso

MetricJson = dict[str, Any]


class MetricRow(NamedTuple):
    """One stored point of an experiment."""

    experiment_id: int
    experiment_uuid: str
    id: int
    created_at: datetime
    values: Mapping[str, MetricValue]
    step: int | None

    def as_json(self) -> MetricJson:
        """The documented keys. The uuid is made from the experiment's and the id: the same each time."""
        name = f"{self.experiment_uuid}.{self.id}"
        return {
            "id": self.id,
            "uuid": hashlib.blake2b(name.encode(), digest_size=16).hexdigest(),
            "created_at": iso(self.created_at),
            "values": self.values,
            "step": self.step,
            "experiment": self.experiment_id,
        }

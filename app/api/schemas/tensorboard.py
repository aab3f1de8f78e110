"""An experiment's TensorBoard as it is answered."""

from pydantic import Field

from app.api.schemas.base import BodyModel, JsonObject, ReadModel, Time
from app.domain.lifecycle import Status


class Tensorboard(ReadModel):
    """Where an experiment's TensorBoard is."""

    status: Status = Field(description="Where it stands; `stopped` when there is none.", examples=["running"])
    url: str | None = Field(
        description="Lets one browser in, once; null while none runs.",
        examples=["http://127.0.0.1:8000/tensorboard/root/quick-start/experiments/1/?ticket=4f2a"],
    )
    expires_at: Time | None = Field(description="Until when the URL is good.")


class TensorboardStart(BodyModel):
    """Taken and ignored: older clients send it."""

    config: JsonObject | None = Field(None, description="Without effect.", deprecated=True, examples=[None])

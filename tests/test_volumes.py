"""Volumes as settings write them; a mistake is told with what was expected."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from app.volumes import Volume, read_volume


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("/srv/data", Volume("hostPath", "/srv/data", "/srv/data")),
        ("hostPath:/srv/data", Volume("hostPath", "/srv/data", "/srv/data")),
        ("pvc:data", Volume("pvc", "data", None)),
        ("pvc:data:/mnt/data", Volume("pvc", "data", "/mnt/data")),
    ],
)
def test_each_form(text: str, volume: Volume) -> None:
    assert read_volume(text) == volume


@pytest.mark.parametrize("text", ["", "data", "hostPath:data", "pvc:", "pvc:A", "pvc:data:mnt", "nfs:/x"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hostPath:/PATH, pvc:NAME or pvc:NAME:/PATH is expected"):
        read_volume(text)


class TestOutputs:
    """Where the service itself finds them."""

    DATA = Path("/srv/bunsen")

    def root(self, outputs: str | None, volume: str | None = None, launcher: str = "kubernetes") -> Path:
        volumes = {"big": "pvc:big:/mnt/big"}
        settings = Settings.model_validate(
            {"data": self.DATA, "launcher": launcher, "outputs_volume": outputs, "outputs_volumes": volumes}
        )
        return settings.outputs_root(volume)

    @pytest.mark.parametrize(
        ("outputs", "path"),
        [
            (None, "/srv/bunsen/outputs"),
            ("hostPath:/mnt/outputs", "/mnt/outputs"),
            ("pvc:claim", "/srv/bunsen/outputs"),
            ("pvc:claim:/mnt/claim", "/mnt/claim"),
        ],
    )
    def test_unless_a_spec_names_a_volume(self, outputs: str | None, path: str) -> None:
        assert self.root(outputs) == Path(path)
        assert self.root(outputs, launcher="local") == self.DATA / "outputs"
        assert self.root(outputs, "forgotten") == Path(path)

    def test_on_a_volume(self) -> None:
        assert self.root(None, "big") == Path("/mnt/big")

    def test_a_mistake_is_told(self) -> None:
        with pytest.raises(ValidationError, match="'claim' is no volume"):
            self.root("claim")

"""Where outputs lie: on the volume that the experiment names, else in the data folder."""

from app.settings import Settings
from app.storage.outputs import Outputs
from app.storage.trees import copy_tree


def outputs_on(settings: Settings, volume: str | None) -> Outputs:
    """The outputs of a volume; None is the data folder. One that the settings don't name any more is, too."""
    return Outputs(settings.outputs_root(volume))


def copy_outputs(settings: Settings, source: str, target: str, volume: str | None) -> None:
    """Make the outputs of `target` a copy of those of `source`, wherever these lie. Blocking; twice is once.

    Raises InsufficientStorage, OSError.
    """
    places = [outputs_on(settings, None), *(outputs_on(settings, name) for name in settings.outputs_volumes)]
    found = next((place.path(source) for place in places if place.path(source).is_dir()), None)
    copy_tree(found or places[0].path(source), outputs_on(settings, volume).path(target))

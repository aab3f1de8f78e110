"""Whether the disk that files are stored on has room."""

import shutil
from pathlib import Path

LITTLE = 16 * 1024**2  # bytes


def lack_of_space(folder: Path) -> str | None:
    """Says so, in a few words, when there is hardly any space for the service's files; None while there is,
    or where nobody can tell."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return f"no space ({free // 1024**2} MiB are left)" if free < LITTLE else None

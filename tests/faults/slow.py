"""A task that takes its time."""

from __future__ import annotations

import time
from pathlib import Path


def write_slowly(folder: str, seconds: float) -> None:
    """Leaves the file `begun` at once and the file `finished` after a while."""
    (Path(folder) / "begun").touch()
    time.sleep(seconds)
    (Path(folder) / "finished").touch()

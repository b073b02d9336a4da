"""A disk of its own that can be filled to the last byte."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


class NoSmallDisk(Exception):
    """Nothing can be mounted here; the message says why."""


class SmallDisk:
    """A tmpfs of so many megabytes, mounted in `folder`. Needs root."""

    def __init__(self, megabytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sms-disk-"))
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", str(self.folder)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            self.folder.rmdir()
            raise NoSmallDisk(ended.stderr.strip())
        self._ballast = self.folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self._ballast.unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()

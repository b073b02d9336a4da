"""A clock that can be set while those who read it run: libfaketime, preloaded into them."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime
from pathlib import Path

from .services import MissingBinary

LIBRARIES = "*/faketime/libfaketimeMT.so.1"
#: For how long a process believes what it last read in the file, in seconds of the real clock.
CACHE_SECONDS = 1


class FakeClock:
    """
    The wall clock of all processes that have `variables` in their environment; real time until it is set.

    The clocks that only measure (CLOCK_MONOTONIC, CLOCK_BOOTTIME) are left alone, as when a machine's clock is set.
    """

    def __init__(self) -> None:
        libraries = sorted(Path("/usr/lib").glob(LIBRARIES))
        if not libraries:
            raise MissingBinary("libfaketime is not installed (Debian's package faketime)")
        # The database server, which runs as somebody else, must be able to read it.
        self._folder = Path(tempfile.mkdtemp(prefix="sms-clock-"))
        self._folder.chmod(0o755)
        self._file = self._folder / "offset"
        self._offset = 0.0
        self._write()
        self.variables = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(Path(__file__).parent / "faked_clock"),
        }

    def now(self) -> float:
        """Seconds since 1970 by this clock."""
        return time.time() + self._offset

    def move(self, seconds: float) -> None:
        """Forward, or back; it goes on from there. Returns when everybody must have noticed."""
        self._offset += seconds
        self._write()
        time.sleep(CACHE_SECONDS + 0.5)

    def set(self, at: datetime) -> None:
        """To an aware time; it goes on from there."""
        self.move(at.timestamp() - self.now())

    def remove(self) -> None:
        self._file.unlink()
        self._folder.rmdir()

    def _write(self) -> None:
        new = self._folder / "new"
        new.write_text(f"{self._offset:+.3f}\n")
        os.replace(new, self._file)

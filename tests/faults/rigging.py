"""Rigged workers of an installation: switches kill or stop a process at a boundary of the engine."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from tests.processes import wait_for
from tests.rigged import Rig

from .installation import SendingInstallation
from .program import Program

SETTLE_SECONDS, GAP_SECONDS = 3, 1
#: For `install()`.
WAITS = {
    "SMS_LEASE_SECONDS": "10",
    "SMSC_TIMEOUT": "3",
    "SMS_SETTLE_SECONDS": str(SETTLE_SECONDS),
    "SMS_LOOKUP_GAP_SECONDS": str(GAP_SECONDS),
}


class RiggedInstallation:
    """Beside an installation; `points` are boundaries of `rigged.ALL_BOUNDARIES`."""

    def __init__(self, installation: SendingInstallation) -> None:
        self.installation = installation
        self._folder = installation.folder / "struck"
        self._folder.mkdir()

    def start_workers(self, points: Iterable[str] = (), *, what: str = "kill", workers: int = 1) -> Program:
        """A worker cluster in which one process is killed, or stopped ("stop"), at each of these boundaries."""
        rig = Rig(str(self._folder), dict.fromkeys(points, what))
        variables = {**rig.to_environment(), "SMS_WORKERS": str(workers)}
        return self.installation.start_command("worker", ["-m", "tests.rigged", "qcluster"], variables=variables)

    def struck(self) -> dict[str, int]:
        """Boundary -> the process that was killed or stopped there."""
        return {path.name: int(path.readlink().name) for path in self._folder.iterdir()}

    def wait_until_struck(self, *points: str) -> None:
        for point in points:
            wait_for(functools.partial(self._is_struck, point), f"a process {point}")

    def _is_struck(self, point: str) -> bool:
        return point in self.struck()

    def let_go_on(self) -> None:
        """SIGCONT to all that were stopped."""
        for pid in self.struck().values():
            os.kill(pid, signal.SIGCONT)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

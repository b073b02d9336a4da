"""A long-running command of the project, as a supervisor would run it: in a session of its own, with a log."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.processes import BASE_DIR, PATIENCE_SECONDS

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def end_with_the_tests() -> None:
    """For `preexec_fn`: a process that outlives the tests, which may be killed too, is told to end (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Program:
    """`python <arguments>`, which leads the process group that its descendants belong to."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path = BASE_DIR
    ) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_the_tests,
            )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def output(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        """Ask the main process to finish what was begun, as every supervisor does; its exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    def wait(self) -> int:
        """The exit code, once it has ended by itself."""
        return self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """kill -9 to every process of the session, also to those that a child started in a group of their own."""
        for pid in [*self.pids(), *self._descendants()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def pids(self) -> list[int]:
        """The living processes of the group, in the order of their start."""
        return sorted(pid for pid, (_parent, group) in _processes().items() if group == self._process.pid)

    def _descendants(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for pid, (parent, _group) in _processes().items():
            children.setdefault(parent, []).append(pid)
        found, wanted = [], [self._process.pid]
        while wanted:
            wanted += (below := children.get(wanted.pop(), []))
            found += below
        return found


def _processes() -> dict[int, tuple[int, int]]:
    """pid -> (parent, process group) of everything that runs; the dead that nobody has waited for are left out."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # After the name, which may hold anything: state, parent, process group (proc(5)).
            state, parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            if state != "Z":
                found[int(entry.name)] = (int(parent), int(group))
    return found

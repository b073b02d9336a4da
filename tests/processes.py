"""Starts the project's real commands in an environment of their own, and finds every process that belongs to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
#: Far longer than anything here takes, so that a slow machine fails no test.
PATIENCE_SECONDS = 180


def clean_environment(**variables: str) -> dict[str, str]:
    """The variables given and what every program needs; nothing of the developer's, and no .env."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"ENV_FILE": os.devnull} | variables


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`manage.py ...` to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Fails the test when it does not come true."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"waited in vain for: {what}"
        time.sleep(0.1)


class Installation:
    """A real `manage.py run` on SQLite in a folder of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.port = free_port()
        self.log = folder / "run.log"
        self._database = f"sqlite:///{folder / 'db.sqlite3'}"
        self.variables = {"DATABASE_URL": self._database, "DJANGO_DEBUG": "1", **variables}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self, *arguments: str) -> Installation:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--port", str(self.port), *arguments],
                cwd=BASE_DIR,
                env=clean_environment(**self.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def wait_until_ready(self) -> None:
        wait_for(lambda: "Press Ctrl-C to stop" in self.output or self.has_ended, f"start of {self.process.args!r}")
        assert not self.has_ended, self.output
        wait_for(lambda: self.health().get("worker") == "alive", "a worker")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the command alone, as `kill` does, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill_everything(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(PATIENCE_SECONDS)

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def output(self) -> str:
        return self.log.read_text()

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as response:
                return dict(json.load(response))
        except OSError:
            return {}

    def pids(self, *words: str) -> list[int]:
        """The living processes of this installation whose command line has these words, oldest first."""
        marker = f"DATABASE_URL={self._database}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                started = int((entry / "stat").read_text().rpartition(")")[2].split()[19])
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if marker in environment.split(b"\0") and all(word in command for word in words):
                found.append((started, int(entry.name)))
        return [pid for _, pid in sorted(found)]

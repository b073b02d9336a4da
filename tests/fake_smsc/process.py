"""The fake SMSC.ru as a process of its own, with the same methods as the one in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from .account import Message
from .server import CONTROLLED

ROOT = Path(__file__).resolve().parents[2]


class FakeSmscProcess:
    """
    `with FakeSmscProcess(ledger=path) as smsc:` then as `FakeSmsc`: `smsc.fault(...)`, `smsc.messages()` and so on.

    `options` become the command line's: `deliver_after=1` is `--deliver-after 1`.
    """

    def __init__(self, *, ledger: Path | None = None, port: int = 0, **options: Any) -> None:
        command = [sys.executable, "-m", "tests.fake_smsc", "--port", str(port)]
        if ledger is not None:
            command += ["--ledger", str(ledger)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        self._command = command

    def __enter__(self) -> FakeSmscProcess:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().strip()
        if not self.base_url:
            raise RuntimeError("The fake SMSC.ru did not start.")
        self._session = requests.Session()
        self._session.trust_env = False
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()
        self._process.terminate()
        self._process.wait(timeout=15)

    def kill(self) -> None:
        """kill -9; one that is started with the same ledger remembers what was taken."""
        self._process.kill()
        self._process.wait(timeout=15)

    def __getattr__(self, name: str) -> Any:
        if name not in CONTROLLED:
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if args:  # the one positional argument that some take has a name of its own
                kwargs |= dict(zip(_POSITIONAL[name], args, strict=True))
            response = self._session.post(f"{self.base_url}/_control/{name}", json=kwargs, timeout=60)
            response.raise_for_status()
            result = response.json()
            return [Message(**message) for message in result] if name == "messages" else result

        return call


_POSITIONAL = {
    "fault": ("kind",),
    "mix": ("seed", "shares"),
    "refuse": ("number",),
    "omit": ("number",),
    "admit": ("number",),
    "poison": ("number",),
    "forbid_text": ("part",),
    "requests": ("script",),
    "set_status": ("status",),
    "push_receipts": ("url", "secret"),
    "push_incoming": ("url", "secret"),
}

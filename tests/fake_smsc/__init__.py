"""A fake smsc.ru that speaks the documented dialect over real HTTP. `FakeSmsc` says how to use it."""

from __future__ import annotations

from .account import Message
from .callbacks import Callback
from .process import FakeSmscProcess
from .server import FakeSmsc

__all__ = ["Callback", "FakeSmsc", "FakeSmscProcess", "Message"]

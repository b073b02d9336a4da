"""The fixtures of the screens' tests."""

from __future__ import annotations

from tests.campaigns.conftest import woken

__all__ = ["woken"]

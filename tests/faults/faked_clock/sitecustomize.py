"""
For Python under libfaketime (found by way of PYTHONPATH): sleep in another way.

`time.sleep()` waits until a moment of CLOCK_MONOTONIC, which libfaketime 0.9.10 takes for one of the wall clock even
when it is told to leave that clock alone.
"""

from __future__ import annotations

import select
import time


def _sleep(seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while (left := give_up_at - time.monotonic()) > 0:
        select.select([], [], [], left)


time.sleep = _sleep

"""Many at once on a real database: threads with connections of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection


class Crowd:
    """Threads that each repeat one thing until they are told to stop; what one of them raises is kept."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.errors: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def repeat(self, step: Callable[[], object]) -> None:
        def run() -> None:
            try:
                while not self.over.is_set():
                    step()
                    time.sleep(0.001)
            except BaseException as error:
                self.errors.append(error)
            finally:
                connection.close()

        self.threads.append(threading.Thread(target=run))

    def work_until(self, enough: Callable[[], bool], *, seconds: float) -> None:
        """Until `enough()`, or at the longest for `seconds`: a busy machine needs longer for the same crowd."""
        for thread in self.threads:
            thread.start()
        give_up = time.monotonic() + seconds
        while not enough() and not self.errors and time.monotonic() < give_up:
            time.sleep(0.05)
        self.over.set()
        for thread in self.threads:
            thread.join()

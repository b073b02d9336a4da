"""Keeping the interpreter's search for cyclic garbage out of the way of a million rows."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

#: A chunk of rows is some 50,000 objects, none of them in a cycle: looking through them again and again finds nothing.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_USUAL = gc.get_threshold()


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """While it lasts garbage is looked for seldom, and never among what was there before: a fifth of a check's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *_USUAL[1:])
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL)
        gc.unfreeze()

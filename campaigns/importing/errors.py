"""What stops a whole file."""

from __future__ import annotations


class FileRefused(Exception):
    """The file cannot be imported at all. `str()` of it is one sentence or two for the operator."""

"""Countries by name, in many languages."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import cast

import phonenumbers


@cache
def country_names() -> dict[str, dict[str, str]]:
    """
    Region -> language -> name, as `phonenumbers.geodata.locale` has it; `*fr` stands for "as in French".

    Only that file is read: importing its package would load the places of all telephone numbers, 97 MB in each process.
    """
    path = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = importlib.util.spec_from_file_location("phonenumbers.geodata.locale", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(dict[str, dict[str, str]], module.LOCALE_DATA)

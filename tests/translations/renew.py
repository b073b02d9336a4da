"""
Collects what the source wants translated, compiles the translations and lists what is still missing (`make messages`).

It is Django's makemessages and compilemessages without what would differ at every run: line numbers and dates. New
messages arrive with nothing beside them: what gettext guesses from similar ones is mostly wrong.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.commands import makemessages

from .catalogue import Entry, read_po
from .sources import NO_SOURCE

ROOT = Path(__file__).resolve().parent.parent.parent
PO = ROOT / "locale" / "ru" / "LC_MESSAGES" / "django.po"


class _Collecting(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_t"]  # as the admin's modules call gettext
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]


def renew() -> list[Entry]:
    """Renews both files in locale/; the messages that have no translation."""
    call_command(
        _Collecting(),
        locale=["ru"],
        extensions=["html", "py"],
        add_location="file",
        no_obsolete=True,
        ignore_patterns=[f"{folder}/*" for folder in NO_SOURCE],
        verbosity=0,
    )
    PO.write_text(re.sub(r'"POT-Creation-Date: .*\n', "", PO.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run(["msgfmt", "--check-format", "--output-file", PO.with_suffix(".mo"), PO], check=True)
    return [entry for entry in read_po(PO) if not entry.is_translated]


if __name__ == "__main__":
    os.chdir(ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    missing = renew()
    for entry in missing:
        print(f"{', '.join(entry.places)}: {entry.singular!r}")
    print(f"Messages without a translation: {len(missing)}.")
    sys.exit(bool(missing))

"""`manage.py import_contacts FILE`: what the import pages do, without a browser."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import phonenumbers
from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from campaigns import importing
from campaigns.models import ContactImport, ImportStatus

GROUP_NAME_LENGTH = 150


class Command(BaseCommand):
    help = "Import contacts from a CSV or Excel (.xlsx) file. Bad rows do not stop the good ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--group", metavar="NAME", default="", help="Add the contacts to this group; it is made if missing."
        )
        parser.add_argument(
            "--region",
            metavar="CODE",
            default=settings.SMS_DEFAULT_REGION,
            help="The country whose national numbers the file has, as RU or DE (default: %(default)s).",
        )
        parser.add_argument("--json", action="store_true", help="Print the result as one line of JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        region = options["region"].upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise CommandError(_("“%(region)s” is not a country. Write two letters, such as RU.") % {"region": region})
        if len(options["group"]) > GROUP_NAME_LENGTH:
            raise CommandError(
                _("The group's name is longer than %(limit)d characters.") % {"limit": GROUP_NAME_LENGTH}
            )
        result = self._import(options["file"], group=options["group"].strip(), region=region)
        self.stdout.write(json.dumps(result, ensure_ascii=False) if options["json"] else _in_words(result))

    def _import(self, path: Path, *, group: str, region: str) -> dict[str, Any]:
        try:
            with path.open("rb") as file:
                contact_import = importing.start(File(file), file_name=path.name, region=region, new_group=group)
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be read: %(reason)s.") % {"file": path, "reason": error.strerror or error}
            ) from error
        importing.check(contact_import.pk)
        contact_import.refresh_from_db()
        if contact_import.status == ImportStatus.REFUSED:
            raise CommandError(contact_import.problem)
        importing.confirm(contact_import)
        importing.commit(contact_import.pk)
        contact_import.refresh_from_db()
        if contact_import.status != ImportStatus.DONE:
            raise CommandError(_("The import was stopped by somebody else. See it in the admin, under Imports."))
        return {
            "new": contact_import.new_count,
            "changed": contact_import.changed_count,
            "unchanged": contact_import.unchanged_count,
            "duplicate": contact_import.duplicate_count,
            "bad": contact_import.bad_count,
            "errors_file": _errors_file(contact_import),
        }


def _errors_file(contact_import: ContactImport) -> str | None:
    """Write the bad rows beside the kept copy of the file; its path, or None if there are none."""
    if not contact_import.bad_count:
        return None
    path = Path(contact_import.file.path)
    path = path.with_name(f"{path.stem}-errors.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(importing.bad_rows_csv(contact_import))
    return str(path)


def _in_words(result: dict[str, Any]) -> str:
    summary = _("New: %(new)d, changed: %(changed)d, unchanged: %(unchanged)d, duplicate: %(duplicate)d, bad: %(bad)d.")
    lines = [summary % result]
    if result["errors_file"]:
        lines.append(_("The bad rows, each with its reason: %(errors_file)s") % result)
    return "\n".join(lines)

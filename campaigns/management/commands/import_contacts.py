"""`manage.py import_contacts FILE`: what the import pages do, without a browser."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import phonenumbers
from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import importing
from campaigns.importing.encodings import ENCODINGS
from campaigns.kept_files import BAD_ROWS_ENDING
from campaigns.models import ContactImport, ImportStatus, OptedOutRows, UpdateExisting

GROUP_NAME_LENGTH = 150
SOURCE_LENGTH = 150
#: Between two looks at how far it is.
STEP_SECONDS = 1.0
_BAR_WIDTH = 30
_KINDS = ("new", "changed", "unchanged", "duplicate", "bad")


class Command(BaseCommand):
    help = (
        "Import contacts from a CSV, TSV, Excel (.xlsx, .xls) or LibreOffice (.ods) file. "
        "Bad rows do not stop the good ones."
    )

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
        parser.add_argument("--dry-run", action="store_true", help="Say what would become of the rows, change nothing.")
        parser.add_argument(
            "--update",
            choices=UpdateExisting.values,
            default=UpdateExisting.ALL,
            help="What the file may change in people who are contacts already (default: %(default)s).",
        )
        parser.add_argument(
            "--opted-out",
            choices=OptedOutRows.values,
            default=OptedOutRows.KEEP,
            help="Keep people who opted out as contacts, or leave their rows out; they are in no sending either way "
            "(default: %(default)s).",
        )
        parser.add_argument(
            "--consent-source", metavar="TEXT", default="", help="Where these people agreed to get messages."
        )
        parser.add_argument(
            "--consent-evidence", metavar="TEXT", default="", help="What proves it: the wording, a document, a link."
        )
        parser.add_argument("--consent-date", metavar="YYYY-MM-DD", help="When they agreed (default: now).")
        parser.add_argument("--encoding", choices=list(ENCODINGS), default="", help="Default: it is found out.")
        parser.add_argument("--delimiter", metavar="CHARACTER", default="", help="Default: it is found out.")
        parser.add_argument("--sheet", metavar="NAME", default="", help="Default: the first sheet with anything in it.")
        parser.add_argument(
            "--header-row",
            metavar="NUMBER",
            type=int,
            help="The row with the columns' names, 0 if there is none (default: it is looked for).",
        )

        parser.add_argument(
            "--reading",
            metavar="NAME",
            default="",
            help="Read the columns as those of this earlier file, by its name; refused if they are called otherwise. "
            "Default: as the last file with the same columns, where that is remembered.",
        )
        parser.add_argument(
            "--no-reading", action="store_true", help="Find out what the columns are, whatever is remembered."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        region = options["region"].upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise CommandError(_("“%(region)s” is not a country. Write two letters, such as RU.") % {"region": region})
        group = options["group"].strip()
        if len(group) > GROUP_NAME_LENGTH:
            raise CommandError(
                _("The group's name is longer than %(limit)d characters.") % {"limit": GROUP_NAME_LENGTH}
            )
        if problem := importing.refusal_of_group(group):
            raise CommandError(problem)
        contact_import = self._start(options["file"], new_group=group, region=region, **_rules(options))
        read_like = self._remember(contact_import, options)
        self._check(contact_import, options)
        result = _result(contact_import)
        if not options["dry_run"]:
            self._commit(contact_import, options)
            result = _result(contact_import)
        result |= {"read_like": read_like} if read_like else {}
        words = _in_words(result, dry_run=options["dry_run"])
        self.stdout.write(json.dumps(result, ensure_ascii=False) if options["json"] else words)

    def _start(self, path: Path, **options: Any) -> ContactImport:
        try:
            with path.open("rb") as file:
                return importing.start(File(file), file_name=path.name, **options)
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be read: %(reason)s.") % {"file": path, "reason": error.strerror or error}
            ) from error

    def _remember(self, contact_import: ContactImport, options: dict[str, Any]) -> str:
        """Read the file as one with the same columns was read; the name of that file, empty if there is none."""
        if options["no_reading"]:
            return ""
        try:
            return importing.read_like_before(contact_import, options["reading"])
        except importing.FileRefused as refusal:
            importing.cancel(contact_import)
            raise CommandError(str(refusal)) from refusal

    def _check(self, contact_import: ContactImport, options: dict[str, Any]) -> None:
        self._run(importing.check, contact_import, options, _("Checking"))
        if contact_import.status == ImportStatus.REFUSED:
            raise CommandError(contact_import.problem)
        if options["dry_run"]:
            importing.cancel(contact_import)

    def _commit(self, contact_import: ContactImport, options: dict[str, Any]) -> None:
        importing.confirm(contact_import)
        self._run(importing.commit, contact_import, options, _("Importing"))
        if contact_import.status != ImportStatus.DONE:
            raise CommandError(_("The import was stopped by somebody else. See it in the admin, under Imports."))

    def _run(
        self, step: Callable[..., bool], contact_import: ContactImport, options: dict[str, Any], words: str
    ) -> None:
        """Go on to the end; at a terminal, with a bar."""
        is_shown = not options["json"] and options["verbosity"] > 0 and self.stderr.isatty()
        while step(contact_import.pk, seconds=STEP_SECONDS if is_shown else None):
            contact_import.refresh_from_db()
            self._show(contact_import, words)
        contact_import.refresh_from_db()
        if is_shown:
            self.stderr.write("\r" + " " * (_BAR_WIDTH + 60) + "\r", ending="")

    def _show(self, contact_import: ContactImport, words: str) -> None:
        percent = importing.percent_done(contact_import)
        filled = _BAR_WIDTH * (percent or 0) // 100
        bar = "" if percent is None else f" [{'#' * filled}{' ' * (_BAR_WIDTH - filled)}] {percent:3d} %"
        rows = _("rows: %(count)s") % {"count": f"{contact_import.row_count:,}"}
        self.stderr.write(f"\r{words}{bar}  {rows}   ", ending="")


def _rules(options: dict[str, Any]) -> dict[str, Any]:
    """The options as fields of the import."""
    if not options["consent_source"] and (options["consent_evidence"] or options["consent_date"]):
        raise CommandError(_("Say where they agreed (--consent-source); without it no consent is recorded."))
    if len(options["consent_source"]) > SOURCE_LENGTH:
        raise CommandError(
            _("The source of the consent is longer than %(limit)d characters.") % {"limit": SOURCE_LENGTH}
        )
    if len(options["delimiter"]) > 1 and options["delimiter"] != r"\t":
        raise CommandError(_("The delimiter is one character."))
    reading = importing.Reading(
        encoding=options["encoding"],
        delimiter=options["delimiter"].replace(r"\t", "\t"),
        sheet=options["sheet"],
        header_row=options["header_row"],
    )
    return {
        "update_existing": options["update"],
        "opted_out_rows": options["opted_out"],
        "consent_source": options["consent_source"],
        "consent_evidence": options["consent_evidence"],
        "consented_at": _moment(options["consent_date"]),
        "reading": asdict(reading),
    }


def _moment(day: str | None) -> datetime | None:
    if not day:
        return None
    try:
        return timezone.make_aware(datetime.combine(date.fromisoformat(day), time()))
    except ValueError:
        raise CommandError(_("“%(day)s” is not a day. Write it as 2026-01-31.") % {"day": day}) from None


def _result(contact_import: ContactImport) -> dict[str, Any]:
    counts = {kind: getattr(contact_import, f"{kind}_count") for kind in _KINDS}
    left_out = {"left_out": contact_import.left_out_count} if contact_import.left_out_count else {}
    return {**counts, **left_out, "errors_file": _errors_file(contact_import)}


def _errors_file(contact_import: ContactImport) -> str | None:
    """Write the bad rows beside the kept copy of the file; its path, or None if there are none."""
    if not contact_import.bad_count:
        return None
    path = Path(contact_import.file.path)
    path = path.with_name(f"{path.stem}{BAD_ROWS_ENDING}")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(importing.bad_rows_csv(contact_import))
    return str(path)


def _in_words(result: dict[str, Any], *, dry_run: bool) -> str:
    summary = _("New: %(new)d, changed: %(changed)d, unchanged: %(unchanged)d, duplicate: %(duplicate)d, bad: %(bad)d.")
    lines = [summary % result]
    if "read_like" in result:
        lines.append(_("Read like “%(read_like)s”, which had the same columns (--no-reading: find out anew).") % result)
    if "left_out" in result:
        lines.append(_("Left out, since they opted out: %(left_out)d.") % result)
    if dry_run:
        lines.append(_("Nothing was changed."))
    if result["errors_file"]:
        lines.append(_("The bad rows, each with its reason: %(errors_file)s") % result)
    return "\n".join(lines)

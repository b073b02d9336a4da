"""Which numbers are one person's."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import CharField
from django.db.models.functions import Cast

from sms_backends.phone_numbers import canonical, spellings

from .models import Contact, FormerNumber


def former_numbers_of(canonical_number: str) -> list[str]:
    """
    The numbers (canonical) that whoever has this one had before.

    Without those that are another contact's by now: what was sent there since is not this person's.
    """
    return former_numbers_among([canonical_number]).get(canonical_number, [])


def former_numbers_among(canonical_numbers: Iterable[str]) -> dict[str, list[str]]:
    """The same for many people, by the number they have now; who had no other is not in it."""
    wanted = [spelling for number in canonical_numbers for spelling in spellings(number)]
    owners = _contacts_with(wanted)
    former: dict[str, set[str]] = {}
    for owner, written in FormerNumber.objects.filter(contact__in=owners).values_list("contact", "phone_number"):
        former.setdefault(owners[owner], set()).add(canonical(written))
    every = {number for numbers in former.values() for number in numbers}
    taken = set(_contacts_with([spelling for number in every for spelling in spellings(number)]).values())
    return {person: sorted(numbers - {person} - taken) for person, numbers in former.items()}


def _contacts_with(numbers: list[str]) -> dict[int, str]:
    """Contacts by id, with their number in canonical form."""
    found = Contact.objects.filter(phone_number__in=numbers).annotate(e164=Cast("phone_number", CharField()))
    return {pk: canonical(number) for pk, number in found.values_list("pk", "e164")}

"""What somebody looks for in the log: a number, whole, its beginning or masked, our reference, or a provider's id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import Q

from campaigns import masking
from campaigns.models import Attempt, SentMessage
from campaigns.number_search import beginning, digits_of, looks_like_number, read_number
from sms_backends import gateways

#: Beginnings of so many digits leave so few numbers that their index finds all rows at once.
ENOUGH_DIGITS = 9
#: Messages that one reference or id may lead to: a request may have been for hundreds.
MOST_NAMED = 1000
#: "+7•••••••••67", as numbers are shown to whoever may not see them, and as people write it.
_MASKED = re.compile(r"^[+\d\s().\-]*(?:[•*…]|[xXхХ_?]{2}|\.{2})[•*…xXхХ_?.\s\-()]*[\d\s\-()]*$")


@dataclass(frozen=True)
class Search:
    """
    What a term means. `is_narrow`: it leaves so few rows that an index of its own finds them; others are filtered out
    of the rows that the other filters leave.
    """

    condition: Q
    is_narrow: bool


def search(term: str) -> Search:
    """The rows that somebody means by a term."""
    if e164 := read_number(term):
        return Search(Q(phone_number=e164) | _named(term), is_narrow=True)
    if masked := _masked(term):
        if _tells_more(term):
            return Search(Q(pk=0), is_narrow=True)
        return Search(masked, is_narrow=False)
    if looks_like_number(term):
        if not masking.may_see_numbers():
            return Search(_named(term) or Q(pk=0), is_narrow=True)
        digits = digits_of(term)
        return Search(beginning(digits) | _named(term), is_narrow=len(digits) >= ENOUGH_DIGITS)
    return Search(_named(term) or Q(pk=0), is_narrow=True)


def _tells_more(term: str) -> bool:
    """Whether it holds more of a number than the log shows to the reader: that would spell it out."""
    if masking.may_see_numbers():
        return False
    first, *_hidden, last = re.split(r"[•*…xXхХ_?]+|\.{2,}", term)
    return len(digits_of(last)) > masking.LAST or not masking.is_country(digits_of(first))


def _masked(term: str) -> Q | None:
    """The first digits, the country's code among them, and the last ones of a number of which others are hidden."""
    if not _MASKED.match(term):
        return None
    first, *_hidden, last = re.split(r"[•*…xXхХ_?]+|\.{2,}", term)
    if not (digits_of(first) or digits_of(last)):
        return None
    found = beginning(digits_of(first)) if digits_of(first) else Q()
    return found & Q(phone_number__endswith=digits_of(last)) if digits_of(last) else found


def _named(term: str) -> Q:
    """Messages by our reference or the provider's id. Looked up first: no index serves two such conditions at once."""
    by_reference = Attempt.objects.filter(reference=term).order_by().values_list("message", flat=True)
    by_id = SentMessage.objects.filter(gateway__in=list(gateways), provider_message_id=term).order_by()
    ids = list(by_reference.union(by_id.values_list("pk", flat=True), all=True)[:MOST_NAMED])
    return Q(pk__in=ids) if ids else Q()

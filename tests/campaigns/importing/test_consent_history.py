"""The consent that a file proves stands in its people's history, once."""

from __future__ import annotations

from django.utils import timezone

from campaigns.importing.consent_history import note_consents
from campaigns.models import Consent, ConsentChange, Contact
from campaigns.optouts import record_opt_out

from .conftest import Start

FILE = "phone,name\n+79121234501,Anna\n+79121234502,Boris\n+79121234503,Vera\nnonsense,X\n"


def test_new_and_known_people_have_it_in_their_history(imported: Start) -> None:
    Contact.objects.create(phone_number="+79121234502")
    contact_import = imported(FILE, consent_source="order form", consent_evidence="page 2")
    changes = ConsentChange.objects.order_by("phone_number")
    assert [one.phone_number for one in changes] == [f"+7912123450{n}" for n in (1, 2, 3)]
    first = changes[0]
    contact = Contact.objects.get(phone_number=first.phone_number)
    assert (first.act, first.kind, first.source, first.evidence) == ("given", "marketing", "order form", "page 2")
    assert (first.contact, first.happened_at, first.canonical_number) == (
        contact,
        contact.consented_at,
        first.phone_number,
    )
    assert note_consents(contact_import, 0, 100, timezone.now()) == 0, "repeating it adds nothing"


def test_who_had_withdrawn_it_or_opted_out_has_not_given_it(imported: Start) -> None:
    Contact.objects.create(phone_number="+79121234501", consent=Consent.WITHDRAWN)
    Contact.objects.create(phone_number="+79121234502")
    record_opt_out("+79121234502", source="operator")  # type: ignore[arg-type]
    imported(FILE, consent_source="order form")
    given = ConsentChange.objects.filter(act="given").values_list("phone_number", flat=True)
    assert list(given) == ["+79121234503"]


def test_without_a_proof_nothing_is_noted(imported: Start) -> None:
    imported(FILE)
    assert not ConsentChange.objects.exists()

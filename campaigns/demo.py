"""A small demo: people, groups and a draft campaign, so that an empty installation has something to show."""

from __future__ import annotations

from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from .consent import record_consent
from .models import Campaign, Consent, Contact, ContactGroup


class Person(NamedTuple):
    """A made-up contact. The number is one of those set aside for fiction: the draft must never reach anybody."""

    phone_number: str
    first_name: str
    last_name: str
    city: str


# +1 ... 555 01xx: reserved for fictional use, https://nationalnanpa.com/number_resource_info/555_numbers.html
CUSTOMERS = (
    Person("+12025550101", "Anna", "Keller", "Berlin"),
    Person("+12025550102", "Boris", "Orlov", "Kazan"),
    Person("+12025550103", "Clara", "Nowak", "Berlin"),
    Person("+12125550104", "David", "Meyer", "Hamburg"),
    Person("+12125550105", "Elena", "Sokolova", "Kazan"),
    Person("+13125550106", "Farid", "Aliyev", "Kazan"),
    Person("+13125550107", "", "", "Hamburg"),  # addressed by the placeholder's default
    Person("+14155550108", "Grace", "Okoye", ""),  # left out: the text needs a city
    Person("+14155550199", "Hugo", "Brandt", "Hamburg"),  # the simulator does not deliver to ...99
)
STAFF = (
    Person("+16175550110", "Irina", "Petrova", "Kazan"),
    Person("+16175550111", "Jonas", "Weber", "Berlin"),
)


def seed_demo() -> bool:
    """Fill an installation that has no contacts, groups or campaigns; False: it is in use, nothing was done."""
    with transaction.atomic():
        if any(model.objects.exists() for model in (Contact, ContactGroup, Campaign)):
            return False
        customers = _make_group(_("Customers (demo)"), CUSTOMERS)
        staff = _make_group(_("Staff (demo)"), STAFF)
        campaign = Campaign.objects.create(
            name=_("Opening hours (demo)"),
            body=_('Hello {{ first_name|default:"friend" }}, our shop in {{ city }} opens at 9 on Monday.'),
        )
        campaign.include_groups.set([customers, staff])
    return True


def _make_group(name: str, people: tuple[Person, ...]) -> ContactGroup:
    group = ContactGroup.objects.create(name=name)
    for person in people:
        contact = Contact.objects.create(
            phone_number=person.phone_number,
            first_name=person.first_name,
            last_name=person.last_name,
            attributes={"city": person.city} if person.city else {},
        )
        record_consent(contact, Consent.GIVEN, source="demo", evidence=_("Made up, like the person."))
        contact.groups.add(group)
    return group

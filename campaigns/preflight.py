"""What keeps a campaign from being sent, in words. What sending it would do is foreseen by `forecasting`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sms_backends import get_sms_backend

from . import unsubscribing
from .audience import audience
from .composing import CONTACT_FIELDS, Placeholder, Template, TemplateError, normalise_name
from .consent import Rule, lacking, rule_for
from .languages import language_name
from .models import Campaign, Contact, ContactGroup
from .prices import limit_problems
from .smart_groups import ConditionsError, read
from .unsubscribing import UNSUBSCRIBE_LINK

CHUNK = 2000


def no_consent_warning(people: int) -> str:
    """That so many get no advertising, and what to do."""
    return ngettext(
        "%(people)d person has not agreed to advertising and is left out. Record the consent with its proof: on "
        "the contact's page, or with the import of a file. Is it no advertising? Then choose the kind “service”.",
        "%(people)d people have not agreed to advertising and are left out. Record their consent with its proof: on "
        "the contact's page, or with the import of a file. Is it no advertising? Then choose the kind “service”.",
        people,
    ) % {"people": people}


def without_consent_count(campaign: Campaign) -> int:
    """How many of those in its groups may not get it for want of consent."""
    rule = rule_for(campaign.kind)
    return 0 if rule == Rule.NOTHING else audience(*group_ids(campaign)).filter(lacking(rule)).count()


def group_ids(campaign: Campaign) -> tuple[list[int], list[int]]:
    """Ids of the groups to include and to exclude."""
    return (
        list(campaign.include_groups.values_list("pk", flat=True)),
        list(campaign.exclude_groups.values_list("pk", flat=True)),
    )


class Known(NamedTuple):
    """How many are in a campaign's groups, and the placeholders, by the text's language, that none of them has."""

    people: int
    nobody_has: Mapping[str, Sequence[str]]


def launch_problems(
    campaign: Campaign, include: Iterable[int], exclude: Iterable[int], known: Known | None = None
) -> list[str]:
    """
    What keeps this campaign from being launched, in words; empty when nothing does.

    Reads the people in the groups, unless what it would look for among them is `known` already.
    """
    problems = gateway_problems(campaign) + limit_problems(campaign)
    include, exclude = list(include), list(exclude)
    if unreadable := condition_problems([*include, *exclude]):
        return problems + unreadable
    if campaign.ends_at is not None and campaign.ends_at <= timezone.now():
        problems.append(_("The time after which nothing may be sent has passed. Choose a later one."))
    if not include:
        problems.append(_("No group is chosen. Choose at least one group of contacts to send to."))
    elif not (known.people if known else audience(include, exclude).exists()):
        problems.append(_("There is nobody in the chosen groups. Import or add contacts first."))
    return problems + check_texts(campaign.body, campaign.texts, include, exclude, known)


def people_in_groups(campaign: Campaign) -> int | None:
    """How many are in the campaign's groups now; None where the conditions of one of them cannot be read."""
    try:
        return audience(*group_ids(campaign)).count()
    except ConditionsError:
        return None


def condition_problems(group_ids: Iterable[int]) -> list[str]:
    """Smart groups among these whose conditions cannot be used, in words."""
    problems = []
    for name, conditions in ContactGroup.objects.filter(pk__in=list(group_ids), conditions__isnull=False).values_list(
        "name", "conditions"
    ):
        try:
            read(conditions)
        except ConditionsError as error:
            problems.append(_("The smart group “%(group)s” cannot be used: %(why)s") % {"group": name, "why": error})
    return problems


def gateway_problems(campaign: Campaign) -> list[str]:
    """Whether the chosen gateway is there and carries what the campaign asks for."""
    try:
        backend = get_sms_backend(campaign.gateway)
    except ImproperlyConfigured as error:
        return [_("The gateway cannot be used: %(error)s") % {"error": error}]
    if campaign.sender_id and not backend.capabilities.sender_id:
        return [_("The gateway “%(gateway)s” cannot show a sender of your choice.") % {"gateway": campaign.gateway}]
    return []


def check_texts(
    body: str, texts: Mapping[str, str], include: Iterable[int], exclude: Iterable[int], known: Known | None = None
) -> list[str]:
    """Problems of a campaign's texts in all languages, each with the language it is about."""
    include, exclude = list(include), list(exclude)
    nobody_has = known.nobody_has if known else {}
    problems = check_body(body, include, exclude, nobody_has.get("") if known else None)
    for language, text in texts.items():
        problems += [
            _("In %(language)s: %(problem)s") % {"language": language_name(language), "problem": problem}
            for problem in check_body(text, include, exclude, nobody_has.get(language) if known else None)
        ]
    return problems


def check_body(
    body: str, include: Iterable[int], exclude: Iterable[int], nobody_has: Iterable[str] | None = None
) -> list[str]:
    """
    Problems of a text for these groups: braces and filters, no text, placeholders that nobody has.

    The last are looked for among the contacts, unless they are given.
    """
    if not body.strip():
        return [_("The text is empty.")]
    try:
        template = Template(body)
    except TemplateError as error:
        return [str(error)]
    if UNSUBSCRIBE_LINK in template.names and not unsubscribing.is_available():
        return [
            _("{{ unsubscribe_link }} needs the address of this installation: set SITE_URL, or leave the link out.")
        ]
    return [
        _("Nobody in the chosen groups has “%(name)s”. Check the spelling of {{ %(name)s }}.") % {"name": name}
        for name in (names_nobody_has(template, include, exclude) if nobody_has is None else nobody_has)
    ]


def names_nobody_has(template: Template, include: Iterable[int], exclude: Iterable[int]) -> list[str]:
    """The placeholders of a text for which nobody in these groups has a value. May read all of them."""
    include, exclude = list(include), list(exclude)
    if not include or not template.placeholders or condition_problems([*include, *exclude]):
        return []
    return [it.name for it in unknown_placeholders(audience(include, exclude), template.placeholders)]


def placeholders_nobody_has(campaign: Campaign, include: Iterable[int], exclude: Iterable[int]) -> dict[str, list[str]]:
    """The same of all texts of a campaign by their language, "" for the text itself. Raises TemplateError."""
    texts = {"": campaign.body, **campaign.texts}
    return {language: names_nobody_has(Template(text), include, exclude) for language, text in texts.items()}


def unknown_placeholders(contacts: QuerySet[Contact], placeholders: Iterable[Placeholder]) -> list[Placeholder]:
    """
    Placeholders for which none of these contacts has a value.

    A field of ours with a default is fine even if it is empty everywhere: it cannot be a misspelling.
    """
    wanted = {p.name: p for p in placeholders if not (p.own_field in CONTACT_FIELDS and p.default is not None)}
    wanted.pop(UNSUBSCRIBE_LINK, None)  # everybody has one
    for name, placeholder in list(wanted.items()):
        if placeholder.own_field not in CONTACT_FIELDS:
            continue
        own = placeholder.own_field
        columns = ("first_name", "last_name") if own == "full_name" else (own,)
        if any(contacts.exclude(**{column: ""}).exists() for column in columns):
            del wanted[name]
    if wanted:
        for attributes in contacts.order_by().values_list("attributes", flat=True).iterator(chunk_size=CHUNK):
            for name, value in attributes.items():
                if value not in ("", None):
                    wanted.pop(normalise_name(name), None)
            if not wanted:
                break
    return list(wanted.values())

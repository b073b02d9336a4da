"""Counting a forecast: in parts, by as many workers as there are, each part in one go and again if its worker dies."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone, translation

from campaigns import rehearsing
from campaigns.composing import TemplateError
from campaigns.models import AudienceFact, Campaign, Forecast, ForecastKind, ForecastPart, ForecastStatus, User
from campaigns.preflight import Known, group_ids, people_in_groups, placeholders_nobody_has
from campaigns.smart_groups import ConditionsError
from campaigns.wakeups import wake

from .changes import changes_of
from .counting import EXAMPLES, SAMPLES, Judge, Question, count_part
from .stamps import digest, persons_of, stamp_of, what_changed, who_changed
from .tally import Tally, added

logger = logging.getLogger(__name__)

#: People of a part, if they are spread evenly over the ids.
PART = 50_000
#: So few are counted while somebody waits for the page.
AT_ONCE = 3000
WORKERS = 2
LEASE = timedelta(seconds=30)
#: Who is in a smart group is compared person by person, and then believed for so long.
BELIEVED = timedelta(seconds=15)
#: Where opt-outs come all the time, a large audience is not counted anew for each of them.
NEW_ENOUGH = timedelta(seconds=60)


def question_about(campaign: Campaign, kind: str) -> Question:
    """What a forecast of this kind counts. Raises TemplateError and ConditionsError."""
    return Question.about(campaign, rehearsing.fate if kind == ForecastKind.REHEARSAL else None)


def latest(campaign: Campaign, kind: str = ForecastKind.PREFLIGHT) -> Forecast | None:
    """The forecast that there is, whether or not it still holds."""
    return Forecast.objects.filter(campaign=campaign, kind=kind).first()


def outdated(forecast: Forecast, campaign: Campaign, *, by_person: bool = False) -> list[str]:
    """
    What has changed since it was begun, in words; empty while it holds.

    It holds when people opted out since (`fewer_since`): nobody gets a message who was not counted, and nothing would
    ever be sent where somebody opts out every few seconds.

    A few queries, however many people there are. `by_person`: whoever is in the audience now is also compared with
    those who were counted. Where smart groups are chosen that is done at any look, unless it was done a moment ago.
    """
    try:
        question = question_about(campaign, forecast.kind)
        if changed := what_changed(forecast.stamp, stamp_of(campaign, question), question):
            return changed
        if by_person or (question.smart.by_group and not _is_believed(forecast)):
            return _compare(forecast, question)
    except (TemplateError, ConditionsError) as error:
        return [str(error)]
    return []


def _is_believed(forecast: Forecast) -> bool:
    now = timezone.now()
    return forecast.compared_at is not None and now - BELIEVED < forecast.compared_at <= now


def _compare(forecast: Forecast, question: Question) -> list[str]:
    now = timezone.now()
    changed = who_changed(forecast.stamp, persons_of(question))
    forecast.compared_at = None if changed else now  # the next look is not to believe what was found wrong
    Forecast.objects.filter(pk=forecast.pk, token=forecast.token).update(compared_at=forecast.compared_at)
    return changed


def known_now(campaign: Campaign) -> Known | None:
    """What is known of the people by a forecast that holds; None where there is none."""
    with usual_language():
        found = latest(campaign)
        return None if found is None or outdated(found, campaign) else known_of(found)


def people_now(campaign: Campaign) -> int | None:
    """
    How many are in its groups: by the forecast that holds, or else counted.

    None where the conditions of a group cannot be read.
    """
    known = known_now(campaign)
    return people_in_groups(campaign) if known is None else known.people


def known_of(forecast: Forecast) -> Known:
    """What was found out of the people when the forecast was begun."""
    return Known(forecast.people, forecast.stamp["nobody_has"])


def holding(campaign: Campaign, kind: str = ForecastKind.PREFLIGHT, *, actor: User | None = None) -> Forecast:
    """
    A forecast of the campaign as it is now: the latest, or a new one that is being counted.

    A small audience is counted at once. Raises TemplateError and ConditionsError.
    """
    with usual_language():
        found = latest(campaign, kind)
        if found is not None and found.status != ForecastStatus.FAILED and not outdated(found, campaign):
            return begin(campaign, kind, actor=actor) if _is_worth_another_count(found) else found
    return begin(campaign, kind, actor=actor)


def fewer_since(forecast: Forecast) -> int:
    """
    How often since it was begun anybody opted out, or was held back until an answer was reviewed.

    Whoever of the forecast's people that concerns gets nothing.
    """
    return changes_of([])[AudienceFact.FEWER] - int(forecast.stamp.get("fewer", 0))


def basis(forecast: Forecast) -> str:
    """The same for two counts that differ by opt-outs alone: of the same people, texts and prices."""
    return digest({name: value for name, value in forecast.stamp.items() if name != "fewer"})


def _is_worth_another_count(forecast: Forecast) -> bool:
    """Whether a look at it is to show the opt-outs that came since."""
    if forecast.status != ForecastStatus.DONE or not fewer_since(forecast):
        return False
    is_new = forecast.finished_at is not None and forecast.finished_at > timezone.now() - NEW_ENOUGH
    return forecast.people <= AT_ONCE or not is_new


def begin(
    campaign: Campaign, kind: str = ForecastKind.PREFLIGHT, *, actor: User | None = None, at_once: bool = False
) -> Forecast:
    """
    Count anew, in the background unless the audience is small or `at_once` says to wait for it.

    Raises TemplateError and ConditionsError.
    """
    with usual_language():
        question = question_about(campaign, kind)
        began = timezone.now()
        stamp = stamp_of(campaign, question)  # first: what changes while the people are looked at is then noticed
        stamp |= persons_of(question)
        stamp |= {
            "is_smart": bool(question.smart.by_group),
            "nobody_has": placeholders_nobody_has(campaign, *group_ids(campaign)),
        }
        with transaction.atomic():
            Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)  # one at a time
            fresh = {
                "status": ForecastStatus.COUNTING,
                "token": secrets.token_hex(16),
                "stamp": stamp,
                "people": stamp["people"],
                "result": None,
                "problem": "",
                "started_at": timezone.now(),
                "finished_at": None,
                "compared_at": began,
                "asked_by": actor,
            }
            forecast, _made = Forecast.objects.update_or_create(campaign=campaign, kind=kind, defaults=fresh)
            forecast.parts.all().delete()
            ForecastPart.objects.bulk_create(_parts(forecast))
            at_once = at_once or stamp["people"] <= AT_ONCE
            if not at_once:
                for _worker in range(WORKERS):
                    wake("count_forecast", forecast.pk)
        if at_once:
            work(forecast.pk, seconds=None)
            forecast.refresh_from_db()
    return forecast


def usual_language() -> translation.override:
    """The freeze writes texts in the installation's language, whoever looks on: "yes" and "no" are words in a text."""
    return translation.override(settings.LANGUAGE_CODE)


def _parts(forecast: Forecast) -> list[ForecastPart]:
    first, last = forecast.stamp["first"], forecast.stamp["last"]
    number = max(1, -(-forecast.people // PART))
    width = -(-(last - first + 1) // number)
    bounds = [(first - 1 + n * width, min(last, first - 1 + (n + 1) * width)) for n in range(number)]
    return [ForecastPart(forecast=forecast, token=forecast.token, after=a, up_to=b) for a, b in bounds]


def work(forecast_id: int, *, seconds: float | None) -> bool:
    """Count parts for about so many seconds (None: to the end). True when there is more to do."""
    deadline = None if seconds is None else time.monotonic() + seconds
    forecast = Forecast.objects.select_related("campaign").filter(pk=forecast_id).first()
    if forecast is None or forecast.status != ForecastStatus.COUNTING:
        return False
    try:
        with usual_language(), timezone.override(None):
            judge = Judge(question_about(forecast.campaign, forecast.kind))
            while part := _take(forecast):
                if not _count(part, judge):
                    return False  # counted anew by somebody else, or thrown away
                if deadline is not None and time.monotonic() > deadline:
                    return True
            _finish(forecast)
    except (OperationalError, InterfaceError):
        raise  # the database is away or busy: the sweeper has it tried again
    except Exception as error:
        logger.exception("Forecast %s could not be counted.", forecast_id)
        Forecast.objects.filter(pk=forecast_id, token=forecast.token).update(
            status=ForecastStatus.FAILED, problem=str(error) or type(error).__name__, finished_at=timezone.now()
        )
    return False


def _open_parts(forecast: Forecast) -> QuerySet[ForecastPart]:
    return ForecastPart.objects.filter(forecast=forecast, token=forecast.token, result__isnull=True)


def _take(forecast: Forecast) -> ForecastPart | None:
    """A part that nobody counts, from now on ours."""
    now = timezone.now()
    free = _open_parts(forecast).filter(Q(leased_until=None) | Q(leased_until__lt=now))
    with transaction.atomic():
        part = free.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked).first()
        if part is not None:
            part.leased_until = now + LEASE
            part.save(update_fields=["leased_until"])
    return part


def _count(part: ForecastPart, judge: Judge) -> bool:
    mine = ForecastPart.objects.filter(pk=part.pk, token=part.token)

    def seen(people: int) -> bool:
        return bool(mine.update(done_count=people, leased_until=timezone.now() + LEASE))

    tally = count_part(judge, part.after, part.up_to, seen)
    return tally is not None and bool(mine.update(result=tally.stored(), done_count=tally.people))


def _finish(forecast: Forecast) -> None:
    """Add the parts up, once the last of them is counted, by whoever comes first."""
    with transaction.atomic():
        counting = Forecast.objects.select_for_update().filter(pk=forecast.pk, token=forecast.token)
        locked = counting.filter(status=ForecastStatus.COUNTING).first()
        if locked is None or _open_parts(locked).exists():
            return
        results = locked.parts.values_list("result", flat=True).iterator()
        tallies = (Tally.read(result) for result in results if result is not None)
        locked.result = added(tallies, samples=SAMPLES, examples=EXAMPLES).stored()
        locked.status, locked.finished_at = ForecastStatus.DONE, timezone.now()
        locked.save(update_fields=["result", "status", "finished_at"])
        locked.parts.all().delete()


def done_count(forecast: Forecast) -> int:
    """How many people are counted by now."""
    if forecast.status == ForecastStatus.DONE:
        return forecast.people
    return forecast.parts.aggregate(n=Sum("done_count"))["n"] or 0


def throw_away(campaign: Campaign, kind: str) -> bool:
    """Forget a forecast; one that is being counted stops. False when there was none."""
    return bool(Forecast.objects.filter(campaign=campaign, kind=kind).delete()[0])


def stalled() -> list[int]:
    """Forecasts that nobody counts any more; `work()` takes them up."""
    now = timezone.now()
    at_work = ForecastPart.objects.filter(leased_until__gte=now, result__isnull=True)
    counting = Forecast.objects.filter(status=ForecastStatus.COUNTING, started_at__lt=now - LEASE)
    return list(counting.exclude(pk__in=at_work.values("forecast")).values_list("pk", flat=True))

"""The report of a campaign: a page for the printer, and the same as an XLSX file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _t

from campaigns import audit
from campaigns.campaign_report import CLASSES, Report, report_of
from campaigns.country_names import country_names
from campaigns.models import Campaign
from campaigns.problems import problems_of
from campaigns.report_file import Sheet, workbook
from campaigns.spoken_times import spoken

from .base import acting_user
from .charts import HEIGHT, WIDTH, bars
from .display import count, duration, words
from .progress import parts_of
from .trail import trail

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: More minutes than this are drawn together.
_MOST_BARS = 120


def report_page(request: HttpRequest, campaign: Campaign) -> TemplateResponse:
    """To be looked at, printed, and saved as PDF by the browser."""
    report = report_of(campaign)
    pace = _by_time(report.minutes)
    return TemplateResponse(
        request,
        "admin/campaigns/campaign/report.html",
        {
            "campaign": campaign,
            "report": report,
            "parts": [part for part in parts_of(campaign, report.figures) if part.count],
            "problems": problems_of(campaign, report.figures),
            "countries": [(country_name(share.key), share) for share in report.by_country],
            "times": list(zip(class_names(), report.counted.classes, strict=True)) if report.counted else [],
            "time_bars": bars(report.counted.classes, class_names()) if report.counted else [],
            "median": _seconds(report.counted.median) if report.counted else "",
            "ninetieth": _seconds(report.counted.ninetieth) if report.counted else "",
            "pace_bars": bars([n for _at, n in pace], [f"{spoken(at)}: {count(n)}" for at, n in pace], gap=0.05),
            "pace_from": pace[0][0] if pace else None,
            "pace_until": pace[-1][0] if pace else None,
            "pace_highest": max((n for _at, n in pace), default=0),
            "view_box": f"0 0 {WIDTH} {HEIGHT}",
            "trail": trail(campaign, shown=200)[::-1],
            "printed_at": timezone.now(),
            "printed_by": request.user,
        },
    )


def report_download(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """The XLSX file; who took it is written down."""
    audit.record("export_report", actor=acting_user(request), campaign=campaign, subject=campaign.name)
    response = HttpResponse(workbook(sheets(report_of(campaign))), content_type=XLSX)
    name = slugify(campaign.name) or f"campaign-{campaign.pk}"
    response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return response


def country_name(region: str) -> str:
    """A country in the reader's language, as far as it has a name there."""
    names = country_names().get(region, {})
    language = (get_language() or "en").split("-")[0]
    found = names.get(language) or names.get("en") or region or _t("unknown")
    return names.get(found[1:], region) if found.startswith("*") else found


def class_names() -> list[str]:
    """The classes of times to delivery in words."""
    names = [_t("below %(time)s") % {"time": duration(timedelta(seconds=limit))} for limit in CLASSES]
    return [*names, _t("longer")]


def _seconds(value: int | None) -> str:
    return "" if value is None else duration(timedelta(seconds=value))


def _by_time(minutes: Sequence[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """So that no chart has more bars than can be seen."""
    together = -(-len(minutes) // _MOST_BARS) or 1
    chunks = [minutes[start : start + together] for start in range(0, len(minutes), together)]
    return [(chunk[0][0], sum(number for _at, number in chunk)) for chunk in chunks]


# --- the file --------------------------------------------------------------------------------------------------------


def sheets(report: Report) -> list[Sheet]:
    """The same as the page shows, as tables."""
    return [
        Sheet(_t("Summary"), [_t("What"), _t("Value")], _summary(report)),
        Sheet(
            _t("Results"),
            [_t("Status"), _t("Reason"), _t("Messages"), _t("What to do")],
            _results(report),
        ),
        Sheet(
            _t("Countries"), _share_header(_t("Country")), [_share_row(it, country_name) for it in report.by_country]
        ),
        Sheet(_t("Gateways"), _share_header(_t("Gateway")), [_share_row(it, str) for it in report.by_gateway]),
        Sheet(
            _t("Times to delivery"),
            [_t("Time"), _t("Messages")],
            list(zip(class_names(), report.counted.classes, strict=True)) if report.counted else [],
        ),
        Sheet(
            _t("Timeline"),
            [_t("When"), _t("Who"), _t("What"), _t("Details")],
            [
                (_plain(line.at), line.who or _t("by itself"), line.what, line.details)
                for line in trail(report.campaign, shown=1000)[::-1]
            ],
        ),
    ]


def _summary(report: Report) -> list[Sequence[Any]]:
    campaign, figures, counted = report.campaign, report.figures, report.counted
    rows: list[Sequence[Any]] = [
        (_t("Campaign"), campaign.name),
        (_t("Status"), str(campaign.get_status_display())),
        (_t("Written by"), str(campaign.created_by or "")),
        (_t("Sent by"), str(campaign.launched_by or "")),
        (_t("Started"), _plain(campaign.launched_at)),
        (_t("Ended"), _plain(campaign.ended_at)),
        (_t("As of"), _plain(report.at)),
        (_t("Time zone"), timezone.get_current_timezone_name()),
        (_t("In the audience"), figures.audience),
        (_t("Sent"), report.sent),
        (_t("SMS segments"), report.segments),
        (_t("Expected cost"), figures.price),
        (_t("Currency"), report.currency),
        (_t("Segments without a price"), figures.unpriced_segments),
    ]
    if counted is None:
        return rows
    rows += [
        (_t("Cost, says the provider (%(currency)s)") % {"currency": it.currency}, it.amount) for it in counted.costs
    ]
    return [
        *rows,
        (_t("Median time to delivery, seconds"), counted.median),
        (_t("90 %% delivered within, seconds") % {}, counted.ninetieth),
        (_t("Opted out since it was sent"), counted.opt_outs),
        (_t("Answers"), counted.replies),
        (_t("of these opt-outs"), counted.stops),
    ]


def _results(report: Report) -> list[Sequence[Any]]:
    """Every state and reason; together they are the audience."""
    with_reason: dict[str, int] = {}
    rows: list[Sequence[Any]] = []
    labels = {part.status: part.label for part in parts_of(report.campaign, report.figures)}
    for one in report.figures.reasons:
        with_reason[one.status] = with_reason.get(one.status, 0) + one.count
    advice = {(one.status, one.reason): one for one in problems_of(report.campaign, report.figures)}
    for status, label in labels.items():
        if without := report.figures.messages[status] - with_reason.get(status, 0):
            rows.append((label, "", without, ""))
        for one in report.figures.reasons:
            if one.status == status:
                rows.append((label, words(one.label), one.count, advice[status, one.reason].advice))
    return [*rows, (_t("All together"), "", report.figures.audience, "")]


def _share_header(first: str) -> list[str]:
    return [
        first,
        _t("In the audience"),
        _t("Sent"),
        _t("Delivered"),
        _t("Delivered, %"),
        _t("Not delivered"),
        _t("Left out"),
        _t("SMS segments"),
        _t("Expected cost"),
    ]


def _share_row(share: Any, name: Any) -> Sequence[Any]:
    percent = None if share.percent is None else round(share.percent, 1)
    return (
        name(share.key),
        share.messages,
        share.sent,
        share.delivered,
        percent,
        share.not_delivered,
        share.left_out,
        share.segments,
        share.price,
    )


def _plain(value: datetime | None) -> datetime | None:
    """As spreadsheets know times: in the reader's zone, without saying so; the summary names it."""
    return None if value is None else timezone.localtime(value).replace(tzinfo=None, microsecond=0)

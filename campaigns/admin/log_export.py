"""The page that asks what of the delivery log is to be exported, with which columns and as what kind of file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import bulk, log
from campaigns.bulk.files import MOST_XLSX_ROWS
from campaigns.bulk.log_exporting import COLUMNS, contact_columns
from campaigns.models import SentMessage

from .base import BaseAdmin, acting_user
from .bulk import after_start
from .display import count
from .log_filters import in_words

IDS = "ids"


class LogExportForm(forms.Form):
    """Kind of file and columns. `rows`: how many there are, None where that is not known."""

    format = forms.ChoiceField(
        label=_("Kind of file"),
        choices=[("xlsx", _("Excel (.xlsx)")), ("csv", _("CSV (.csv)"))],
        initial="xlsx",
        widget=forms.RadioSelect,
    )
    columns = forms.MultipleChoiceField(label=_("Of the message"), widget=forms.CheckboxSelectMultiple, required=False)
    contact = forms.MultipleChoiceField(
        label=_("Of the contact, as it is today"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, rows: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows = rows
        self._offer("columns", {name: str(column.label) for name, column in COLUMNS.items()})
        self._offer("contact", contact_columns())
        self.initial = {"columns": list(COLUMNS), "format": "xlsx" if self._fits else "csv"}

    def _offer(self, name: str, labels: dict[str, str]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(value, label[:1].upper() + label[1:]) for value, label in labels.items()]

    @property
    def _fits(self) -> bool:
        return self._rows is not None and self._rows < MOST_XLSX_ROWS

    def clean_format(self) -> str:
        chosen = str(self.cleaned_data["format"])
        if chosen == "xlsx" and self._rows is not None and not self._fits:
            raise ValidationError(
                _t("An Excel file can hold %(count)s rows at most. Choose CSV.") % {"count": count(MOST_XLSX_ROWS - 1)}
            )
        return chosen

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not (cleaned.get("columns") or cleaned.get("contact")):
            raise ValidationError(_t("Choose at least one column."))
        return cleaned

    def parameters(self) -> dict[str, Any]:
        """What the operation wants to know."""
        chosen = self.cleaned_data
        return {"format": chosen["format"], "columns": [*chosen["columns"], *chosen["contact"]]}


def export_url(request: HttpRequest) -> str:
    """The page for what was ticked in the list, or for all that its filters match."""
    url = reverse("admin:campaigns_sentmessage_export")
    if request.POST.get("select_across") == "1":
        return f"{url}?{_filters_of(request).urlencode()}"
    return f"{url}?{urlencode({IDS: ','.join(request.POST.getlist(ACTION_CHECKBOX_NAME))})}"


def _filters_of(request: HttpRequest) -> Any:
    kept = request.GET.copy()
    for name in request.GET:
        if name not in log.PARAMETERS or not request.GET[name]:
            del kept[name]
    return kept


def export_page(model_admin: BaseAdmin, request: HttpRequest) -> HttpResponse:
    """Ask, then begin. What is exported stands in the address."""
    parameters = _filters_of(request)
    try:
        filters = log.read(parameters)
        ids = sorted({int(pk) for pk in request.GET.get(IDS, "").split(",") if pk})
    except (log.FilterError, ValueError) as error:
        raise BadRequest(str(error)) from error
    rows = len(ids) if ids else log.known_count(filters)
    form = LogExportForm(request.POST or None, rows=rows)
    if request.method == "POST" and form.is_valid():
        newest = SentMessage.objects.aggregate(newest=Max("pk"))["newest"] or 0
        chosen: dict[str, Any] = {IDS: ids} if ids else {"filters": dict(parameters.lists())}
        action = bulk.start(
            "export",
            "sentmessage",
            {**chosen, "up_to": newest},
            total=rows or 0,
            parameters=form.parameters(),
            actor=acting_user(request),
        )
        response = after_start(model_admin, request, action)
        return response or HttpResponseRedirect(action.get_absolute_url())
    list_url = reverse("admin:campaigns_sentmessage_changelist")
    context = model_admin.admin_context(
        request,
        title=_t("Export"),
        form=form,
        rows=rows,
        is_ticked=bool(ids),
        asked=in_words(filters),
        keep_days=settings.EXPORT_KEEP_DAYS,
        list_url=list_url if ids else f"{list_url}?{parameters.urlencode()}",
    )
    return TemplateResponse(request, "admin/campaigns/sentmessage/export.html", context)

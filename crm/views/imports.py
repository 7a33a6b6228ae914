"""The import wizard: upload, questions and mapping, dry run, run, result. Every step is a page without JavaScript."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from crm.clock import database_now
from crm.importing import accepting
from crm.importing.columns import FIELD_NAMES, FIELDS, Kind
from crm.importing.problems import CannotImport
from crm.importing.report import error_file, problems_of
from crm.importing.rows import Options
from crm.importing.survey import Question
from crm.importing.uploads import opener_of
from crm.models import Creator, IllegalImportMove, Import, ImportState
from crm.views.access import SignedInRequest, signed_in

SHOWN_PROBLEMS = 50
SHOWN_IMPORTS = 20
CONNECT = "crm/imports/connect.html"
DETAIL = "crm/imports/detail.html"
#: What a button asks for.
ACTS = {
    "check": ImportState.CHECKING,
    "start": ImportState.RUNNING,
    "cancel": ImportState.CANCELLED,
    "undo": ImportState.UNDOING,
}
CHOICE_WORDS = {
    "dmy": gettext_lazy("The day is first: 3 April is 03/04"),
    "mdy": gettext_lazy("The month is first: 3 April is 04/03"),
    ".": gettext_lazy("The point: 1.50"),
    ",": gettext_lazy("The comma: 1,50"),
    "none": gettext_lazy("Leave the text as it is"),
    "cp1252": gettext_lazy("Repair it as shown"),
    "cp1254": gettext_lazy("Repair it as shown (Turkish)"),
}


class UploadForm(forms.Form):
    creator = forms.ModelChoiceField(Creator.objects.none(), label=gettext_lazy("Creator"), empty_label=None)
    file = forms.FileField(
        label=gettext_lazy("CSV file, at most 10 MB"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def __init__(self, request: SignedInRequest) -> None:
        super().__init__(request.POST or None, request.FILES or None, label_suffix="")
        field = self.fields["creator"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Creator.objects.managed_by(request.user)
        field.initial = field.queryset.first()

    def accept(self, request: SignedInRequest) -> Import | None:
        """The import; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        file = self.cleaned_data["file"]
        try:
            return accepting.accept(
                self.cleaned_data["creator"],
                opener_of(file),
                name=file.name,
                options=Options(),
                by=request.user,
                now=database_now(),
            )
        except CannotImport as error:
            self.add_error("file", str(error))
            return None


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def connect(request: SignedInRequest) -> HttpResponse:
    """Upload a file; below it the last imports."""
    if request.method == "POST" and not Creator.objects.managed_by(request.user).exists():
        raise PermissionDenied
    form = UploadForm(request)
    if request.method == "POST" and (job := form.accept(request)):
        return redirect("import", public_id=job.public_id)
    mine = Import.objects.for_user(request.user).select_related("creator")
    context = {
        "form": form,
        "imports": mine.order_by("-created_at", "-pk")[:SHOWN_IMPORTS],
        "may_import": Creator.objects.managed_by(request.user).exists(),
    }
    return render(request, CONNECT, context, status=HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One import, at whatever step it is; POST takes the next one."""
    job = get_object_or_404(Import.objects.for_user(request.user).select_related("creator"), public_id=public_id)
    if request.method != "POST":
        return render(request, DETAIL, _shown(job, request))
    if not Creator.objects.managed_by(request.user).filter(pk=job.creator_id).exists():
        raise PermissionDenied
    try:
        if "map" in request.POST:
            accepting.answer(job, _answered(request, job))
        if (act := request.POST.get("act")) in ACTS and job.state != ImportState.ASKING:
            job.move(ACTS[act], now=database_now())
    except CannotImport as error:
        context = _shown(job, request) | {"error": str(error)}
        return render(request, DETAIL, context, status=HTTPStatus.BAD_REQUEST)
    except IllegalImportMove:
        context = _shown(job, request) | {"error": _("It has moved on meanwhile; this is how it stands now.")}
        return render(request, DETAIL, context, status=HTTPStatus.CONFLICT)
    return redirect("import", public_id=job.public_id)


@require_safe
@signed_in
def errors(request: SignedInRequest, public_id: UUID) -> StreamingHttpResponse:
    """The rows that were left out, to be corrected."""
    managed = Import.objects.filter(creator__in=Creator.objects.managed_by(request.user))
    job = get_object_or_404(managed, public_id=public_id)
    headers = {"Content-Disposition": f'attachment; filename="errors-{job.public_id}.csv"'}
    return StreamingHttpResponse(error_file(job), content_type="text/csv; charset=utf-8", headers=headers)


def _answered(request: SignedInRequest, job: Import) -> Options:
    """What the form says: an answer to each question, a field or nothing for each column."""
    said = {name: request.POST[name] for name in ("dateOrder", "decimal", "textRepair") if request.POST.get(name)}
    mapping = {
        name: request.POST[f"column{index}"]
        for index, name in enumerate(job.survey["header"])
        if f"column{index}" in request.POST and name.strip()
    }
    return Options.read({**job.options, "kind": job.kind, **said, "mapping": mapping})


def _shown(job: Import, request: SignedInRequest) -> dict[str, Any]:
    survey = job.survey
    return {
        "job": job,
        "may_change": Creator.objects.managed_by(request.user).filter(pk=job.creator_id).exists(),
        "questions": [_question(asked) for asked in survey.get("questions", ())],
        "columns": _columns(survey) if survey else [],
        "problems": list(problems_of(job, SHOWN_PROBLEMS)),
        "more_problems": job.skipped_count > SHOWN_PROBLEMS,
        "seen_before": job.seen_before if not job.is_at_work else None,
        "percent": 100 * job.rows_done // job.rows_total if job.rows_total else 0,
    }


def _question(asked: dict[str, Any]) -> dict[str, Any]:
    question = Question(asked["option"], tuple(asked["choices"]), asked["examples"])
    choices = [(choice, CHOICE_WORDS[choice]) for choice in question.choices]
    return {"option": question.option, "words": question.words, "choices": choices}


def _columns(survey: dict[str, Any]) -> list[dict[str, Any]]:
    fields = [(field, FIELD_NAMES[field]) for field in FIELDS[Kind(survey["kind"])]]
    return [
        {
            "name": name,
            "field_name": f"column{index}",
            "samples": survey["samples"][index],
            "chosen": survey["mapping"].get(str(index), ""),
            "fields": fields,
        }
        for index, name in enumerate(survey["header"])
    ]

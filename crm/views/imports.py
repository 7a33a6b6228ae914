"""The import wizard: upload, questions and mapping, dry run, run, result. Every step is a page without JavaScript."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from crm.clock import database_now
from crm.importing import accepting
from crm.importing.columns import FIELD_NAMES, FIELDS, Kind, normal
from crm.importing.problems import CannotImport
from crm.importing.report import error_file, problems_of
from crm.importing.rows import Options
from crm.importing.survey import QUESTIONS, Question
from crm.importing.uploads import opener_of
from crm.limiting import IMPORTS, TooOften, limited
from crm.models import Creator, IllegalImportMove, Import, ImportState
from crm.models.imports import ENDED, NOT_BEGUN
from crm.views.access import SignedInRequest, chosen_creator, manages, require_manager, see_other, signed_in

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
    Kind.FANS: gettext_lazy("Fans: who they are"),
    Kind.TRANSACTIONS: gettext_lazy("Payments: what they paid, and when"),
    "dmy": gettext_lazy("The day is first: 3 April is 03/04"),
    "mdy": gettext_lazy("The month is first: 3 April is 04/03"),
    ".": gettext_lazy("The point: 1.50"),
    ",": gettext_lazy("The comma: 1,50"),
    "none": gettext_lazy("Leave the text as it is"),
    "cp1252": gettext_lazy("Repair it as shown"),
    "cp1254": gettext_lazy("Repair it as shown (Turkish)"),
}


#: What a person chooses for a column that goes nowhere; nothing chosen yet is no choice.
LEFT_OUT = "-"
#: Work that nobody has begun after so long: the process that imports is not running.
BEGINS_WITHIN = timedelta(seconds=20)
#: The steps of the wizard, and the states in which each is the present one.
STEPS = (
    (gettext_lazy("Upload"), ()),
    (gettext_lazy("Columns"), (ImportState.ASKING, ImportState.READY)),
    (gettext_lazy("Check"), (ImportState.CHECKING, ImportState.CHECKED)),
    (gettext_lazy("Import"), (ImportState.RUNNING,)),
    (gettext_lazy("Result"), (*ENDED, ImportState.UNDOING, ImportState.UNDONE)),
)


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file, at most 10 MB"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    def __init__(self, request: SignedInRequest) -> None:
        super().__init__(request.POST or None, request.FILES or None, label_suffix="")

    def accept(self, request: SignedInRequest, creator: Creator) -> Import | None:
        """The import; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        file = self.cleaned_data["file"]
        try:
            with limited(request, IMPORTS):
                return accepting.accept(
                    creator, opener_of(file), name=file.name, options=Options(), by=request.user, now=database_now()
                )
        except CannotImport as error:
            self.add_error("file", str(error))
        except TooOften as error:
            self.add_error("file", error)
        return None


class Undecided(CannotImport):
    """Columns of which nobody has said where they go."""

    def __init__(self, names: list[str]) -> None:
        named = ", ".join(f"“{name}”" for name in names)
        words = _("Say where these columns go, or that they are left out: %(columns)s.") % {"columns": named}
        super().__init__("undecided", words, option="mapping")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def connect(request: SignedInRequest) -> HttpResponse:
    """Where a creator's fans come from: the account, a file, and the last files."""
    creator = chosen_creator(request)
    form = UploadForm(request)
    if request.method == "POST":
        require_manager(request, creator)
        if job := form.accept(request, creator):
            return see_other(reverse("import", args=[job.public_id]))
    context = {
        "form": form,
        "creator": creator,
        "imports": Import.objects.filter(creator=creator).order_by("-created_at", "-pk")[:SHOWN_IMPORTS],
        "may_import": manages(request, creator),
    }
    with timezone.override(creator.zone):
        return render(request, CONNECT, context, status=HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One import, at whatever step it is; POST takes the next one."""
    job = get_object_or_404(Import.objects.for_user(request.user).select_related("creator"), public_id=public_id)
    with timezone.override(job.creator.zone):
        if request.method != "POST":
            return _page(request, job)
        require_manager(request, job.creator)
        try:
            _take_step(request, job)
        except CannotImport as error:
            return _page(request, job, error=str(error), status=HTTPStatus.BAD_REQUEST)
        except IllegalImportMove:
            words = _("It has moved on meanwhile; this is how it stands now.")
            return _page(request, job, error=words, status=HTTPStatus.CONFLICT)
    return see_other(reverse("import", args=[job.public_id]))


def _take_step(request: SignedInRequest, job: Import) -> None:
    """Raises CannotImport, IllegalImportMove."""
    act = request.POST.get("act", "")
    if "map" in request.POST and act != "cancel":
        accepting.answer(job, _answered(request, job, leave_the_rest=act == "leave"))
    if act in ("check", "start") and (undecided := _undecided(job)):
        raise Undecided(undecided)
    if act == "cancel" or (act in ACTS and job.state != ImportState.ASKING):
        job.move(ACTS[act], now=database_now())


@require_safe
@signed_in
def errors(request: SignedInRequest, public_id: UUID) -> StreamingHttpResponse:
    """The rows that were left out, to be corrected."""
    managed = Import.objects.filter(creator__in=Creator.objects.managed_by(request.user))
    job = get_object_or_404(managed, public_id=public_id)
    headers = {"Content-Disposition": f'attachment; filename="errors-{job.public_id}.csv"'}
    return StreamingHttpResponse(error_file(job), content_type="text/csv; charset=utf-8", headers=headers)


def _answered(request: SignedInRequest, job: Import, *, leave_the_rest: bool) -> Options:
    """What the form says: an answer to each question, a field or nothing for each column.

    A column of which nothing is said stays open, unless the rest is to be left out.
    """
    said = {name: request.POST[name] for name in QUESTIONS if request.POST.get(name)}
    mapping = {}
    for index, name in enumerate(job.survey["header"]):
        chosen = request.POST.get(f"column{index}", "") or (LEFT_OUT if leave_the_rest else "")
        if name.strip() and chosen:
            mapping[name] = "" if chosen == LEFT_OUT else chosen
    return Options.read({**job.options, "kind": job.kind, **said, "mapping": mapping})


def _undecided(job: Import) -> list[str]:
    """Columns that go nowhere although nobody has said so, by name."""
    decided = {normal(name) for name in job.options.get("mapping", {})}
    return [name for name in job.ignored_columns if name.strip() and normal(name) not in decided]


def _page(
    request: SignedInRequest, job: Import, *, error: str = "", status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    survey, undecided = job.survey, _undecided(job)
    context = {
        "job": job,
        "error": error,
        "may_change": manages(request, job.creator),
        "steps": _steps(job),
        "questions": [_question(asked, job) for asked in (*survey.get("questions", ()), *survey.get("answered", ()))],
        "columns": _columns(job, undecided) if survey else [],
        "undecided": undecided,
        "left_out": LEFT_OUT,
        "may_map": job.state in NOT_BEGUN and bool(survey),
        "problems": list(problems_of(job, SHOWN_PROBLEMS)),
        "more_problems": job.skipped_count > SHOWN_PROBLEMS,
        "seen_before": job.seen_before if not job.is_at_work else None,
        "percent": 100 * job.rows_done // job.rows_total if job.rows_total else 0,
        "is_left_alone": _is_left_alone(job),
    }
    return render(request, DETAIL, context, status=status)


def _steps(job: Import) -> list[tuple[Any, str]]:
    """The words of each, and whether it is done, the present one, or still to come."""
    present = next(number for number, (_words, states) in enumerate(STEPS) if job.state in states)
    return [
        (words, "done" if number < present else "present" if number == present else "")
        for number, (words, _states) in enumerate(STEPS)
    ]


def _is_left_alone(job: Import) -> bool:
    now = database_now()
    taken = job.lease_until is not None and job.lease_until > now
    return job.is_at_work and not taken and bool(job.asked_at and job.asked_at < now - BEGINS_WITHIN)


def _question(asked: dict[str, Any], job: Import) -> dict[str, Any]:
    question = Question(asked["option"], tuple(asked["choices"]), asked["examples"])
    choices = [(choice, CHOICE_WORDS[choice]) for choice in question.choices]
    said = job.options.get(question.option, "")
    return {"option": question.option, "words": question.words, "choices": choices, "said": said}


def _columns(job: Import, undecided: Sequence[str]) -> list[dict[str, Any]]:
    """Each column of the file with samples; what was found of it is ``field``, what is open is ``is_open``."""
    survey = job.survey
    fields = [(field, FIELD_NAMES[field]) for field in FIELDS[Kind(survey["kind"])]]
    mapping, known = survey["mapping"], set(undecided)
    return [
        {
            "name": name,
            "field_name": f"column{index}",
            "samples": survey["samples"][index],
            "chosen": mapping.get(str(index), "" if name in known else LEFT_OUT),
            "is_open": name in known,
            "fields": fields,
        }
        for index, name in enumerate(survey["header"])
    ]

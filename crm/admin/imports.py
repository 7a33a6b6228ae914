"""Imports: a file is taken in here as on its page, and asked to be checked, run, ended or undone."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.admin.tables import OneByOne, in_words, who
from crm.clock import database_now
from crm.importing import accepting
from crm.importing.columns import FIELDS, Kind
from crm.importing.encoding import REPAIRS
from crm.importing.moments import DAY_FIRST, MONTH_FIRST
from crm.importing.problems import CannotImport
from crm.importing.rows import AS_IT_IS, Options
from crm.importing.uploads import opener_of
from crm.limiting import IMPORTS, TooOften, limited
from crm.models import IllegalImportMove, Import, ImportState, StateForbids

FROM_THE_FILE = ("", _("As the file shows"))
OPTIONS = ("kind", "dateOrder", "decimal", "textRepair", "mapping")


class MappingField(forms.CharField):
    """Columns and what each goes to, one a line: ``Nick = handle``. Nothing after the sign leaves a column out."""

    widget = forms.Textarea(attrs={"rows": 3})

    def clean(self, value: Any) -> dict[str, str]:
        mapping = {}
        for line in super().clean(value).splitlines():
            column, sign, field = line.rpartition("=")
            if not sign and line.strip():
                raise ValidationError(_("Write the column's header, =, and a field: %(line)s") % {"line": line[:60]})
            if sign:
                mapping[column.strip()] = field.strip()
        return mapping


class NewImportForm(forms.ModelForm):
    """A file and what it may leave open. Refusals are said beside the field that answers them."""

    file = forms.FileField(label=_("CSV file, at most 10 MB"), allow_empty_file=True)
    kind = forms.ChoiceField(label=_("What it has"), required=False, choices=[FROM_THE_FILE, *Kind.choices])
    dateOrder = forms.ChoiceField(  # noqa: N815, the option's own name
        label=_("Dates such as 03/04"),
        required=False,
        choices=[FROM_THE_FILE, (DAY_FIRST, _("The day is first")), (MONTH_FIRST, _("The month is first"))],
    )
    decimal = forms.ChoiceField(
        label=_("Decimal sign"),
        required=False,
        choices=[FROM_THE_FILE, (".", _("The point: 1.50")), (",", _("The comma: 1,50"))],
    )

    textRepair = forms.ChoiceField(  # noqa: N815
        label=_("Text that was encoded twice"),
        required=False,
        choices=[
            FROM_THE_FILE,
            (AS_IT_IS, _("Leave it as it is")),
            *((repair, _("Repair it as %(how)s") % {"how": repair}) for repair in REPAIRS),
        ],
    )

    mapping = MappingField(
        label=_("Columns that nobody knows"),
        required=False,
        help_text=_("One a line, as in “Nick = handle”; the fields of fans are %(fields)s.")
        % {"fields": ", ".join(FIELDS[Kind.FANS])},
    )

    #: The one that uploads it.
    request: HttpRequest

    class Meta:
        model = Import
        fields = ("creator",)

    @classmethod
    def shown(cls) -> list[str]:
        return ["creator", *cls.declared_fields]

    def clean(self) -> dict[str, Any]:
        """The first look at the file: all that is wrong with it is known before anything is kept."""
        typed: dict[str, Any] = super().clean() or {}
        if self.errors:
            return typed
        file, said = typed["file"], {name: typed[name] for name in OPTIONS if typed[name]}
        try:
            with limited(self.request, IMPORTS):
                self.accepted = accepting.accept(
                    typed["creator"],
                    opener_of(file),
                    name=file.name,
                    options=Options.read(said),
                    by=who(self.request),
                    now=database_now(),
                    may_ask=False,
                )
        except TooOften as error:
            self.add_error("file", error)
        except CannotImport as error:
            self.add_error(error.option if error.option in self.fields else "file", str(error))
        return typed

    def save(self, commit: bool = True) -> Import:
        """The import is there already: the ledger has accepted the file."""
        return self.accepted

    def save_m2m(self) -> None:
        """Nothing is left to be saved."""


@admin.register(Import)
class ImportAdmin(OneByOne[Import], admin.ModelAdmin):
    list_display = (
        "name",
        "creator",
        "kind",
        "state",
        "rows_done",
        "rows_total",
        "created_count",
        "updated_count",
        "skipped_count",
        "created_at",
    )
    list_filter = ("state", "kind", "creator")
    list_select_related = ("creator",)
    search_fields = ("name", "=sha256", "=public_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    autocomplete_fields = ("creator",)
    show_full_result_count = False
    # What the first look found has samples of people's names.
    exclude = ("survey", "lease", "reason")
    readonly_fields = (in_words("reason"),)
    actions = ("check_it", "start", "end", "undo")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Nobody edits an import, yet whoever may change imports may ask for what its page offers."""
        return request.user.has_perm("crm.change_import")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        form: Any = super().get_form(
            request, obj, change, form=NewImportForm, fields=NewImportForm.shown(), exclude=None
        )
        form.request = request
        return form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj is not None else NewImportForm.shown()

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        """The ledger has kept it already."""

    @admin.action(description=_("Check the whole file, write nothing"), permissions=["run"])
    def check_it(self, request: HttpRequest, jobs: QuerySet[Import]) -> None:
        self._ask(request, jobs, ImportState.CHECKING)

    @admin.action(description=_("Run"), permissions=["run"])
    def start(self, request: HttpRequest, jobs: QuerySet[Import]) -> None:
        self._ask(request, jobs, ImportState.RUNNING)

    @admin.action(description=_("Cancel"), permissions=["run"])
    def end(self, request: HttpRequest, jobs: QuerySet[Import]) -> None:
        self._ask(request, jobs, ImportState.CANCELLED)

    @admin.action(description=_("Undo"), permissions=["run"])
    def undo(self, request: HttpRequest, jobs: QuerySet[Import]) -> None:
        self._ask(request, jobs, ImportState.UNDOING)

    def _ask(self, request: HttpRequest, jobs: QuerySet[Import], state: ImportState) -> None:
        def ask(job: Import) -> None:
            try:
                job.move(state, now=database_now())
            except IllegalImportMove as error:
                words = _text("The import's state is “%(state)s”, which does not allow it.")
                raise StateForbids(words % {"state": ImportState(error.was).label}) from error

        self.one_by_one(request, jobs, ask)

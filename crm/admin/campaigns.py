"""Campaigns and whom they are for. They are written on their pages; here staff stop them and let them go."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from crm import campaigning
from crm.admin.tables import Long, OneByOne, ReadOnly, as_uuid, in_words, of_fans_found, with_part
from crm.limiting import BULK, limited
from crm.models import Campaign, Recipient, Tally


class TallyInline(ReadOnly, admin.TabularInline):
    model = Tally
    fields = ("state", "number")
    verbose_name_plural = _("recipients by state")


@admin.register(Campaign)
class CampaignAdmin(OneByOne[Campaign], ReadOnly, admin.ModelAdmin):
    list_display = (
        "name",
        "creator",
        "status",
        in_words("reason"),
        "scheduled_at",
        "launched_at",
        "finished_at",
        "created_at",
    )
    list_filter = ("status", "creator")
    list_select_related = ("creator",)
    search_fields = ("name", "=public_id")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    show_full_result_count = False
    # A list of a hundred thousand fans is no reading for anybody.
    exclude = ("audience", "reason")
    readonly_fields = (in_words("reason"),)
    inlines = (TallyInline,)
    actions = ("launch", "pause", "resume", "cancel", "send_failed_again")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Nobody edits a campaign here, yet whoever may change campaigns may launch and stop them by the verbs."""
        return request.user.has_perm("crm.change_campaign")

    @admin.action(description=_("Launch"), permissions=["decide"])
    def launch(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def launch(campaign: Campaign) -> None:
            with limited(request, BULK, creator=campaign.creator):
                campaigning.launch(campaign)

        self.one_by_one(request, campaigns, launch)

    @admin.action(description=_("Pause"), permissions=["decide"])
    def pause(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        reason = gettext_noop("Paused in the admin.")
        self.one_by_one(request, campaigns, lambda campaign: campaigning.pause(campaign, reason=reason))

    @admin.action(description=_("Resume"), permissions=["decide"])
    def resume(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        self.one_by_one(request, campaigns, campaigning.resume)

    @admin.action(description=_("Cancel: what waits is never sent"), permissions=["decide"])
    def cancel(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        self.one_by_one(request, campaigns, campaigning.cancel)

    @admin.action(description=_("Send again what failed"), permissions=["decide"])
    def send_failed_again(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        self.one_by_one(request, campaigns, campaigning.retry_failed)


@admin.register(Recipient)
class RecipientAdmin(ReadOnly, Long):
    list_display = ("campaign", "fan", "became", "excluded")
    list_filter = ("excluded",)
    list_select_related = ("campaign", "fan", "message")
    search_fields = ("campaign",)
    search_help_text = with_part(_("A campaign's id, or the fan: the beginnings of words of the name or handle."))

    def found(self, rows: "QuerySet[Recipient]", words: str) -> "QuerySet[Recipient]":
        if public_id := as_uuid(words):
            return rows.filter(campaign__in=Campaign.objects.filter(public_id=public_id))
        return rows.filter(fan__in=of_fans_found(words))

    @admin.display(description=_("state"))
    def became(self, recipient: Recipient) -> str:
        return recipient.state

"""How campaigns stand, in numbers that are counted with every message that moves."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from crm.clock import database_now
from crm.forecast import completion
from crm.management.operating import WRONG_ARGUMENTS, Answer, OperatorCommand, creator_named, moment, table
from crm.models import Campaign
from crm.models.campaigns import EXCLUDED, CampaignStatus

AT_WORK = (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.NEEDS_REVIEW)
LISTED_MAX = 100
SENT = ("sent", "delivered", "read")
OPEN = ("unknown", "needs_person")


class Command(OperatorCommand):
    help = f"Show campaigns that are scheduled, under way or stopped: the latest {LISTED_MAX}."
    examples = ("", "--creator @avalaurent --all", "6a2f9c1e-8f0e-4a53-9a7f-5b8a53b0f6f4 --json")
    fails_when = "a campaign waits for a person"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("campaign", nargs="*", type=UUID, help="Ids; with them, campaigns in every state.")
        parser.add_argument("--creator", help="Id, handle or name: only this creator's.")
        parser.add_argument("--all", action="store_true", help="Drafts and those that have ended, too.")

    def answer(self, *, campaign: list[UUID], creator: str | None, **options: Any) -> Answer:
        chosen = Campaign.objects.select_related("creator").prefetch_related("tallies", "attachments").order_by("-pk")
        if campaign:
            chosen = chosen.filter(public_id__in=campaign)
            if missing := set(campaign) - set(chosen.values_list("public_id", flat=True)):
                names = ", ".join(sorted(map(str, missing)))
                raise CommandError(f"There is no such campaign: {names}", returncode=WRONG_ARGUMENTS)
        elif not options["all"]:
            chosen = chosen.filter(status__in=AT_WORK)
        if creator:
            chosen = chosen.filter(creator=creator_named(creator))
        found = [_facts(each) for each in chosen[:LISTED_MAX]]
        is_well = all(facts["status"] != CampaignStatus.NEEDS_REVIEW for facts in found)
        return Answer({"campaigns": found}, _lines(found), is_well=is_well)


def _facts(campaign: Campaign) -> dict[str, Any]:
    counts = {tally.state: tally.number for tally in campaign.tallies.all() if tally.number}
    expected = completion(campaign, now=database_now(), tally=counts) if campaign.status in AT_WORK else None
    return {
        "campaignId": campaign.public_id,
        "name": campaign.name,
        "creator": campaign.creator.name,
        "status": campaign.status,
        "reason": campaign.reason,
        "totalRecipients": sum(counts.values()),
        "counts": counts,
        "estimatedCompletionTime": expected.at if expected else None,
        "waiting": expected.words if expected else "",
    }


def _lines(found: Iterable[dict[str, Any]]) -> list[str]:
    rows, why = [], []
    for facts in found:
        counts = facts["counts"]
        sent, open_ones = (sum(counts.get(state, 0) for state in states) for states in (SENT, OPEN))
        left_out, failed = counts.get(EXCLUDED, 0), counts.get("failed", 0) + counts.get("cancelled", 0)
        waiting = facts["totalRecipients"] - sent - open_ones - left_out - failed
        names = (str(facts["campaignId"]), facts["creator"][:24], facts["name"][:24], facts["status"])
        rows.append((*names, waiting, sent, failed, open_ones, left_out, moment(facts["estimatedCompletionTime"])))
        if words := facts["reason"] or facts["waiting"]:
            why.append(f"{facts['name']}: {words}")
    if not rows:
        return ["No campaign is under way."]
    headings = ("campaign", "creator", "name", "status", "waiting", "sent", "failed", "open", "left out", "done (UTC)")
    return [*table(headings, rows), *why]

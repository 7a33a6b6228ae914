"""How fans and recipients are listed, so that an index has it. The API's lists and the pages share them."""

from typing import Any

from django.db.models import QuerySet

from crm.models import Campaign, Message, Recipient
from crm.models.campaigns import EXCLUDED, WAITING, CampaignStatus
from crm.models.messages import Status
from crm.paging import LIMIT_DEFAULT, Page, Sorting, always, page_through, sortings

SORTINGS = sortings(
    createdAt="created_at",
    valueCents="value_cents",
    lastSeenAt="last_seen_at",
    joinedAt="joined_at",
    lastPurchaseAt="last_purchase_at",
    subscriptionEndsAt="subscription_ends_at",
    name="sort_name",
)
NEWEST = "-createdAt"
RECIPIENTS = always(sortings("id"))

_OF_RECIPIENT = ("campaign", "excluded", "fan__public_id", "fan__name", "fan__handle", "fan__platform_id")
_OF_MESSAGE = ("campaign", "public_id", "status", "cause", "sent_at", "purchased_at")


def recipients(
    campaign: Campaign,
    sorting: Sorting,
    *,
    state: str = "",
    reason: str = "",
    cursor: str = "",
    limit: int = LIMIT_DEFAULT,
) -> Page[Recipient]:
    """Those in ``state``, or left out for ``reason``, in the order of the launch; each with fan, message and campaign.

    Whose message is in a state is found by the messages: the other way round, most would be looked at for a few.
    """
    page = page_through(_lists(campaign, state, reason), sorting, cursor=cursor, limit=limit)
    rows = [row.campaign_recipient if isinstance(row, Message) else row for row in page.rows]
    for row in rows:
        # The one of all of them, instead of a join for each.
        row.campaign = campaign
    return Page(rows, page.next, page.previous)


def _lists(campaign: Campaign, state: str, reason: str) -> "list[QuerySet[Any]]":
    """Messages are made in the order of the recipients: of a cancelled campaign, those without one come last."""
    everybody = campaign.recipients.select_related("fan", "message").only(
        *_OF_RECIPIENT, *(f"message__{name}" for name in _OF_MESSAGE)
    )
    if reason:
        # Said twice, so that SQLite sees that the index of those who are left out has them.
        left_out = everybody.in_state(EXCLUDED).filter(excluded=reason)
        return [left_out if state in ("", EXCLUDED) else left_out.none()]
    if not state:
        return [everybody]
    if state == EXCLUDED:
        return [everybody.in_state(EXCLUDED)]
    if state == WAITING:
        return [everybody.none() if campaign.status == CampaignStatus.CANCELLED else everybody.without_message()]
    messages = campaign.messages.filter(status=state, campaign_recipient__isnull=False)
    written_to = messages.select_related("campaign_recipient__fan").only(
        *_OF_MESSAGE, *(f"campaign_recipient__{name}" for name in _OF_RECIPIENT)
    )
    if state == Status.CANCELLED and campaign.status == CampaignStatus.CANCELLED:
        return [written_to, everybody.without_message()]
    return [written_to]

"""The pages of the product, and a creator with something on each of them.

tests/browser/test_accessibility.py looks at every row in both themes and languages, tests/test_budgets.py counts its
bytes and its queries, and tests/screenshots.py takes its picture. A new page is a new row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse

from crm import campaigning, teaming
from crm.clock import database_now
from crm.importing import running
from crm.models import (
    Campaign,
    Conversation,
    Creator,
    Dispatch,
    Fan,
    ImportState,
    Membership,
    Message,
    Note,
    Segment,
    Tag,
    Tally,
    Transaction,
    User,
)
from crm.models.messages import Status
from crm.models.transactions import Payment
from crm.tests.factories import make_import, make_message
from onlyfans import demo

BEACH = "https://files.example.test/beach.jpg"


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    address: Callable[[Creator], str]
    signed_in: bool = True


def _named(name: str, **query: str) -> Callable[[Creator], str]:
    return lambda creator: reverse(name, query=query or None)


def _of(name: str, find: Callable[[Creator], object]) -> Callable[[Creator], str]:
    """The page of one row; ``find`` says which."""
    return lambda creator: reverse(name, args=[find(creator).public_id])  # type: ignore[attr-defined]


def _in_admin(page: str, find: Callable[[Creator], Any]) -> Callable[[Creator], str]:
    return lambda creator: reverse(f"admin:crm_{page}", args=[find(creator).pk])


def _theo(creator: Creator) -> Fan:
    return creator.fans.get(name="Theo Marsh")


def _welcome(creator: Creator) -> str:
    """The link of an invitation, as somebody gets it."""
    nina = creator.memberships.get(user__username="nina")
    owner = creator.memberships.filter(role=Membership.Role.OWNER).earliest("id").user
    return reverse("welcome", args=[nina.user.public_id, teaming.invitation(nina, by=owner)])


PAGES = [
    Page("sign-in", _named("login"), signed_in=False),
    Page("inbox", _named("inbox")),
    Page("inbox-selected", _named("inbox", select="page")),
    Page("inbox-nothing-unread", _named("inbox", show="unread")),
    Page(
        "conversation",
        _of("conversation", lambda creator: creator.conversations.get(fan=_theo(creator))),
    ),
    Page("inbox-found", _named("inbox", q="balcony")),
    Page("inbox-nothing-found", _named("inbox", q="nobody")),
    Page("fan-card", _of("fan_card", lambda creator: creator.conversations.get(fan=_theo(creator)))),
    Page("composer-snippets", _of("composer_snippets", lambda creator: creator.conversations.get(fan=_theo(creator)))),
    Page("inbox-preferences", _named("inbox_preferences")),
    Page("fans", _named("fans")),
    Page("fans-none-found", _named("fans", search="nobody", spentMin="5")),
    Page("fan", _of("fan", _theo)),
    Page("fan-new", _named("new_fan")),
    Page("fan-erase", _of("erase_fan", _theo)),
    Page("segments", _named("segments")),
    Page("segment-new", _named("new_segment", segment="ready:paid", seenWithinDays="7")),
    Page("segment", _of("segment", lambda creator: creator.segments.get(name="Silent spenders"))),
    Page("campaigns", _named("campaigns")),
    Page("campaign-new", _named("new_campaign", valueMin="1")),
    Page("campaign-draft", _of("campaign", lambda creator: creator.campaigns.get(name="Sunday"))),
    Page("campaign-edit", _of("edit_campaign", lambda creator: creator.campaigns.get(name="Sunday"))),
    Page("campaign", _of("campaign", lambda creator: creator.campaigns.get(name="Beach day"))),
    Page("recipients", _of("recipients", lambda creator: creator.campaigns.get(name="Beach day"))),
    Page("analytics", _named("analytics")),
    Page("payments", _named("transactions")),
    Page("subscriptions", _named("subscriptions")),
    Page("replies", _named("replies")),
    Page("by-hand", _named("assisted")),
    Page("profile", _named("settings")),
    Page("sign-ins", _named("sign_ins")),
    Page("api-keys", _named("api_keys")),
    Page("creator-settings", _named("creator_settings")),
    Page("team", _named("team")),
    Page("snippets", _named("snippets")),
    Page("snippet-new", _named("new_snippet")),
    Page("sending", _named("sending")),
    Page("welcome", _welcome, signed_in=False),
    Page("connect", _named("connect")),
    Page("account", _of("account", lambda creator: creator)),
    Page("import-asking", _of("import", lambda creator: creator.imports.get(name="asking.csv"))),
    Page("import-done", _of("import", lambda creator: creator.imports.get(name="done.csv"))),
]

#: The staff's tool: Django's own kinds of pages, and ours among them.
STAFF_PAGES = [
    Page("admin", _named("admin:index")),
    Page("admin-app", lambda creator: reverse("admin:app_list", args=["crm"])),
    Page("admin-creators", _named("admin:crm_creator_changelist")),
    Page("admin-creator", _in_admin("creator_change", lambda creator: creator)),
    Page("admin-fans", _named("admin:crm_fan_changelist")),
    Page("admin-fan-new", _named("admin:crm_fan_add")),
    Page("admin-fan", _in_admin("fan_change", _theo)),
    Page("admin-fan-history", _in_admin("fan_history", _theo)),
    Page("admin-fan-delete", _in_admin("fan_delete", _theo)),
    Page("admin-write", _in_admin("fan_write", _theo)),
    Page("admin-messages", _named("admin:crm_message_changelist")),
    Page("admin-message", _in_admin("message_change", lambda creator: creator.messages.earliest("id"))),
    Page("admin-campaigns", _named("admin:crm_campaign_changelist")),
    Page("admin-campaign", _in_admin("campaign_change", lambda creator: creator.campaigns.get(name="Beach day"))),
    Page("admin-lines", _named("admin:crm_line_changelist")),
    Page("admin-user", _in_admin("user_change", lambda creator: creator.memberships.earliest("id").user)),
    Page("admin-password", _named("admin:password_change")),
]


def furnish() -> tuple[User, Creator]:
    """The demo, and what came of it: messages in every state, a segment, campaigns, imports."""
    demo.seed()
    Dispatch.note(heartbeat_at=database_now())
    user = User.objects.get(username=demo.USERNAME)
    creator = Creator.objects.for_user(user).earliest("id")
    _talk(creator)
    for tag in Tag.objects.named(creator, ("VIP", "Likes the sea")):
        tag.put_on([_theo(creator)])
    Note.objects.write(_theo(creator), author=user, text="Asked for the beach series. Away until Friday.")
    rule = {"valueMin": 5_000, "silentForDays": 7}
    Segment.objects.create(creator=creator, name="Silent spenders", rule=rule)
    _campaign(creator, user)
    _import(creator)
    teaming.invite(creator, username="nina", role=Membership.Role.CHATTER, by=user)
    return user, creator


def _talk(creator: Creator) -> None:
    """A bubble in every state, and one with a price and a picture."""
    theo = Conversation.objects.get(fan=_theo(creator))
    now = database_now()
    for hours, status in enumerate(status for status in Status if status != Status.RECEIVED):
        at = now - timedelta(hours=12 - hours)
        cause = "Theo does not take messages at the moment." if status == Status.FAILED else ""
        make_message(theo, status=status, text="Here is what I promised you.", send_at=at, cause=cause)
    paid = make_message(theo, status=Status.READ, text="The beach, as you asked.", price_cents=1_250)
    paid.attachments.create(creator=creator, url=BEACH, position=0)


def _campaign(creator: Creator, user: User) -> None:
    """One under way, which some have and one has bought, one not begun."""
    fans = [str(fan.public_id) for fan in creator.fans.order_by("id")[:14]]
    paid: dict[str, Any] = {"price_cents": 1_500, "media_urls": [BEACH]}
    for name, text, more in (
        ("Beach day", "Hey {name|you}, look where I am.", paid),
        ("Sunday", "A slow one today, {name|you}?", {}),
    ):
        campaigning.draft(creator, author=user, name=name, text=text, audience={"fans": fans}, **more)
    beach = Campaign.objects.get(name="Beach day")
    campaigning.launch(beach)
    beach.attachments.update(provider_media_id="media_1")
    campaigning.serve()
    *sent, failed = beach.messages.order_by("-id")[:6]
    now = database_now()
    for number, message in enumerate(sent):
        Message.objects.filter(pk=message.pk).update(
            status=Status.DELIVERED, sent_at=now, delivered_at=now, platform_id=f"beach_{number}"
        )
    Message.objects.filter(pk=failed.pk).update(
        status=Status.FAILED, cause_code="not_allowed", cause="The fan takes no messages."
    )
    Tally.objects.moved(beach.pk, source=Status.QUEUED, to=Status.DELIVERED, number=len(sent))
    Tally.objects.moved(beach.pk, source=Status.QUEUED, to=Status.FAILED)
    bought = Payment(
        kind="message",
        amount_cents=1_500,
        fee_cents=300,
        net_cents=1_200,
        occurred_at=now,
        source="event",
        fan=sent[0].conversation.fan,
        message=sent[0],
        event_key="beach",
    )
    Transaction.objects.record(creator, [bought])


def _import(creator: Creator) -> None:
    """One with a question, one that is done and left a row out."""
    make_import(creator, "Username,Last Seen,Colour\nava,03/04/2025,red\n", name="asking.csv")
    done = make_import(creator, "Username\nava\nb o\n", name="done.csv")
    done.move(ImportState.RUNNING, now=database_now())
    running.work(done)

"""The inbox's views and their counts, who has what, and which creator's inbox it is."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import inbox
from crm.conditions import Scope
from crm.models import Attachment, Conversation, Creator, Dispatch, Membership, Message, Tag, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user
from crm.tests.plans import plan_of

pytestmark = pytest.mark.django_db


def names_in(page: Any) -> list[str]:
    return re.findall(r'class="row-name"[^>]*>([\w ]+?) *<', page.content.decode())


def counts_in(page: Any) -> dict[str, str]:
    count = r"""</svg>\s*<span>([\w ]+)</span>\s*(?:<span class="count">(\d+\+?)</span>)?</a>"""
    return dict(re.findall(count, page.content.decode()))


@pytest.fixture
def everybody(creator: Creator, user: User) -> None:
    """One conversation for each view, and one of another creator's for none."""
    make_conversation(fan=make_fan(creator, name="Plain"))
    make_conversation(fan=make_fan(creator, name="Unread"), unread_count=2)
    make_conversation(fan=make_fan(creator, name="Mine"), assigned_to=user)
    make_conversation(fan=make_fan(creator, name="Theirs"), assigned_to=make_user())
    make_conversation(fan=make_fan(creator, name="Unanswered"), last_direction=Message.Direction.IN)
    make_conversation(fan=make_fan(creator, name="Priority", is_priority=True))
    make_message(make_conversation(fan=make_fan(creator, name="Failed")), status=Status.FAILED)
    make_conversation(fan=make_fan(creator, name="Closed"), closed_at=timezone.now())
    make_conversation(fan=make_fan(creator, name="Snoozed"), snoozed_until=timezone.now() + timedelta(hours=1))
    stranger = make_creator(make_user())
    make_message(make_conversation(stranger, unread_count=1, assigned_to=user), status=Status.UNKNOWN)


def scope_of(creator: Creator, user: User) -> Scope:
    return Scope(frozenset([creator.pk]), timezone.now(), user.pk, fan="fan__", talk="")


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("all", "conversation_open"),
        ("unread", "conversation_unread"),
        ("mine", "conversation_assigned|conversation_open"),
        ("unanswered", "conversation_unanswered"),
        ("failed", "message_by_status|message_(thread_)?for_a_person"),
        ("closed", "conversation_closed"),
    ],
)
def test_a_view_passes_over_no_conversation_of_another_state(
    creator: Creator, user: User, name: str, index: str
) -> None:
    rows = inbox.listed(inbox.VIEWS[name], scope_of(creator, user))

    assert re.search(index, plan_of(rows.newest_first()[:51], sorts=name == "failed"))


def test_of_a_creator_who_has_just_gone_nothing_is_counted(creator: Creator, user: User) -> None:
    scope = scope_of(creator, user)
    creator.delete()

    assert inbox.counts(scope) == dict.fromkeys(inbox.VIEWS, 0)


@pytest.mark.parametrize("name", ["Unread", "Mine", "Unanswered", "Priority", "Failed", "Snoozed", "Closed"])
@pytest.mark.usefixtures("everybody")
def test_each_view_shows_its_own_and_every_page_counts_all(signed_in: Client, name: str) -> None:
    page = signed_in.get(reverse("inbox"), {"show": name.lower()})

    assert names_in(page) == [name]
    assert counts_in(page) == {
        "All": "7",
        "Unread": "1",
        "Mine": "1",
        "Unanswered": "1",
        "Priority fans": "1",
        "Failed": "1",
        "Snoozed": "1",
        "Closed": "",
    }


@pytest.mark.usefixtures("everybody")
def test_a_view_that_nobody_knows_is_the_whole_list(signed_in: Client) -> None:
    assert len(names_in(signed_in.get(reverse("inbox"), {"show": "nonsense"}))) == 7


def test_counting_stops(signed_in: Client, creator: Creator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "COUNTED_MAX", 2)
    monkeypatch.setattr("crm.views.inbox.COUNTED_MAX", 2)
    for _number in range(3):
        make_conversation(creator)

    assert counts_in(signed_in.get(reverse("inbox")))["All"] == "999+"


def test_a_row_says_whose_it_is_and_which_tags_the_fan_has(
    signed_in: Client, conversation: Conversation, user: User
) -> None:
    for tag in Tag.objects.named(conversation.creator, ["balcony", "birthday", "whale"]):
        tag.put_on([conversation.fan])
    conversation.assign(user)

    page = signed_in.get(reverse("inbox")).content.decode()

    marks = page[page.index('class="row-marks"') : page.index("</ul>")]
    assert re.findall(r">\s*(You|\+\d|[a-z]+)</", marks) == ["You", "balcony", "birthday", "+1"]


class TestAssignment:
    def test_somebody_takes_it_and_gives_it_back(
        self, signed_in: Client, conversation: Conversation, user: User
    ) -> None:
        place = reverse("assign", args=[conversation.public_id])

        for to, holder in ((str(user.public_id), user), ("", None)):
            assert signed_in.post(place, {"to": to}).status_code == 303
            conversation.refresh_from_db()
            assert conversation.assigned_to == holder

    def test_it_is_given_to_nobody_who_may_not_write(self, signed_in: Client, conversation: Conversation) -> None:
        viewer, stranger = make_user(), make_user()
        make_membership(viewer, conversation.creator, role=Membership.Role.VIEWER)
        place = reverse("assign", args=[conversation.public_id])

        for to in (str(viewer.public_id), str(stranger.public_id), "nonsense"):
            assert signed_in.post(place, {"to": to}).status_code == 400
        conversation.refresh_from_db()
        assert conversation.assigned_to is None


class TestCreators:
    @pytest.fixture
    def other(self, user: User) -> Creator:
        return make_creator(user, name="Zoe")

    def test_the_inbox_is_of_the_one_that_was_chosen_and_stays_so(
        self, signed_in: Client, conversation: Conversation, other: Creator
    ) -> None:
        make_conversation(fan=make_fan(other, name="Sofia"))
        assert names_in(signed_in.get(reverse("inbox"))) == ["Daniel"]

        assert names_in(signed_in.get(reverse("inbox"), {"creator": str(other.public_id)})) == ["Sofia"]
        assert names_in(signed_in.get(reverse("inbox"))) == ["Sofia"]

    def test_a_conversation_opens_in_its_own_creators_inbox(
        self, signed_in: Client, conversation: Conversation, other: Creator
    ) -> None:
        signed_in.get(reverse("inbox"), {"creator": str(other.public_id)})

        page = signed_in.get(reverse("conversation", args=[conversation.public_id]))

        assert names_in(page) == ["Daniel"]
        assert names_in(signed_in.get(reverse("inbox"))) == ["Daniel"]

    def test_another_one_chosen_beside_a_conversation_leads_to_that_inbox(
        self, signed_in: Client, conversation: Conversation, other: Creator
    ) -> None:
        page = signed_in.get(reverse("conversation", args=[conversation.public_id]), {"creator": str(other.public_id)})

        assert page.headers["Location"] == f"{reverse('inbox')}?creator={other.public_id}"


class TestDeepLink:
    def test_the_message_stands_in_the_middle_of_what_is_shown(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        now = timezone.now()
        said = [
            make_message(conversation, status=Status.RECEIVED, text=f"number-{n}.", send_at=now + timedelta(seconds=n))
            for n in range(120)
        ]

        page = signed_in.get(
            reverse("conversation", args=[conversation.public_id]), {"message": str(said[60].public_id)}
        ).content.decode()

        assert [int(number) for number in re.findall(r'dir="auto" lang="">number-(\d+)\.', page)] == list(range(35, 85))
        assert re.findall(r'id="m-([\w-]+)" class="[^"]* hit"', page) == [str(said[60].public_id)]
        assert "Newest messages" in page
        assert "Older messages" in page

    def test_one_that_is_not_there_gives_the_newest_page(self, signed_in: Client, conversation: Conversation) -> None:
        foreign = make_message()
        make_message(conversation, text="Mine")

        page = signed_in.get(
            reverse("conversation", args=[conversation.public_id]), {"message": str(foreign.public_id)}
        )

        assert "Mine" in page.content.decode()


@pytest.mark.parametrize("rows", [2, 60])
def test_no_page_costs_more_than_12_queries_however_much_it_shows(
    signed_in: Client, creator: Creator, user: User, rows: int, django_assert_max_num_queries: Any
) -> None:
    Dispatch.ensured()
    make_creator(user)
    tags = Tag.objects.named(creator, ["one", "two"])
    opened, *_others = talks = [make_conversation(creator, unread_count=1, assigned_to=user) for _ in range(rows)]
    for tag in tags:
        tag.put_on([talk.fan for talk in talks])
    for status in (Status.RECEIVED, Status.READ, Status.FAILED, Status.QUEUED) * (rows // 2):
        message = make_message(opened, status=status, author=user)
        Attachment.objects.create(creator=creator, message=message, position=0, url="https://a.example/1.jpg")
    place, older = reverse("conversation", args=[opened.public_id]), {"older": str(message.public_id)}

    signed_in.get(place)
    pages: list[tuple[str, dict[str, str]]] = [
        *((reverse("inbox"), {"show": name}) for name in inbox.VIEWS),
        *((place, {"show": name}) for name in inbox.VIEWS),
        (place, older),
        (place, {"message": str(message.public_id)}),
        (place, {"q": "hello", "message": str(message.public_id)}),
        (reverse("messages", args=[opened.public_id]), older),
        (reverse("conversation_list"), {"chosen": str(opened.public_id)}),
        (reverse("fan_card", args=[opened.public_id]), {}),
        (reverse("composer_snippets", args=[opened.public_id]), {}),
    ]
    for address, query in pages:
        with django_assert_max_num_queries(12):
            assert signed_in.get(address, query).status_code == 200


class TestSearch:
    def test_a_hit_leads_to_its_message_and_the_results_stay_beside_it(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        said = make_message(conversation, status=Status.RECEIVED, text="That <b>balcony</b> light")
        make_message(text="A foreign balcony", status=Status.RECEIVED)

        page = signed_in.get(reverse("inbox"), {"q": "balc"}).content.decode()

        assert "That &lt;b&gt;<mark>balcony</mark>" in page
        assert "foreign" not in page
        hit = re.findall(r'<a href="([^"]*message=[^"]*)"', page)
        assert len(hit) == 1
        opened = signed_in.get(hit[0].replace("&amp;", "&").split("#")[0]).content.decode()
        assert f'id="m-{said.public_id}" class="message in settled starts-group hit"' in opened
        assert "<mark>balcony</mark>" in opened

    def test_a_fan_is_found_by_name(self, signed_in: Client, conversation: Conversation) -> None:
        page = signed_in.get(reverse("inbox"), {"q": "dani"})

        assert names_in(page) == ["Daniel"]

    @pytest.mark.parametrize("query", ["nobody", "!!!", "x" * 500, "\0"])
    def test_nothing_found_says_so(self, signed_in: Client, conversation: Conversation, query: str) -> None:
        assert "Nothing found" in signed_in.get(reverse("inbox"), {"q": query}).content.decode()

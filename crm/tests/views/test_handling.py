"""Closing conversations on the page: where it leads, how it is taken back, and who may."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from crm.clock import database_now
from crm.models import Conversation, Creator, Membership
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_user
from crm.tests.views.asking import text_of
from crm.tests.views.test_inbox import counts_in, names_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def talks(creator: Creator) -> list[Conversation]:
    """The newest first."""
    now = database_now()
    return [
        make_conversation(fan=make_fan(creator, name=name), last_message_at=now - timedelta(hours=hours))
        for hours, name in enumerate(("Ann", "Bo", "Cy"))
    ]


def place(name: str, talk: Conversation) -> str:
    return reverse(name, args=[talk.public_id])


def about(*talks: Conversation) -> list[str]:
    return [str(talk.public_id) for talk in talks]


def hidden_in(page: Any, name: str) -> str:
    """What the page posts under this name with its button to close."""
    form = page.content.decode().split('id="handling"')[1]
    return str(form.split(f'name="{name}" value="')[1].split('"')[0])


def state_of(talk: Conversation) -> Any:
    return Conversation.objects.get(pk=talk.pk).state(database_now())


class TestClose:
    def test_the_next_one_of_the_list_opens(self, signed_in: Client, talks: list[Conversation]) -> None:
        ann, bo, cy = talks

        for closed, next_one in ((bo, place("conversation", cy)), (cy, place("conversation", ann))):
            answer = signed_in.post(place("close_conversation", closed))
            assert (answer.status_code, answer.headers["Location"]) == (303, next_one)
        assert signed_in.post(place("close_conversation", ann)).headers["Location"] == reverse("inbox")

        assert names_in(signed_in.get(reverse("inbox"))) == []
        assert names_in(signed_in.get(reverse("inbox"), {"show": "closed"})) == ["Ann", "Bo", "Cy"]

    def test_the_next_one_is_of_the_view_that_is_shown(self, signed_in: Client, talks: list[Conversation]) -> None:
        ann, _bo, cy = talks
        for each in (ann, cy):
            Conversation.objects.filter(pk=each.pk).update(last_direction="in")

        answer = signed_in.post(f"{place('close_conversation', ann)}?show=unanswered")

        assert answer.headers["Location"] == f"{place('conversation', cy)}?show=unanswered"

    def test_beside_what_was_searched_it_stays_open(self, signed_in: Client, talks: list[Conversation]) -> None:
        answer = signed_in.post(f"{place('close_conversation', talks[0])}?q=ann")

        assert answer.headers["Location"] == f"{place('conversation', talks[0])}?q=ann"

    def test_it_is_said_once_and_taken_back(self, signed_in: Client, talks: list[Conversation]) -> None:
        page = signed_in.post(place("close_conversation", talks[0]), follow=True)
        assert "Ann is closed. Undo" in text_of(page)
        assert "Ann is closed." not in text_of(signed_in.get(reverse("inbox")))

        answer = signed_in.post(reverse("handle_conversations"), {"act": "undo_closing", "about": about(talks[0])})

        assert answer.headers["Location"] == place("conversation", talks[0])
        assert state_of(talks[0]) == "open"

    def test_the_same_button_opens_it_again(self, signed_in: Client, talks: list[Conversation]) -> None:
        talks[0].close()
        assert "Reopen" in text_of(signed_in.get(place("conversation", talks[0])))

        signed_in.post(place("close_conversation", talks[0]), {"act": "reopen"})

        assert state_of(talks[0]) == "open"

    def test_what_waits_goes_out_all_the_same(self, signed_in: Client, talks: list[Conversation]) -> None:
        waiting = make_message(talks[0], status=Status.QUEUED)

        signed_in.post(place("close_conversation", talks[0]))

        waiting.refresh_from_db()
        assert waiting.status == Status.QUEUED

    def test_what_the_fan_wrote_since_the_page_was_made_keeps_it_open(
        self, signed_in: Client, talks: list[Conversation]
    ) -> None:
        ann = talks[0]
        seen = hidden_in(signed_in.get(place("conversation", ann)), "seen")
        ann.receive(text="Wait!", platform_id="1", written_at=database_now())

        answer = signed_in.post(place("close_conversation", ann), {"seen": seen}, follow=True)

        assert answer.redirect_chain == [(place("conversation", ann), 303)]
        words = text_of(answer)
        assert "Ann has just written, so it stays open." in words
        assert "Wait!" in words
        assert state_of(ann) == "open"

    def test_a_closed_one_is_found_among_the_failed_and_its_row_says_so(
        self, signed_in: Client, talks: list[Conversation]
    ) -> None:
        make_message(talks[0], status=Status.FAILED)
        talks[0].close()

        page = signed_in.get(reverse("inbox"), {"show": "failed"})

        assert names_in(page) == ["Ann"]
        assert "Closed" in page.content.decode().split('class="row-marks"')[1].split("</a>")[0]

    def test_what_a_colleague_closes_says_so_on_the_page_that_shows_it(
        self, signed_in: Client, talks: list[Conversation]
    ) -> None:
        talks[0].close()

        assert "Reopen" in text_of(signed_in.get(place("messages", talks[0])))


class TestSnooze:
    def test_a_choice_puts_it_off_and_the_next_one_opens(self, signed_in: Client, talks: list[Conversation]) -> None:
        ann, bo, _cy = talks

        answer = signed_in.post(place("snooze_conversation", ann), {"until": "tomorrow"})

        assert (answer.status_code, answer.headers["Location"]) == (303, place("conversation", bo))
        until = Conversation.objects.get(pk=ann.pk).snoozed_until
        assert until
        assert f"{until.astimezone(ann.creator.zone):%H:%M}" == "09:00"
        page = signed_in.get(reverse("inbox"))
        assert "Ann is snoozed until tomorrow at 09:00. Undo" in text_of(page)
        assert names_in(page) == ["Bo", "Cy"]
        assert counts_in(page)["Snoozed"] == "1"
        assert names_in(signed_in.get(reverse("inbox"), {"show": "snoozed"})) == ["Ann"]

    def test_a_moment_of_the_creators_clock(self, signed_in: Client, talks: list[Conversation]) -> None:
        here = (database_now() + timedelta(days=3)).astimezone(talks[0].creator.zone).replace(second=0, microsecond=0)

        signed_in.post(place("snooze_conversation", talks[0]), {"at": f"{here:%Y-%m-%dT%H:%M}"})

        assert Conversation.objects.get(pk=talks[0].pk).snoozed_until == here

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"at": "2020-01-01T09:00"}, "From a minute to 366 days ahead."),
            ({"at": "soon"}, "Enter a valid date/time."),
            ({"until": "yesterday"}, "It is too late for this choice."),
            ({}, "Say until when."),
        ],
    )
    def test_what_is_no_moment_is_refused_and_the_page_says_why(
        self, signed_in: Client, talks: list[Conversation], typed: dict[str, str], words: str
    ) -> None:
        answer = signed_in.post(place("snooze_conversation", talks[0]), typed)

        assert answer.status_code == 400
        assert words in text_of(answer)
        assert state_of(talks[0]) == "open"

    def test_the_end_of_a_snooze_is_news_to_a_page_that_asks(
        self, signed_in: Client, talks: list[Conversation]
    ) -> None:
        ann, now = talks[0], database_now()
        ann.snooze(now + timedelta(hours=1))
        asked = signed_in.get(reverse("inbox_changes"))
        query, tag = {"after": asked.json()["after"]}, {"If-None-Match": asked.headers["ETag"]}
        assert signed_in.get(reverse("inbox_changes"), query, headers=tag).status_code == 304

        # An hour later.
        Conversation.objects.filter(pk=ann.pk).update(
            snoozed_until=now - timedelta(seconds=1), last_message_at=now - timedelta(days=1)
        )

        news = signed_in.get(reverse("inbox_changes"), query, headers=tag)
        assert news.status_code == 200
        assert news.headers["ETag"] != asked.headers["ETag"]
        page = signed_in.get(reverse("inbox"))
        assert names_in(page) == ["Ann", "Bo", "Cy"]
        assert "Back from a snooze" in text_of(page)
        assert counts_in(page)["Snoozed"] == ""


class TestMany:
    def close(self, client: Client, *named: str, **more: str) -> Any:
        return client.post(reverse("handle_conversations"), {"act": "close", "about": named, **more})

    def test_they_close_together_and_come_back_together(self, signed_in: Client, talks: list[Conversation]) -> None:
        ann, bo, cy = talks

        answer = self.close(signed_in, *about(ann, bo), opened=str(cy.public_id))

        assert answer.headers["Location"] == place("conversation", cy)
        assert "2 conversations are closed. Undo" in text_of(signed_in.get(reverse("inbox")))
        signed_in.post(reverse("handle_conversations"), {"act": "undo_closing", "about": about(ann, bo)})
        assert names_in(signed_in.get(reverse("inbox"))) == ["Ann", "Bo", "Cy"]

    def test_undo_brings_back_what_was_unread_and_does_so_once(
        self, signed_in: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        for number, talk in enumerate(talks):
            Conversation.objects.filter(pk=talk.pk).update(unread_count=number)
        self.close(signed_in, *about(*talks))
        assert 'name="act" value="undo_closing"' in signed_in.get(reverse("inbox")).content.decode()
        talks[2].receive(text="Wait!", platform_id="1", written_at=database_now())

        for _ in range(2):
            signed_in.post(reverse("handle_conversations"), {"act": "undo_closing", "about": about(*talks)})

        assert list(creator.conversations.order_by("id").values_list("unread_count", flat=True)) == [0, 1, 3]
        assert names_in(signed_in.get(reverse("inbox"))) == ["Cy", "Ann", "Bo"]

    def test_one_of_an_older_notice_is_opened_all_the_same(self, signed_in: Client, talks: list[Conversation]) -> None:
        for talk in talks[:2]:
            signed_in.post(place("close_conversation", talk))

        signed_in.post(reverse("handle_conversations"), {"act": "undo_closing", "about": about(talks[0])})

        assert [state_of(each) for each in talks] == ["open", "closed", "open"]

    def test_those_of_whom_the_fan_wrote_since_stay_open(self, signed_in: Client, talks: list[Conversation]) -> None:
        seen = hidden_in(signed_in.get(place("conversation", talks[0])), "seen")
        talks[1].receive(text="Wait!", platform_id="1", written_at=database_now())

        self.close(signed_in, *about(*talks), seen=seen)

        words = "2 conversations are closed. 1 stays open: the fan has just written. Undo"
        assert words in text_of(signed_in.get(reverse("inbox")))
        assert [state_of(each) for each in talks] == ["closed", "open", "closed"]

    def test_the_one_that_was_open_is_left(self, signed_in: Client, talks: list[Conversation]) -> None:
        answer = self.close(signed_in, *about(*talks), opened=str(talks[0].public_id))

        assert answer.headers["Location"] == reverse("inbox")

    def test_a_foreign_one_or_none_of_ours_and_nothing_happens(
        self, signed_in: Client, talks: list[Conversation]
    ) -> None:
        foreign = make_conversation()

        for stranger in (*about(foreign), str(uuid4()), "nonsense"):
            assert self.close(signed_in, *about(talks[0]), stranger).status_code == 404
        assert {state_of(each) for each in (*talks, foreign)} == {"open"}

    def test_one_of_a_creator_for_whom_one_only_looks_on_and_nothing_happens(
        self, signed_in: Client, talks: list[Conversation], creator: Creator
    ) -> None:
        other = make_creator(make_user())
        Membership.objects.create(user=creator.memberships.get().user, creator=other, role=Membership.Role.VIEWER)
        looked_on = make_conversation(other)

        assert self.close(signed_in, *about(talks[0], looked_on)).status_code == 403
        assert {state_of(each) for each in (*talks, looked_on)} == {"open"}

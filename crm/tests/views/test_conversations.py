"""The inbox as a browser without JavaScript meets it, and the parts that refresh themselves."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from crm.causes import CONNECTION_LOST
from crm.clock import database_now
from crm.models import Attachment, Conversation, Creator, Dispatch, Line, Membership, Message, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def address(conversation: Conversation, name: str = "conversation") -> str:
    return reverse(name, args=[conversation.public_id])


def text(response: Any) -> str:
    return str(response.content.decode())


def write(client: Client, conversation: Conversation, *, htmx: bool = False, **fields: str) -> Any:
    data = {"text": "Hello!", "client_key": str(uuid4())} | fields
    return client.post(address(conversation), data, headers=HTMX if htmx else {})


# --- Who may come in


@pytest.mark.parametrize("name", ["inbox", "conversation_list"])
def test_a_stranger_is_sent_to_sign_in_and_back(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    assert response.status_code == 302
    assert response["Location"] == f"{reverse('login')}?next={reverse(name)}"


def test_a_stranger_sees_and_writes_nothing(client: Client, conversation: Conversation) -> None:
    assert client.get(address(conversation)).status_code == 302
    assert write(client, conversation).status_code == 302
    assert not Message.objects.exists()


def test_a_part_that_refreshes_itself_gets_no_sign_in_form(client: Client, conversation: Conversation) -> None:
    response = client.get(address(conversation, "messages"), headers=HTMX)

    assert response.status_code == 401
    assert not response.content


@pytest.mark.parametrize("name", ["conversation", "messages"])
def test_a_foreign_conversation_looks_like_one_that_is_missing(signed_in: Client, name: str) -> None:
    foreign = make_conversation(make_creator(make_user()))
    missing = reverse(name, args=[uuid4()])

    answers = [signed_in.get(address(foreign, name)), signed_in.get(missing)]

    assert [answer.status_code for answer in answers] == [404, 404]
    first, second = (text(answer).replace(answer["X-Request-ID"], "") for answer in answers)
    assert first == second


def test_nobody_writes_or_marks_read_in_a_foreign_conversation(signed_in: Client) -> None:
    foreign = make_conversation(make_creator(make_user()), unread_count=1)

    assert write(signed_in, foreign).status_code == 404
    assert signed_in.post(address(foreign, "mark_read")).status_code == 404
    foreign.refresh_from_db()
    assert foreign.unread_count == 1
    assert not Message.objects.exists()


def test_staff_get_no_inbox_they_are_not_a_member_of(client: Client, conversation: Conversation) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))

    assert client.get(address(conversation)).status_code == 404
    assert "Daniel" not in text(client.get(reverse("inbox")))


def test_a_viewer_reads_but_neither_writes_nor_marks_read(client: Client, conversation: Conversation) -> None:
    viewer = make_user()
    make_membership(viewer, conversation.creator, role=Membership.Role.VIEWER)
    conversation.receive(text="Are you there?", platform_id="p1", written_at=timezone.now())
    client.force_login(viewer)

    page = client.get(address(conversation))

    assert "Are you there?" in text(page)
    assert 'id="composer"' not in text(page)
    assert "mark-read" not in text(page)
    assert write(client, conversation).status_code == 403
    assert client.post(address(conversation, "mark_read")).status_code == 403
    assert not Message.objects.filter(direction=Message.Direction.OUT).exists()


def test_pages_are_never_cached(signed_in: Client, conversation: Conversation) -> None:
    assert "no-store" in signed_in.get(address(conversation))["Cache-Control"]


def test_the_addresses_work_with_a_slash_at_their_end(signed_in: Client, conversation: Conversation) -> None:
    for page in (reverse("inbox"), address(conversation)):
        assert signed_in.get(f"{page}/").status_code == 200


# --- The list


def test_nobody_has_written_yet(signed_in: Client, creator: Creator) -> None:
    page = text(signed_in.get(reverse("inbox")))

    assert "No conversations yet" in page
    assert "No conversation open" in page


def test_the_newest_conversation_stands_first(signed_in: Client, creator: Creator) -> None:
    for name, minutes in (("Older", 60), ("Newest", 0), ("Newer", 30)):
        make_conversation(fan=make_fan(creator, name=name), last_message_at=timezone.now() - timedelta(minutes=minutes))

    page = text(signed_in.get(reverse("inbox")))

    assert re.findall(r'class="row-name"[^>]*>(\w+)<', page) == ["Newest", "Newer", "Older"]


def test_older_conversations_follow_without_gap_or_repetition(signed_in: Client, creator: Creator) -> None:
    # Many at the very same moment: the page must not begin in the middle of them twice.
    moment = timezone.now()
    for number in range(120):
        make_conversation(fan=make_fan(creator, name=f"fan{number}"), last_message_at=moment)

    names, page = [], text(signed_in.get(reverse("inbox")))
    while True:
        names += re.findall(r'class="row-name"[^>]*>(\w+)<', page)
        older = re.search(r'class="more" href="([^"]*before=[^"]*)"', page)
        if not older:
            break
        page = text(signed_in.get(older[1].replace("&amp;", "&")))

    assert len(names) == 120
    assert set(names) == {f"fan{number}" for number in range(120)}


@pytest.mark.parametrize("cursor", ["nonsense", "1.2.3", "9" * 40, f"12.{uuid4()}", f"{10**30}.{uuid4()}"])
def test_a_cursor_nobody_gave_out_breaks_nothing(signed_in: Client, conversation: Conversation, cursor: str) -> None:
    assert signed_in.get(reverse("inbox"), {"before": cursor}).status_code == 200


def test_only_unread_ones_and_the_opened_one_are_listed(signed_in: Client, creator: Creator) -> None:
    opened = make_conversation(fan=make_fan(creator, name="Opened"))
    make_conversation(fan=make_fan(creator, name="Unread"), unread_count=2)
    make_conversation(fan=make_fan(creator, name="Read"))

    page = text(signed_in.get(address(opened), {"show": "unread"}))

    assert set(re.findall(r'class="row-name"[^>]*>(\w+)<', page)) == {"Opened", "Unread"}


def test_the_page_is_told_nothing_until_something_is_newer_than_it(
    signed_in: Client, conversation: Conversation
) -> None:
    Dispatch.note(heartbeat_at=database_now())
    page = signed_in.get(address(conversation))
    assert {"list", "thread"} == unchanged(signed_in, page)

    conversation.receive(text="Hi Mia", platform_id="p1", written_at=timezone.now())

    assert unchanged(signed_in, page) == set()
    for part in ("list", "thread"):
        update = signed_in.get(live_address(page, part))
        assert "Hi Mia" in text(update)
        assert "<html" not in text(update)
        assert {part} == unchanged(signed_in, update)


def test_an_answer_of_nothing_new_has_no_body_and_the_same_tag(signed_in: Client, conversation: Conversation) -> None:
    Dispatch.note(heartbeat_at=database_now())
    first = signed_in.get(reverse("inbox_changes"), {"after": "-"})
    assert first.status_code == 200

    after, tag = first.json()["after"], first["ETag"]
    second = signed_in.get(reverse("inbox_changes"), {"after": after}, headers={"If-None-Match": tag})
    assert (second.status_code, second.content, second["ETag"]) == (304, b"", tag)

    for asked in ({"after": after - 1}, {}):
        assert signed_in.get(reverse("inbox_changes"), asked, headers={"If-None-Match": tag}).status_code == 200
    assert signed_in.get(reverse("inbox_changes"), {"after": after}).status_code == 200


def test_a_page_goes_on_with_its_creator_whatever_another_tab_has_chosen(signed_in: Client, user: User) -> None:
    mine, other = make_creator(user, name="Ava"), make_creator(user, name="Zoe")
    make_conversation(fan=make_fan(mine, name="Daniel"))
    page = signed_in.get(reverse("inbox"), {"creator": str(mine.public_id)})
    before = signed_in.get(f"{reverse('inbox_changes')}?of={mine.public_id}")

    signed_in.get(reverse("inbox"), {"creator": str(other.public_id)})
    other.line.pause(reason="A rest.", now=database_now())

    assert "Daniel" in text(signed_in.get(live_address(page, "list")))
    changes = signed_in.get(f"{reverse('inbox_changes')}?of={mine.public_id}")
    assert changes.json() == before.json()
    assert changes["ETag"] != before["ETag"], "a stop is news on every page"
    assert signed_in.get(f"{reverse('inbox_changes')}?of={make_creator().public_id}").status_code == 404


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (lambda creator, now: creator.line.pause(reason="Session lost: connect again.", now=now), "Session lost"),
        (lambda creator, now: Dispatch.stop_sending(reason="Maintenance tonight.", now=now), "Maintenance tonight."),
        (lambda creator, now: Dispatch.note(heartbeat_at=now - timedelta(hours=1)), "nothing is being sent right now"),
        (lambda creator, now: Dispatch.note(gate_trouble="10.0.0.7: refused"), "The rate limiter cannot be reached"),
    ],
)
def test_the_page_says_by_itself_why_nothing_goes_out(
    signed_in: Client, creator: Creator, stop: Callable[..., None], words: str
) -> None:
    now = database_now()
    Dispatch.note(heartbeat_at=now)
    before = signed_in.get(reverse("inbox"))
    assert words not in text(before)

    stop(creator, now)

    assert unchanged(signed_in, before) == set()
    assert words in text(signed_in.get(live_address(before, "list")))
    assert words in text(signed_in.get(reverse("inbox")))


# --- The thread


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.QUEUED, "Waiting"),
        (Status.HANDED_OVER, "Waiting"),
        (Status.SENDING, "Sending"),
        (Status.SENT, "Sent"),
        (Status.DELIVERED, "Delivered"),
        (Status.READ, "Read"),
        (Status.FAILED, "Failed"),
        (Status.UNKNOWN, "Outcome unknown"),
        (Status.NEEDS_PERSON, "Needs a person"),
        (Status.CANCELLED, "Cancelled"),
    ],
)
def test_every_state_has_an_icon_and_words(
    signed_in: Client, conversation: Conversation, status: Status, state: str
) -> None:
    make_message(conversation, status=status)

    page = text(signed_in.get(address(conversation)))

    assert re.search(rf'class="state"><svg class="icon".*?</svg>\s*{state}</span>', page)


def test_a_failure_says_its_cause(signed_in: Client, conversation: Conversation) -> None:
    make_message(conversation, status=Status.FAILED, cause="Links are not allowed.")

    assert "Links are not allowed." in text(signed_in.get(address(conversation)))


def test_a_waiting_message_says_why_it_waits(signed_in: Client, conversation: Conversation) -> None:
    conversation.creator.line.pause(reason="Session lost.", now=database_now())
    make_message(conversation)

    assert "Paused: Session lost." in text(signed_in.get(address(conversation)))


def test_a_scheduled_message_says_for_when_and_also_what_stands_in_its_way(
    signed_in: Client, conversation: Conversation
) -> None:
    noon = timezone.now().replace(month=6, day=15, hour=10, minute=0) + timedelta(days=365)
    make_message(conversation, send_at=noon)
    assert re.search(
        rf"Scheduled</span> ·\s*<time[^>]*>15 Jun {noon.year} at 12:00<", text(signed_in.get(address(conversation)))
    )

    conversation.creator.line.pause(reason="Session lost.", now=database_now())

    page = text(signed_in.get(address(conversation)))
    assert f"15 Jun {noon.year} at 12:00" in page
    assert "Paused: Session lost." in page


def test_price_and_media_are_words_and_links_that_load_nothing(signed_in: Client, conversation: Conversation) -> None:
    message = make_message(conversation, price_cents=1250)
    Attachment.objects.create(
        creator=message.creator, message=message, position=0, url="https://cdn.example.com/a/clip.MP4?x=1"
    )

    page = text(signed_in.get(address(conversation)))

    assert "$12.50 to unlock" in page
    assert '<a href="https://cdn.example.com/a/clip.MP4?x=1" rel="noreferrer noopener"' in page
    assert "Video · <bdi>cdn.example.com</bdi>" in page
    assert "<img" not in page
    assert "<video" not in page


def test_what_people_wrote_is_never_markup(signed_in: Client, conversation: Conversation) -> None:
    conversation.receive(text="<script>alert(1)</script>", platform_id="p1", written_at=timezone.now())

    assert "<script>alert" not in text(signed_in.get(address(conversation)))


def test_days_and_groups_follow_the_creators_clock(signed_in: Client, conversation: Conversation) -> None:
    # 22:58 and 23:02 in Paris are one day and one group; 23:59 and 00:01 are two.
    midnight = timezone.now().replace(month=1, day=15, hour=23, minute=0, second=0, microsecond=0)
    for minutes in (-62, -58, -1, 1):
        make_message(conversation, status=Status.RECEIVED, send_at=midnight + timedelta(minutes=minutes))

    page = text(signed_in.get(address(conversation)))

    assert page.count('<li class="day"') == 2
    assert page.count("starts-group") == 3


def test_older_messages_are_one_link_away_and_stay_on_the_page(signed_in: Client, conversation: Conversation) -> None:
    moment = timezone.now()
    for number in range(120):
        make_message(conversation, status=Status.RECEIVED, text=f"number-{number}.", send_at=moment)

    page = text(signed_in.get(address(conversation)))
    assert shown(page) == list(range(70, 120))

    for expected in (20, 0):
        older = re.search(r'id="older"[^>]*hx-get="([^"]+)"', page)
        assert older
        page = text(signed_in.get(older[1]))
        assert shown(page) == list(range(expected, 120))
    assert 'id="older"' not in page

    poll = live_address(page, "thread")
    make_message(conversation, status=Status.RECEIVED, text="number-120.", send_at=moment + timedelta(seconds=1))
    assert shown(text(signed_in.get(poll))) == list(range(121))


def test_a_line_that_is_held_changes_the_words_although_no_message_changed(
    signed_in: Client, conversation: Conversation
) -> None:
    Dispatch.note(heartbeat_at=database_now())
    make_message(conversation)
    page = signed_in.get(address(conversation))

    Dispatch.note(gate_trouble="Redis is away.")

    assert unchanged(signed_in, page) == set()
    assert "rate limiter cannot be reached" in text(signed_in.get(live_address(page, "thread")))


# --- Reading


def test_looking_at_a_page_reads_nothing_but_its_post_does(signed_in: Client, conversation: Conversation) -> None:
    conversation.receive(text="Hi", platform_id="p1", written_at=timezone.now())

    page = text(signed_in.get(address(conversation)))
    conversation.refresh_from_db()
    assert conversation.unread_count == 1
    assert 'id="mark-read"' in page

    response = signed_in.post(address(conversation, "mark_read"))
    conversation.refresh_from_db()
    assert (response.status_code, response["Location"]) == (303, address(conversation))
    assert conversation.unread_count == 0
    assert 'id="mark-read"' not in text(signed_in.get(address(conversation)))


def test_whoever_answers_has_read(signed_in: Client, conversation: Conversation) -> None:
    conversation.receive(text="Hi", platform_id="p1", written_at=timezone.now())

    write(signed_in, conversation)

    conversation.refresh_from_db()
    assert conversation.unread_count == 0


# --- Writing


def test_a_reply_is_stored_and_the_page_shows_it(signed_in: Client, user: User, conversation: Conversation) -> None:
    response = write(
        signed_in,
        conversation,
        text="For you",
        price="9.99",
        media_urls="https://a.example/1.jpg\r\nhttps://a.example/2",
    )

    message = Message.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"{address(conversation)}#m-{message.public_id}"
    assert (message.text, message.price_cents, message.author, message.priority) == ("For you", 999, user, 10)
    assert [attachment.url for attachment in message.attachments.all()] == [
        "https://a.example/1.jpg",
        "https://a.example/2",
    ]
    assert "For you" in text(signed_in.get(response["Location"]))
    assert Line.objects.get().wake_at is not None


def test_with_htmx_the_thread_alone_comes_back_and_keeps_its_start(
    signed_in: Client, conversation: Conversation
) -> None:
    first = make_message(conversation, status=Status.RECEIVED, text="first", send_at=timezone.now() - timedelta(days=1))
    for _ in range(60):
        make_message(conversation, status=Status.RECEIVED)

    response = write(signed_in, conversation, htmx=True, text="the reply", **{"from": str(first.public_id)})

    assert response.status_code == 200
    assert "the reply" in text(response)
    assert f"m-{first.public_id}" in text(response)
    assert "<html" not in text(response)
    assert int(response["Huntaze-Seq"]) == Line.objects.get().seq


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": ""}, "the message is empty"),
        ({"text": " \r\n "}, "the message is empty"),
        ({"text": "x" * 5001}, "at most 5000 characters"),
        ({"price": "free"}, "Write the price in dollars"),
        ({"price": "2.99", "media_urls": "https://a.example/1.jpg"}, "from $3 to $200"),
        ({"price": "200.01", "media_urls": "https://a.example/1.jpg"}, "from $3 to $200"),
        ({"price": "5"}, "A paid message needs at least one piece of media."),
        ({"media_urls": "javascript:alert(1)"}, "is not an http or https address"),
        ({"media_urls": "\n".join(["https://a.example/1.jpg"] * 21)}, "At most 20 pieces of media"),
        ({"send_at": "2020-01-01T10:00"}, "This time has passed."),
        ({"send_at": "2999-01-01T10:00"}, "At most 366 days ahead."),
        ({"send_at": "soon"}, "Enter a valid date/time."),
        ({"client_key": "mine"}, "Enter a valid UUID."),
    ],
)
def test_what_cannot_be_sent_is_explained_and_stays_in_the_composer(
    signed_in: Client, conversation: Conversation, fields: dict[str, str], words: str, htmx: bool
) -> None:
    response = write(signed_in, conversation, htmx=htmx, **({"text": "keep <me>"} | fields))

    assert response.status_code == 400
    assert words in text(response)
    if "text" not in fields:
        assert "keep &lt;me&gt;" in text(response)
    assert ("<html" in text(response)) is not htmx
    assert not Message.objects.exists()


def test_a_double_click_is_one_message(signed_in: Client, conversation: Conversation) -> None:
    key = str(uuid4())

    first, second = (write(signed_in, conversation, client_key=key) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Message.objects.count() == 1


def test_every_page_gives_the_composer_a_new_key(signed_in: Client, conversation: Conversation) -> None:
    pages = [text(signed_in.get(address(conversation))) for _ in range(2)]

    first, second = (re.findall(r'name="client_key" value="([^"]+)"', page) for page in pages)

    assert len(first) == len(second) == 1
    assert first != second


def test_a_fan_the_platform_cannot_find_gets_words_instead_of_a_composer(signed_in: Client, creator: Creator) -> None:
    conversation = make_conversation(fan=make_fan(creator, platform_id="", name="Ghost"))

    page = signed_in.get(address(conversation))
    answer = write(signed_in, conversation)

    assert "Ghost is known by handle only." in text(page)
    assert 'id="composer"' not in text(page)
    assert answer.status_code == 400
    assert not Message.objects.exists()


def test_a_reply_without_a_csrf_token_is_refused(user: User, conversation: Conversation) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    response = write(client, conversation)

    assert response.status_code == 403
    assert "This page was open for too long" in text(response)
    assert not Message.objects.exists()


def test_an_unknown_time_zone_does_not_break_the_inbox(signed_in: Client, conversation: Conversation) -> None:
    Creator.objects.update(timezone="Mars/Olympus")

    assert signed_in.get(address(conversation)).status_code == 200


# --- How much it costs


@pytest.mark.parametrize("rows", [2, 200])
def test_a_page_costs_the_same_queries_however_much_it_shows(
    signed_in: Client, creator: Creator, rows: int, django_assert_max_num_queries: Any
) -> None:
    opened, *_others = (make_conversation(creator, unread_count=1) for _ in range(rows))
    for number in range(rows):
        message = make_message(opened, status=Status.READ if number % 2 else Status.RECEIVED)
        Attachment.objects.create(creator=message.creator, message=message, position=0, url="https://a.example/1.jpg")

    for page in (
        reverse("inbox"),
        address(opened),
        address(opened, "messages"),
        reverse("conversation_list"),
        reverse("inbox_changes"),
    ):
        with django_assert_max_num_queries(12):
            assert signed_in.get(page).status_code == 200


# --- Sign-in


def test_a_wrong_password_is_refused_without_saying_which_part_was_wrong(client: Client, user: User) -> None:
    response = client.post(reverse("login"), {"username": user.username, "password": "wrong"})

    assert "No account goes with this name and password." in text(response)
    assert 'role="alert"' in text(response)
    assert "_auth_user_id" not in client.session


def test_after_sign_in_the_page_asked_for_opens(client: Client, conversation: Conversation) -> None:
    form = {"username": "mia", "password": "correct-horse-battery", "next": address(conversation)}

    response = client.post(reverse("login"), form)

    assert (response.status_code, response["Location"]) == (302, address(conversation))


def test_signing_out_is_a_post(signed_in: Client) -> None:
    assert signed_in.get(reverse("logout")).status_code == 405
    assert signed_in.post(reverse("logout")).status_code == 302
    assert signed_in.get(reverse("inbox")).status_code == 302


# --- What a person may do about a message


def press(client: Client, message: Message, act: str, *, htmx: bool = False) -> Any:
    place = reverse("settle_message", args=[message.conversation.public_id, message.public_id])
    return client.post(place, {"act": act}, headers=HTMX if htmx else {})


@pytest.mark.parametrize(
    ("status", "act", "now"),
    [
        (Status.QUEUED, "cancel", Status.CANCELLED),
        (Status.FAILED, "retry", Status.QUEUED),
        (Status.UNKNOWN, "sent", Status.SENT),
        (Status.NEEDS_PERSON, "sent", Status.SENT),
        (Status.NEEDS_PERSON, "not_sent", Status.QUEUED),
    ],
)
def test_every_button_does_what_it_says(
    signed_in: Client, conversation: Conversation, status: Status, act: str, now: Status
) -> None:
    message = make_message(conversation, status=status)
    assert f'value="{act}"' in text(signed_in.get(address(conversation)))

    response = press(signed_in, message, act)

    assert (response.status_code, response["Location"]) == (303, f"{address(conversation)}#m-{message.public_id}")
    message.refresh_from_db()
    assert message.status == now


def test_a_button_answers_with_the_thread_also_when_somebody_was_faster(
    signed_in: Client, conversation: Conversation
) -> None:
    message = make_message(conversation, status=Status.SENT)

    response = press(signed_in, message, "cancel", htmx=True)

    assert response.status_code == 200
    assert 'id="thread"' in text(response)
    assert 'value="cancel"' not in text(response)


@pytest.mark.parametrize(
    ("role", "status", "act"),
    [
        ("viewer", Status.QUEUED, "cancel"),
        ("viewer", Status.FAILED, "retry"),
        ("chatter", Status.UNKNOWN, "not_sent"),
        ("chatter", Status.NEEDS_PERSON, "sent"),
    ],
)
def test_who_may_not_decide_has_no_button_and_is_refused(
    client: Client, conversation: Conversation, role: str, status: Status, act: str
) -> None:
    message, user = make_message(conversation, status=status), make_user()
    make_membership(user, conversation.creator, role=Membership.Role(role))
    client.force_login(user)

    assert f'value="{act}"' not in text(client.get(address(conversation)))
    assert press(client, message, act).status_code == 403
    message.refresh_from_db()
    assert message.status == status


def test_nobody_settles_a_foreign_message_nor_one_of_another_conversation(
    signed_in: Client, conversation: Conversation
) -> None:
    foreign = make_message(status=Status.FAILED)
    place = reverse("settle_message", args=[conversation.public_id, foreign.public_id])

    assert press(signed_in, foreign, "retry").status_code == 404
    assert signed_in.post(place, {"act": "retry"}).status_code == 404


def test_a_button_that_does_not_exist_is_a_mistake(signed_in: Client, conversation: Conversation) -> None:
    assert press(signed_in, make_message(conversation), "explode").status_code == 400


# --- Reading pages


def live_address(page: Any, part: str) -> str:
    """Where a part of the page asks for what changed."""
    found = re.search(rf'id="{part}"[^>]*hx-get="([^"]+)"', page if isinstance(page, str) else text(page))
    assert found
    return found[1].replace("&amp;", "&")


def unchanged(client: Client, page: Any) -> set[str]:
    """Those parts of a page of which the server says that nothing is newer."""
    stands = re.findall(r'id="(\w+)"[^>]*data-seq="(\d+)" data-stamp="(\w+)"', text(page))
    return {
        part
        for part, seq, stamp in stands
        if client.get(reverse("inbox_changes"), {"after": seq}, headers={"If-None-Match": f'W/"{stamp}"'}).status_code
        == 304
    }


def shown(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"number-(\d+)\.", page)]


def test_what_was_bought_or_deleted_on_the_platform_says_so(signed_in: Client, conversation: Conversation) -> None:
    now = database_now()
    make_message(conversation, status=Status.SENT, purchased_at=now)
    make_message(conversation, status=Status.RECEIVED, deleted_at=now, text="taken back")

    page = text(signed_in.get(address(conversation)))

    assert "Bought" in page
    assert "Deleted on the platform" in page
    assert "taken back" in page


def test_why_it_failed_and_why_all_waits_is_said_in_the_reader_s_language(
    signed_in: Client, conversation: Conversation
) -> None:
    make_message(conversation, status=Status.FAILED, cause="Messages of this account are sent by hand.")
    line, _created = Line.objects.get_or_create(creator=conversation.creator)
    line.pause(reason=CONNECTION_LOST % {"why": "The platform has ended the session."}, now=database_now())

    address = reverse("conversation", args=[conversation.public_id])
    with translation.override("en"):
        page = signed_in.get(address, headers={"Accept-Language": "fr"}).content.decode()

    assert "Les messages de ce compte s’envoient à la main." in page
    assert "La connexion au compte est perdue\u00a0: La plateforme a mis fin à la session." in page

"""What people type into the composer, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from crm.forms import DollarsField, LinesField, ReplyForm
from crm.models import Message
from crm.tests.factories import make_conversation, make_fan, make_user


def typed(**fields: str) -> ReplyForm:
    data = QueryDict(mutable=True)
    data.update({"text": "Hello!", "client_key": str(uuid4())} | fields)
    return ReplyForm(data)


@pytest.mark.parametrize(
    ("written", "cents"),
    [("", 0), ("0", 0), ("12", 1200), ("12.5", 1250), ("12.50", 1250), ("12,50", 1250), ("$ 7.99", 799), (" $3 ", 300)],
)
def test_dollars_are_read_as_people_write_them(written: str, cents: int) -> None:
    assert DollarsField(required=False).clean(written) == cents


@pytest.mark.parametrize("written", ["free", "1.234", "-5", "1e3", "NaN", "12 €", "1.2.3", "٣", "9" * 30])
def test_what_is_not_an_amount_is_refused_in_words(written: str) -> None:
    with pytest.raises(ValidationError, match="Write the price in dollars"):
        DollarsField(required=False).clean(written)


def test_each_line_is_one_value_and_empty_lines_are_nothing() -> None:
    field = LinesField(required=False)

    assert field.clean("https://a.example/1.jpg\r\n\r\n  https://a.example/2.jpg ") == [
        "https://a.example/1.jpg",
        "https://a.example/2.jpg",
    ]
    assert field.clean("") == []


def test_a_line_break_counts_as_one_character() -> None:
    form = typed(text="a\r\n" * (Message.TEXT_MAX // 2))

    assert form.is_valid()
    assert len(form.cleaned_data["text"]) == Message.TEXT_MAX


def test_the_page_never_cuts_a_long_paste_silently() -> None:
    assert "maxlength" not in str(ReplyForm()["text"])


@pytest.mark.django_db
def test_a_schedule_is_read_in_the_creators_time_zone() -> None:
    conversation = make_conversation()
    noon_in_paris = datetime.now(ZoneInfo("Europe/Paris")).replace(hour=12, minute=0, second=0) + timedelta(days=2)

    with timezone.override(ZoneInfo("Europe/Paris")):
        message = typed(send_at=f"{noon_in_paris:%Y-%m-%dT%H:%M}").send(conversation, author=make_user())

    assert message is not None
    assert message.send_at == noon_in_paris.replace(microsecond=0).astimezone(UTC)


@pytest.mark.django_db
def test_a_time_that_has_passed_is_refused() -> None:
    form = typed(send_at="2020-02-02T12:00")

    assert form.send(make_conversation(), author=make_user()) is None
    assert "This time has passed" in str(form.errors["send_at"])


@pytest.mark.django_db
def test_what_the_ledger_refuses_is_said_at_the_field_where_it_was_typed() -> None:
    form = typed(price="2", media_urls="ftp://a.example/1.jpg")

    assert form.send(make_conversation(), author=make_user()) is None
    assert "from $3 to $200" in str(form.errors["price"])
    assert "is not an http or https address" in str(form.errors["media_urls"])


@pytest.mark.django_db
def test_a_fan_without_an_address_is_named_above_the_form() -> None:
    form = typed()

    assert form.send(make_conversation(fan=make_fan(platform_id="")), author=make_user()) is None
    assert "no platform id" in str(form.non_field_errors())


@pytest.mark.django_db
def test_the_same_form_twice_is_one_message() -> None:
    conversation, author, key = make_conversation(), make_user(), str(uuid4())
    fields = {"client_key": key, "price": "5", "media_urls": "https://a.example/1.jpg"}

    first = typed(**fields).send(conversation, author=author)
    second = typed(**fields).send(conversation, author=author)

    assert first == second
    assert Message.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changed", [{"text": "Hello again!"}, {"price": "9"}, {"media_urls": "https://a.example/2.jpg"}]
)
def test_a_form_changed_after_it_was_sent_is_not_lost_but_offered_as_a_new_message(changed: dict[str, str]) -> None:
    conversation, author, key = make_conversation(), make_user(), str(uuid4())
    fields = {"client_key": key, "price": "5", "media_urls": "https://a.example/1.jpg"}
    typed(**fields).send(conversation, author=author)

    form = typed(**(fields | changed))

    assert form.send(conversation, author=author) is None
    assert "on its way already" in str(form.non_field_errors())
    assert form["client_key"].value() != key
    assert form["text"].value() == changed.get("text", "Hello!")

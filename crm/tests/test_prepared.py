"""A queryset that is worked out once and asked with other values."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Subquery
from django.test.utils import CaptureQueriesContext

from crm.clock import database_now
from crm.models import Message
from crm.prepared import Given, Prepared, PreparedUpdate
from crm.tests.factories import make_conversation, make_creator, make_message

pytestmark = pytest.mark.django_db


def test_answers_for_the_values_of_each_call() -> None:
    hers, theirs = (make_message(make_conversation(make_creator())) for _creator in range(2))
    of_creator: Prepared[Message] = Prepared(lambda: Message.objects.filter(creator_id=Given("creator_id")))

    assert of_creator(creator_id=hers.creator_id) == [hers]
    assert of_creator(creator_id=theirs.creator_id) == [theirs]


def test_a_moment_may_be_meant_earlier() -> None:
    message, minute = make_message(make_conversation()), timedelta(minutes=1)
    old: Prepared[Message] = Prepared(lambda: Message.objects.filter(send_at__lte=Given("now") - minute))

    assert old(now=database_now()) == []
    assert old(now=message.send_at + minute) == [message]


def test_what_was_left_out_is_read_when_it_is_asked_for() -> None:
    message = make_message(make_conversation(), text="Hi")
    only_ids: Prepared[Message] = Prepared(lambda: Message.objects.filter(pk=Given("pk")).only("pk"))

    with CaptureQueriesContext(connection) as queries:
        [found] = only_ids(pk=message.pk)
        assert len(queries) == 1
        assert found.text == "Hi"


def test_an_update_writes_the_values_of_each_call_where_it_is_meant_and_says_how_many_rows() -> None:
    hers, theirs = (make_message(make_conversation(make_creator()), text="Hi") for _creator in range(2))
    moment = database_now()
    rewrite = PreparedUpdate(
        lambda: (
            Message.objects.filter(creator_id=Given("creator_id")),
            {"text": Given("text"), "send_at": Given("now")},
        )
    )

    assert rewrite(creator_id=hers.creator_id, text="one", now=moment) == 1
    assert rewrite(creator_id=theirs.creator_id, text="two", now=moment) == 1
    assert rewrite(creator_id=0, text="three", now=moment) == 0
    assert set(Message.objects.values_list("text", "send_at")) == {("one", moment), ("two", moment)}


def test_what_belongs_to_it_comes_along() -> None:
    message = make_message(make_conversation())
    with_fan: Prepared[Message] = Prepared(
        lambda: Message.objects.select_related("conversation__fan").filter(public_id=Given("public_id"))
    )

    with CaptureQueriesContext(connection) as queries:
        [found] = with_fan(public_id=message.public_id)
        assert found.conversation.fan == message.conversation.fan
        assert found.send_at == message.send_at
        assert len(queries) == 1


def test_gives_the_tuples_of_values_list_also_of_what_was_worked_out() -> None:
    message = make_message(make_conversation())
    newest = Message.objects.order_by("-id").values("send_at")[:1]
    values: Prepared[tuple[object, ...]] = Prepared(
        lambda: (
            Message.objects.annotate(newest=Subquery(newest))
            .filter(pk=Given("pk"))
            .values_list("public_id", "newest", "sent_at")
        )
    )

    assert values(pk=message.pk) == [(message.public_id, message.send_at, None)]
    assert values(pk=0) == []

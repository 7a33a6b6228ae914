"""A queryset that is worked out once and asked with other values."""

from datetime import timedelta

import pytest
from django.db import connection
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
    rewrite: PreparedUpdate[Message] = PreparedUpdate(
        lambda: (
            Message.objects.filter(creator_id=Given("creator_id")),
            {"text": Given("text"), "send_at": Given("now")},
        )
    )

    assert rewrite(creator_id=hers.creator_id, text="one", now=moment) == 1
    assert rewrite(creator_id=theirs.creator_id, text="two", now=moment) == 1
    assert rewrite(creator_id=0, text="three", now=moment) == 0
    assert set(Message.objects.values_list("text", "send_at")) == {("one", moment), ("two", moment)}

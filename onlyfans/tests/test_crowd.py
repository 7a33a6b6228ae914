from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import serializers
from django.db import connection

from crm.models import Conversation, Creator, Fan, FanTag, Message, Transaction
from crm.tests.factories import make_conversation, make_user
from onlyfans import crowd
from onlyfans.crowd import seed_crowd

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def values_of(creator: Creator) -> list[Any]:
    fans = Fan.objects.filter(creator=creator).order_by("pk")
    return list(fans.values("handle", "name", "value_cents", "last_seen_at", "joined_at", "search_text"))


def test_a_crowd_is_rows_like_all_others_and_the_same_for_the_same_seed() -> None:
    before = make_conversation()

    crowd, twin = (seed_crowd(make_user(), fans=30, now=NOW) for _ in range(2))

    assert values_of(crowd) == values_of(twin)
    assert Message.objects.filter(creator=crowd).count() == 150
    for row in Fan.objects.filter(creator=crowd):
        row.full_clean()
        assert [found.pk for found in Fan.objects.filter(creator=crowd, search_text__has_words=row.handle)][:1]
    derived = [(fan.search_text, fan.sort_name) for fan in Fan.objects.filter(creator=crowd).order_by("pk")]
    for fan in Fan.objects.filter(creator=crowd):
        fan.save()
    assert [(fan.search_text, fan.sort_name) for fan in Fan.objects.filter(creator=crowd).order_by("pk")] == derived
    assert FanTag.objects.count() == 12
    assert Transaction.objects.filter(creator=crowd).count() == 10
    assert Conversation.objects.get(pk=before.pk).fan.creator == before.creator
    # New rows get keys after those.
    make_conversation(crowd)
    assert serializers.serialize("json", Message.objects.all())


def test_a_large_one_is_made_in_pieces_and_has_its_indexes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "PIECE", 7)
    monkeypatch.setattr(crowd, "INDEXED_AFTERWARDS", 30)
    heard: list[tuple[int, int, str]] = []
    before = indexes()
    small = seed_crowd(make_user(), fans=29, now=NOW)

    large = seed_crowd(make_user(), fans=30, now=NOW, told=lambda *said: heard.append(said))

    assert values_of(large)[:20] == values_of(small)[:20]
    assert Message.objects.filter(creator=large).count() == 150
    assert indexes() == before
    rows = [said for said in heard if said[2] == "rows"]
    assert [done for done, _total, _what in rows] == sorted({done for done, _total, _what in rows})
    assert rows[-1][0] == rows[-1][1] > 150
    assert heard[-1][2] == "indexes"


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        return {
            name
            for model in (Fan, Conversation, Message)
            for name in connection.introspection.get_constraints(cursor, model._meta.db_table)
        }


def test_another_seed_gives_another_crowd() -> None:
    one, other = (seed_crowd(make_user(), fans=30, seed=seed, now=NOW) for seed in (1, 2))

    assert values_of(one) != values_of(other)

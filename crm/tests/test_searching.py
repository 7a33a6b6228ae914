from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from crm.models import Campaign, Creator, Fan, Message
from crm.searching import fold, keep_words_indexed, words_of
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    return make_creator()


def found(text: str) -> set[str]:
    return set(Fan.objects.filter(search_text__has_words=text).values_list("handle", flat=True))


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Žofie", "zofie"),
        ("ﬁn", "fin"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Ñúñez ✨", "nunez ✨"),
        ("①", "1"),
    ],
)
def test_folding_makes_equal_what_people_take_for_equal(written: str, folded: str) -> None:
    assert fold(written) == folded


def test_whatever_is_neither_letter_nor_digit_separates_words() -> None:
    assert words_of("nora.k_92 (Jean-Baptiste) 💌") == ["nora", "k", "92", "jean", "baptiste"]


def test_every_term_begins_a_word_in_any_order(creator: Creator) -> None:
    make_fan(creator, name="Jean-Baptiste Lefèvre", handle="jb.ld")
    make_fan(creator, name="Jean Moulin", handle="jm")

    assert found("LEFEV jean") == {"jb.ld"}
    assert found("jean") == {"jb.ld", "jm"}
    assert found("efevre") == set()
    assert found("ld") == {"jb.ld"}


@pytest.mark.parametrize("text", ["", "✨", "'\"*:&|!()", "%", "_"])
def test_a_search_without_a_word_finds_nobody(creator: Creator, text: str) -> None:
    make_fan(creator, handle="somebody")

    assert found(text) == set()


@pytest.mark.parametrize("text", ["ann' OR 1", 'ann" OR "x', "ann:* | b", "ann NOT b", "ann\\"])
def test_signs_of_a_query_language_mean_nothing(creator: Creator, text: str) -> None:
    make_fan(creator, handle="ann")
    make_fan(creator, handle="bob")

    assert found(text) <= {"ann"}


def test_the_index_follows_every_kind_of_change(creator: Creator) -> None:
    fan = make_fan(creator, name="Ann", handle="one")
    [bulk] = Fan.objects.bulk_create([Fan(creator=creator, handle="two", name="Ann")])
    assert found("ann") == {"one", "two"}

    fan.name = "Bea"
    fan.save(update_fields=["name"])
    bulk.delete()

    assert found("ann") == set()
    assert found("bea") == {"one"}


def test_a_word_of_any_length_can_be_stored_and_found(creator: Creator) -> None:
    make_fan(creator, name="ﷺ" * 200, handle="long")

    assert found("ﷺ" * 30) == {"long"}


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_the_words_survive_that_sqlite_copies_the_table() -> None:
    make_fan(make_creator(), handle="ann")
    with connection.cursor() as cursor:
        for event in ("insert", "update", "delete"):
            cursor.execute(f"DROP TRIGGER crm_fan_search_text_{event}")
    make_fan(make_creator(), handle="annabel")

    keep_words_indexed(apps.get_app_config("crm"), using="default")

    assert found("ann") == {"ann", "annabel"}
    make_fan(make_creator(), handle="annette")
    assert found("ann") == {"ann", "annabel", "annette"}


def test_fans_of_before_the_migration_are_found() -> None:
    make_fan(make_creator(), handle="Žofie")
    Fan.objects.update(search_text="", sort_name="")

    import_module("crm.migrations.0007_fans_are_searched").fold_names(apps, None)

    assert found("zofie") == {"Žofie"}


def test_messages_are_found_by_their_words_and_mass_messages_are_not(creator: Creator) -> None:
    conversation = make_conversation(creator)
    said = make_message(conversation, text="Où est la vidéo du théâtre ?")
    make_message(
        conversation,
        text="Théâtre for everybody",
        campaign=Campaign.objects.create(creator=creator, name="x", text="x"),
    )

    assert list(Message.objects.filter(search_text__has_words="THEATRE vid")) == [said]


def test_messages_of_before_the_migration_are_found(creator: Creator) -> None:
    said = make_message(make_conversation(creator), text="Crème brûlée")
    make_message(
        said.conversation,
        text="Crème for everybody",
        campaign=Campaign.objects.create(creator=creator, name="x", text="x"),
    )
    Message.objects.update(search_text="")

    import_module("crm.migrations.0015_drafts_presence_and_message_search").fold_texts(apps, None)

    assert list(Message.objects.filter(search_text__has_words="brulee creme")) == [said]
    assert not Message.objects.filter(search_text__has_words="everybody").exists()

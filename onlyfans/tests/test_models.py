import pickle

import pytest
from django.core import serializers
from django.db import IntegrityError, connection
from django.test import Client
from django.urls import reverse

from crm.keyring import CannotOpen
from crm.models import Creator
from crm.tests.factories import make_creator
from onlyfans.models import Connection, Provider

pytestmark = pytest.mark.django_db

API_KEY, WEBHOOK_SECRET = "sk_live_never_shown", "whsec_never_shown"


def make_connection(creator: Creator | None = None, *, account_id: str = "acct_1") -> Connection:
    """A connection with both secrets, as it is read back from the database."""
    made = Connection(creator=creator or make_creator(), account_id=account_id)
    made.api_key, made.webhook_secret = API_KEY, WEBHOOK_SECRET
    made.save()
    return Connection.objects.get(pk=made.pk)


class TestSecrets:
    def test_what_was_stored_is_read_back(self) -> None:
        stored = make_connection()

        assert (stored.api_key, stored.webhook_secret) == (API_KEY, WEBHOOK_SECRET)

    def test_the_database_never_holds_them_in_clear(self) -> None:
        make_connection()

        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM onlyfans_connection")
            row = repr(cursor.fetchall())

        assert "never_shown" not in row

    def test_nothing_was_given_and_nothing_comes_back(self) -> None:
        stored = make_connection()
        stored.api_key = ""
        stored.save()

        stored.refresh_from_db()

        assert (stored.api_key, stored.sealed_api_key) == ("", "")

    def test_moved_to_another_row_it_does_not_open(self) -> None:
        first, second = make_connection(), make_connection(account_id="acct_2")
        Connection.objects.filter(pk=second.pk).update(sealed_api_key=first.sealed_api_key)

        second.refresh_from_db()

        with pytest.raises(CannotOpen):
            _ = second.api_key
        assert second.webhook_secret == WEBHOOK_SECRET

    def test_moved_to_another_field_it_does_not_open(self) -> None:
        stored = make_connection()
        stored.sealed_webhook_secret = stored.sealed_api_key

        with pytest.raises(CannotOpen):
            _ = stored.webhook_secret

    def test_no_way_of_looking_at_a_connection_shows_them(self, admin_client: Client) -> None:
        stored = make_connection()

        shown = [
            str(stored),
            repr(stored),
            repr(vars(stored)),
            repr(pickle.dumps(stored)),
            serializers.serialize("json", [stored]),
            admin_client.get(reverse("admin:onlyfans_connection_changelist")).text,
            admin_client.get(reverse("admin:onlyfans_connection_change", args=[stored.pk])).text,
        ]

        assert not [words for words in shown if "never_shown" in words]

    def test_the_admin_shows_not_even_the_sealed_values(self, admin_client: Client) -> None:
        stored = make_connection()

        page = admin_client.get(reverse("admin:onlyfans_connection_change", args=[stored.pk])).text

        assert stored.sealed_api_key not in page
        assert stored.sealed_webhook_secret not in page


class TestConnection:
    def test_one_account_has_one_connection(self) -> None:
        make_connection(account_id="acct_1")

        with pytest.raises(IntegrityError):
            make_connection(account_id="acct_1")

    def test_connections_without_an_account_do_not_collide(self) -> None:
        for _number in range(2):
            Connection.objects.create(creator=make_creator(), provider=Provider.LOG)

        assert Connection.objects.count() == 2

    def test_is_called_after_its_creator_and_provider(self) -> None:
        assert str(make_connection(make_creator(name="Mia"))) == "Mia · onlyfansapi.com"

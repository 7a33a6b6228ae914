"""Connections and events in the staff's tool: secrets go in, and only the fact that they are there comes out."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Creator
from crm.tests.factories import make_creator, make_user
from onlyfans import redriving
from onlyfans.models import Connection, Redrive, WebhookEvent
from onlyfans.queue import QueueUnavailable

pytestmark = pytest.mark.django_db

MODELS: list[type[Model]] = [Connection, Redrive, WebhookEvent]


def make_connection(creator: Creator | None = None) -> Connection:
    creator = creator or make_creator()
    made = Connection(creator=creator, account_id=f"acct_{creator.pk}")
    made.api_key, made.webhook_secret = "sk_before", "whsec_before"
    made.save()
    return made


def make_event(of: Connection) -> WebhookEvent:
    return WebhookEvent.objects.create(
        connection=of,
        event_key="evt_1",
        kind="messages.received",
        payload={"text": "a fan's words"},
        due_at=database_now(),
    )


def fill(rows: int) -> None:
    for _number in range(rows):
        make_event(make_connection())
        Redrive.objects.create(asked_by=make_user())


def page_of(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:onlyfans_{model._meta.model_name}_{name}", args=args)


class TestPages:
    def test_every_model_of_the_courier_is_registered(self) -> None:
        assert {model for model in admin.site._registry if model._meta.app_label == "onlyfans"} >= set(MODELS)

    @pytest.mark.parametrize("model", MODELS)
    def test_the_list_opens_and_searches(self, model: type[Model], admin_client: Client) -> None:
        fill(2)

        for words in ("", "acct_1", "evt_1", "'quoted words'", "\x00"):
            assert admin_client.get(page_of(model, "changelist"), {"q": words}).status_code == 200

    @pytest.mark.parametrize("model", MODELS)
    def test_the_list_asks_as_much_for_twenty_rows_as_for_two(self, model: type[Model], admin_client: Client) -> None:
        fill(2)
        admin_client.get(page_of(model, "changelist"))

        with CaptureQueriesContext(connection) as for_two:
            admin_client.get(page_of(model, "changelist"))
        fill(18)
        with CaptureQueriesContext(connection) as for_twenty:
            admin_client.get(page_of(model, "changelist"))

        assert len(for_twenty) == len(for_two)

    @pytest.mark.parametrize("model", MODELS)
    def test_the_page_of_one_row_opens(self, model: type[Model], admin_client: Client) -> None:
        fill(1)

        for row in model._default_manager.all():
            assert admin_client.get(page_of(model, "change", row.pk)).status_code == 200

    def test_the_page_for_a_new_connection_opens(self, admin_client: Client) -> None:
        assert admin_client.get(page_of(Connection, "add")).status_code == 200

    def test_the_list_of_events_shows_nothing_of_what_fans_wrote(self, admin_client: Client) -> None:
        fill(1)

        assert "a fan" not in admin_client.get(page_of(WebhookEvent, "changelist")).text

    def test_nobody_edits_what_the_platform_told_us(self, admin_client: Client) -> None:
        event = make_event(make_connection())

        assert admin_client.post(page_of(WebhookEvent, "add"), {"kind": "forged"}).status_code == 403
        assert admin_client.post(page_of(WebhookEvent, "change", event.pk), {"kind": "forged"}).status_code == 403
        event.refresh_from_db()
        assert event.kind == "messages.received"


class TestSecrets:
    def test_a_new_connection_is_made_with_its_secrets(self, admin_client: Client) -> None:
        creator = make_creator()

        answer = admin_client.post(
            page_of(Connection, "add"),
            {
                "creator": creator.pk,
                "provider": "ofapi",
                "account_id": "acct_1",
                "state": "connected",
                "new_api_key": "sk_new",
                "new_webhook_secret": "whsec_new",
            },
        )

        assert answer.status_code == 302
        stored = Connection.objects.get(creator=creator)
        assert (stored.api_key, stored.webhook_secret) == ("sk_new", "whsec_new")

    @pytest.mark.parametrize(
        ("typed", "kept"), [("", ("sk_before", "whsec_before")), ("sk_new", ("sk_new", "whsec_before"))]
    )
    def test_an_empty_field_keeps_the_stored_secret(
        self, typed: str, kept: tuple[str, str], admin_client: Client
    ) -> None:
        stored = make_connection()

        answer = admin_client.post(
            page_of(Connection, "change", stored.pk),
            {
                "creator": stored.creator_id,
                "provider": "ofapi",
                "account_id": "acct_other",
                "state": "connected",
                "new_api_key": typed,
            },
        )

        assert answer.status_code == 302
        stored = Connection.objects.get()
        assert stored.account_id == "acct_other"
        assert (stored.api_key, stored.webhook_secret) == kept
        assert "sk_new" not in "".join(entry.change_message for entry in LogEntry.objects.all())

    def test_no_browser_fills_in_a_password_of_its_own(self, admin_client: Client) -> None:
        page = admin_client.get(page_of(Connection, "change", make_connection().pk)).text

        assert page.count('type="password"') == page.count('autocomplete="new-password"') == 2

    def test_a_form_that_comes_back_with_an_error_does_not_repeat_them(self, admin_client: Client) -> None:
        answer = admin_client.post(page_of(Connection, "add"), {"new_api_key": "sk_new"})

        assert answer.status_code == 200
        assert "sk_new" not in answer.text

    def test_without_the_key_the_page_opens_nevertheless(self, admin_client: Client, settings: Settings) -> None:
        stored = make_connection()
        settings.HUNTAZE_KEYRING = ""

        assert admin_client.get(page_of(Connection, "changelist")).status_code == 200
        assert admin_client.get(page_of(Connection, "change", stored.pk)).status_code == 200


class TestRedrive:
    def test_staff_order_it_and_dispatch_does_it(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []

        def moved_three(limit: int) -> int:
            asked.append(limit)
            return 3

        monkeypatch.setattr(redriving, "redrive", moved_three)

        answer = admin_client.post(page_of(Redrive, "add"), {"limit": 500})

        assert answer.status_code == 302
        order = Redrive.objects.get()
        assert (order.asked_by is not None, order.begun_at, asked) == (True, None, [])
        assert redriving.serve() == 3
        assert redriving.serve() == 0
        order.refresh_from_db()
        assert (order.moved, order.trouble, asked) == (3, "", [500])
        assert order.ended_at is not None

    def test_what_went_wrong_stands_in_the_list(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def out_of_reach(limit: int) -> int:
            raise QueueUnavailable("SQS: no answer (2 were moved before)")

        monkeypatch.setattr(redriving, "redrive", out_of_reach)
        Redrive.objects.create()
        redriving.serve()

        assert "no answer (2 were moved before)" in admin_client.get(page_of(Redrive, "changelist")).text

    @pytest.mark.parametrize("limit", ["0", "1001", "many"])
    def test_a_limit_out_of_range_is_refused(self, limit: str, admin_client: Client) -> None:
        answer = admin_client.post(page_of(Redrive, "add"), {"limit": limit})

        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors["limit"]
        assert not Redrive.objects.exists()

    def test_whoever_may_not_order_it_does_not(self, client: Client) -> None:
        client.force_login(make_user(is_staff=True))

        assert client.post(page_of(Redrive, "add"), {"limit": 1}).status_code == 403
        assert not Redrive.objects.exists()

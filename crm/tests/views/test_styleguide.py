"""The page for whoever builds the next one."""

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db


def test_every_component_is_shown_in_both_themes_while_debug_is_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DEBUG", True)

    page = client.get("/styleguide").content.decode()

    for theme in ("light", "dark"):
        assert f'<section class="theme {theme}"' in page
    for component in (
        "button",
        "field",
        "badge",
        "bubble",
        "table",
        "dialog",
        "toast",
        "empty",
        "skeleton",
        "pagination",
    ):
        assert page.count(f'class="{component}') >= 2, component


def test_on_a_server_there_is_no_such_page(client: Client) -> None:
    assert client.get("/styleguide").status_code == 404

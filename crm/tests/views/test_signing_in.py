"""Signing in and out by a page, and the language of the pages."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_browser_says_which_language_a_page_has(client: Client) -> None:
    assert '<html lang="fr">' in client.get("/login", headers={"Accept-Language": "fr-CA, en;q=0.5"}).content.decode()
    assert '<html lang="en">' in client.get("/login", headers={"Accept-Language": "de"}).content.decode()


def test_a_chosen_language_stays_whatever_the_browser_prefers(client: Client) -> None:
    response = client.post("/language", {"language": "fr", "next": "/login?next=/fans"})

    assert response.headers["Location"] == "/login?next=/fans"
    assert '<html lang="fr">' in client.get("/login", headers={"Accept-Language": "en"}).content.decode()


def test_choosing_a_language_leads_to_no_other_server(client: Client) -> None:
    response = client.post("/language", {"language": "fr", "next": "https://evil.example/"})

    assert response.headers["Location"] == "/"

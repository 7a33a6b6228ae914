"""Signing in and out by a page, and the language of the pages."""

import pytest
from django.test import Client

from crm.models import User
from crm.tests.factories import PASSWORD, make_user

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


def test_a_person_s_language_comes_along_to_the_next_browser(client: Client) -> None:
    user = make_user("mia")
    client.force_login(user)
    client.post("/language", {"language": "fr"})

    elsewhere = Client(headers={"Accept-Language": "en"})
    elsewhere.post("/login", {"username": "mia", "password": PASSWORD})

    assert '<html lang="fr">' in elsewhere.get("/messages/onlyfans").content.decode()


def test_there_is_no_such_language(client: Client) -> None:
    client.force_login(make_user("mia"))

    client.post("/language", {"language": "tlh"})

    assert User.objects.get().language == ""
    assert '<html lang="en">' in client.get("/messages/onlyfans").content.decode()


def test_a_wrong_name_and_a_wrong_password_read_the_same(client: Client) -> None:
    make_user("mia")
    make_user("gone", is_active=False)

    answers = {
        client.post("/login", {"username": name, "password": password})
        .content.decode()
        .split('role="alert"')[1]
        .split("</p>")[0]
        for name, password in (("mia", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD))
    }

    assert len(answers) == 1
    assert "No account goes with this name and password." in answers.pop()


def test_a_mistake_keeps_the_name_and_where_one_wanted_to_go(client: Client) -> None:
    make_user("mia")

    page = client.post("/login", {"username": "mia", "password": "wrong", "next": "/fans"}).content.decode()

    assert 'value="mia"' in page
    assert 'name="next" value="/fans"' in page
    assert PASSWORD not in page


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_server(client: Client, elsewhere: str) -> None:
    make_user("mia")

    assert 'name="next" value=""' in client.get("/login", {"next": elsewhere}).content.decode()
    answer = client.post("/login", {"username": "mia", "password": PASSWORD, "next": elsewhere})

    assert answer.headers["Location"] == "/messages/onlyfans"


def test_a_password_manager_finds_its_way(client: Client) -> None:
    page = client.get("/login").content.decode()

    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page


def test_whoever_signs_out_reads_that_they_did(client: Client) -> None:
    client.force_login(make_user())

    page = client.post("/logout", follow=True).content.decode()

    assert "You are signed out." in page
    assert "_auth_user_id" not in client.session

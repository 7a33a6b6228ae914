"""The pages people meet when something is wrong."""

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from crm.correlation import correlated
from crm.tests.factories import make_user


@pytest.mark.django_db
def test_a_page_that_does_not_exist_leads_back(client: Client) -> None:
    client.force_login(make_user())

    response = client.get("/nowhere")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert 'href="/"' in response.content.decode()


@pytest.mark.django_db
def test_an_address_for_buttons_says_so_to_whoever_opens_it(client: Client) -> None:
    client.force_login(make_user())

    response = client.get(reverse("logout"))

    page = response.content.decode()
    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")
    assert "press the button there" in page
    assert f"<code>{response['X-Request-ID']}</code>" in page
    assert 'href="/"' in page


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "405", "500"])
def test_an_error_page_needs_nothing_that_may_be_broken(code: str) -> None:
    with correlated("0123456789abcdef"):
        page = render_to_string(f"{code}.html")

    assert "<h1>" in page
    assert "<script" not in page
    assert "<code>0123456789abcdef</code>" in page

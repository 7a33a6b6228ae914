import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_half_a_character_in_what_is_refused_is_refused_in_words(client: Client) -> None:
    """JSON may say one; no answer can repeat it, because UTF-8 has none."""
    refused = client.post("/api/auth/token", '{"\\ud800": 1, "username": "ava"}', content_type="application/json")

    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert r"\ud800" in refused.json()["detail"]

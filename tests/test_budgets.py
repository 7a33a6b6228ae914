"""What a page may cost: bytes to fetch before it is whole, questions to the database. bench/pages.py has the times."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from crm.models import Creator
from tests.pages import PAGES, Page, furnish
from tests.weight import weight

pytestmark = pytest.mark.django_db

BYTES = 60 * 1024
#: So many questions to the database at most.
QUERIES = 12
#: Of each request that belongs to somebody: who is it? Not a cost of the page.
SIGNED_IN = 2

Get = Callable[[Page], tuple[str, int]]


@pytest.fixture(scope="module")
def get(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Get]:
    """The page's HTML and how many questions it asked."""
    with django_db_blocker.unblock(), transaction.atomic():
        user, creator = furnish()
        user.is_demo = False
        user.save()
        stranger, client = Client(), Client()
        client.force_login(user)
        yield lambda page: _asked(client if page.signed_in else stranger, page, creator)
        transaction.set_rollback(True)


def _asked(client: Client, page: Page, creator: Creator) -> tuple[str, int]:
    address = page.address(creator)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address, follow=True)
    assert response.status_code == 200, address
    return response.content.decode(), len(queries) - SIGNED_IN * page.signed_in


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_a_page_is_light_and_asks_little(row: Page, get: Get) -> None:
    html, queries = get(row)

    assert weight(html) <= BYTES
    assert queries <= QUERIES

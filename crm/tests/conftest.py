"""Who is signed in."""

import pytest
from django.test import Client

from crm.models import Creator


@pytest.fixture
def owner(client: Client, creator: Creator) -> Client:
    """The browser of the test's creator's one member."""
    client.force_login(creator.memberships.get().user)
    return client

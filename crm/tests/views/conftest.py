"""Somebody signed in, with a creator and one conversation."""

import pytest
from django.test import Client

from crm.models import Conversation, Creator, User
from crm.tests.factories import make_conversation, make_creator, make_fan, make_user


@pytest.fixture
def user() -> User:
    return make_user("mia")


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, name="Mia", timezone="Europe/Paris")


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(fan=make_fan(creator, name="Daniel"))


@pytest.fixture
def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client

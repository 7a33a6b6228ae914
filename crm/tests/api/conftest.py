"""Somebody with one creator, asking."""

import pytest
from django.test import Client

from crm.models import Creator, Membership, User
from crm.tests.api.asking import Api
from crm.tests.factories import make_creator, make_user


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user)


@pytest.fixture
def asks(client: Client, user: User) -> Api:
    client.force_login(user)
    return Api(client)


@pytest.fixture
def chatter_asks(creator: Creator) -> Api:
    chatter = make_user()
    Membership.objects.create(user=chatter, creator=creator, role=Membership.Role.CHATTER)
    client = Client()
    client.force_login(chatter)
    return Api(client)

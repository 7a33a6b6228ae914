"""The whole product as processes, and Chromium."""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import chromium
from tests.product import Product, new_product


@pytest.fixture(scope="session")
def journey_environment() -> dict[str, str]:
    """The pace of the journeys: real, or what the leg of the suite asks for."""
    return {
        "HUNTAZE_PACE": os.environ.get("TEST_PACE", "10/60"),
        "SIMULATOR_GAP": os.environ.get("TEST_SIMULATOR_GAP", "3.0"),
        "SIMULATOR_REPLY_PROBABILITY": "0",
    }


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], dict[str, str]]]:
    """Makes an empty database for a product; on SQLite there is one in every home."""
    server, names = os.environ.get("TEST_POSTGRESQL"), list[str]()

    def make() -> dict[str, str]:
        if not server:
            return {}
        names.append(f"journey_{uuid.uuid4().hex}")
        _on_server(server, "CREATE DATABASE {}", names[-1])
        return {"DATABASE_URL": f"{server}/{names[-1]}"}

    yield make
    for name in names:
        _on_server(server or "", "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def make_product(
    tmp_path_factory: pytest.TempPathFactory,
    journey_environment: dict[str, str],
    new_database: Callable[[], dict[str, str]],
) -> Iterator[Callable[..., Product]]:
    """Makes products that are not started yet, each with a home, a port and a database of its own; stops them."""
    products: list[Product] = []

    def make(**environment: str) -> Product:
        home = tmp_path_factory.mktemp("home")
        products.append(new_product(home, **(journey_environment | new_database() | environment)))
        return products[-1]

    yield make
    for product in products:
        if product.process and product.process.poll() is None:
            product.stop()


@pytest.fixture(scope="module")
def product(make_product: Callable[..., Product]) -> Iterator[Product]:
    """The whole product, up and well, one per test module."""
    product = make_product()
    product.start()
    yield product
    product.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's own Chromium, which speaks to nobody by itself."""
    program = chromium.find()
    if program is None:
        pytest.fail(chromium.MISSING)
    return {**browser_type_launch_args, "executable_path": program, "args": list(chromium.ARGUMENTS)}


def _on_server(server: str, statement: str, database: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(database)))

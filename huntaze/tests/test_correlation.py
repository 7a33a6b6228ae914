import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from structlog.contextvars import get_contextvars

from huntaze.correlation import HEADER, CorrelationMiddleware


class Door:
    """A view that remembers what it saw."""

    def __init__(self) -> None:
        self.request_id = self.logged_id = ""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.request_id = request.correlation_id  # type: ignore[attr-defined]
        self.logged_id = get_contextvars()["correlation_id"]
        return HttpResponse()


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize("given", ["12345678", "0f8fad5b-d9cb-469f-a165-70867728950e", "Root-1-67891233", "a" * 64])
def test_a_well_formed_id_goes_into_the_request_the_log_and_the_answer(given: str, door: Door) -> None:
    answer = CorrelationMiddleware(door)(RequestFactory().get("/", headers={HEADER: given}))

    assert door.request_id == door.logged_id == answer.headers[HEADER] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "a" * 65,
        "12345678\n{'event': 'forged'}",
        "12345678\r\nSet-Cookie: a=b",
        "12345678\x1b[2J",
        "1234 5678",
        "12345678;drop",
        "ééééééééé",
        "²²²²²²²²²",
    ],
)
def test_an_ill_formed_id_is_replaced_and_repeated_nowhere(given: str, door: Door) -> None:
    answer = CorrelationMiddleware(door)(RequestFactory().get("/", headers={HEADER: given}))

    assert door.request_id == door.logged_id == answer.headers[HEADER]
    assert door.request_id != given
    assert len(door.request_id) == 32
    assert door.request_id.isascii()
    assert door.request_id.isalnum()


def test_each_request_without_an_id_gets_one_of_its_own(client: Client) -> None:
    first, second = client.get("/livez"), client.get("/livez")

    assert first.headers[HEADER] != second.headers[HEADER]


def test_the_id_ends_with_its_request(door: Door) -> None:
    CorrelationMiddleware(door)(RequestFactory().get("/"))

    assert "correlation_id" not in get_contextvars()

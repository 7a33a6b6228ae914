"""Errors: a problem document for whoever speaks JSON, a page for a person, and never a bug's own words."""

import json
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings
from rest_framework import permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from huntaze.correlation import HEADER
from huntaze.problems import CONTENT_TYPE

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

SECRET = "postgres://user:password@db.internal"
FAILURES: dict[str, Exception] = {
    "400": BadRequest(SECRET),
    "403": PermissionDenied(SECRET),
    "404": Http404(SECRET),
    "500": RuntimeError(SECRET),
}
TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}


def fail(request: HttpRequest, failure: str) -> HttpResponse:
    raise FAILURES[failure]


class Shape(serializers.Serializer):
    priceCents = serializers.IntegerField(source="price_cents", min_value=0)  # noqa: N815
    content = serializers.CharField()


class FailingView(APIView):
    permission_classes = (permissions.AllowAny,)
    input_shape = Shape

    def get(self, request: Request, failure: str) -> Response:
        raise FAILURES[failure]

    def post(self, request: Request, failure: str) -> Response:
        Shape(data=request.data).is_valid(raise_exception=True)
        if failure == "verb":
            raise ValidationError({"price_cents": ["A price is 0, or from $3 to $200."]})
        raise ValidationError("Not today.")


class LockedView(APIView):
    def get(self, request: Request) -> Response:
        return Response()


handler400 = "huntaze.problems.bad_request"
handler403 = "huntaze.problems.permission_denied"
handler404 = "huntaze.problems.page_not_found"
handler500 = "huntaze.problems.server_error"
urlpatterns = [
    path("api/plain/<failure>", fail),
    path("api/view/<failure>", FailingView.as_view()),
    path("api/locked", LockedView.as_view()),
    path("page/<failure>", fail),
]


@pytest.fixture
def client() -> Client:
    """Sees what a browser sees of a bug."""
    return Client(raise_request_exception=False)


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    """The problem document, after a look at all that every one has."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    body: dict[str, Any] = json.loads(answer.content)
    assert (body["type"], body["title"], body["status"]) == ("about:blank", TITLES[status], status)
    assert body["detail"]
    assert SECRET not in answer.text
    return body


@pytest.mark.parametrize("status", [400, 403, 404, 500])
class TestByStatus:
    def test_the_api_answers_with_a_problem_document(self, status: int, client: Client) -> None:
        body = problem_of(client.get(f"/api/plain/{status}"), status)

        assert "errors" not in body

    @pytest.mark.parametrize("debug", [False, True])
    def test_so_does_a_view_of_the_api(self, status: int, debug: bool, client: Client, settings: Settings) -> None:
        settings.DEBUG = debug

        problem_of(client.get(f"/api/view/{status}"), status)

    def test_a_person_gets_a_page(self, status: int, client: Client) -> None:
        answer = client.get(f"/page/{status}")

        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith("text/html")
        assert SECRET not in answer.text


class TestFields:
    def test_each_field_is_named_with_its_complaint(self, client: Client) -> None:
        answer = client.post("/api/view/verb", {"priceCents": -1}, content_type="application/json")

        body = problem_of(answer, 400)
        assert [(error["field"], error["code"]) for error in body["errors"]] == [
            ("priceCents", "min_value"),
            ("content", "required"),
        ]
        assert all(error["message"] in body["detail"] for error in body["errors"])

    def test_a_refusal_of_the_ledger_names_the_field_as_the_api_calls_it(self, client: Client) -> None:
        shaped = {"priceCents": 1, "content": "Hello!"}

        body = problem_of(client.post("/api/view/verb", shaped, content_type="application/json"), 400)

        assert body["errors"] == [
            {"field": "priceCents", "code": "invalid", "message": "A price is 0, or from $3 to $200."}
        ]

    def test_a_refusal_without_a_field_is_the_detail(self, client: Client) -> None:
        shaped = {"priceCents": 1, "content": "Hello!"}

        body = problem_of(client.post("/api/view/whole", shaped, content_type="application/json"), 400)

        assert body["detail"] == "Not today."

    def test_a_request_that_is_too_large_is_not_a_bug(self, client: Client, settings: Settings) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

        problem_of(client.post("/api/view/verb", {"content": "Hello!"}, content_type="application/json"), 400)

    def test_json_that_cannot_be_read_is_a_problem(self, client: Client) -> None:
        problem_of(client.post("/api/view/verb", "{", content_type="application/json"), 400)


class TestBugs:
    @pytest.mark.parametrize("kind", ["plain", "view"])
    def test_a_bug_says_where_to_find_it(self, kind: str, client: Client) -> None:
        answer = client.get(f"/api/{kind}/500", headers={HEADER: "find-me-in-the-log"})

        assert "find-me-in-the-log" in problem_of(answer, 500)["detail"]

    def test_a_bug_in_a_view_is_logged_with_its_traceback(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.get("/api/view/500")

        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.exc_info
        assert isinstance(record.exc_info[1], RuntimeError)


def test_who_is_not_signed_in_is_asked_for_a_token(client: Client) -> None:
    answer = client.get("/api/locked")

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_address_that_leads_nowhere_is_a_problem_below_api_and_a_page_elsewhere(client: Client) -> None:
    problem_of(client.get("/api/nowhere"), 404)

    assert client.get("/nowhere").headers["Content-Type"].startswith("text/html")


@pytest.mark.urls("huntaze.urls")
def test_half_a_character_in_what_is_refused_is_refused_in_words(client: Client) -> None:
    """JSON may say one; no answer can repeat it, because UTF-8 has none."""
    refused = client.post("/api/auth/token", '{"\\ud800": 1, "username": "ava"}', content_type="application/json")

    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == CONTENT_TYPE
    assert r"\ud800" in refused.json()["detail"]

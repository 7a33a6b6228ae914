"""A client of the API that speaks JSON and says what status it expects."""

from typing import Any

from django.test import Client


class Api:
    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, address: str, status: int = 200, **headers: str) -> Any:
        return self._body(self.client.get(address, headers=headers), status)

    def post(self, address: str, status: int = 201, **body: Any) -> Any:
        return self._body(self.client.post(address, body, content_type="application/json"), status)

    def put(self, address: str, status: int = 200, **body: Any) -> Any:
        return self._body(self.client.put(address, body, content_type="application/json"), status)

    def patch(self, address: str, status: int = 200, **body: Any) -> Any:
        return self._body(self.client.patch(address, body, content_type="application/json"), status)

    def delete(self, address: str, status: int = 204) -> Any:
        return self._body(self.client.delete(address), status)

    def refused(self, method: str, address: str, *, status: int = 400, **body: Any) -> list[str]:
        """The fields that a refusal names."""
        said = getattr(self, method)(address, status=status, **body)
        return [error["field"] for error in said.get("errors", [])]

    def _body(self, reply: Any, status: int) -> Any:
        assert reply.status_code == status, (reply.status_code, reply.content)
        return reply.json() if reply.content else None

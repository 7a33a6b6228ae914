"""A client of the API as anybody would write one: a token, JSON, nothing else."""

import json
import urllib.error
import urllib.request
from typing import Any


class Client:
    """Signed in as ``username``. ``timeout`` is how long an answer may take, in seconds."""

    def __init__(
        self, url: str, username: str = "demo", password: str = "demo-huntaze", *, timeout: float = 10
    ) -> None:
        self.url, self.timeout, self.token = url, timeout, ""
        status, reply = self.post("/api/auth/token", {"username": username, "password": password})
        assert status == 200, reply
        self.token = reply["access"]

    def get(self, path: str) -> Any:
        return self.call("GET", path)[1]

    def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        return self.call("POST", path, json.dumps(body).encode(), **headers)

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """The status, and what the JSON says."""
        headers |= {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

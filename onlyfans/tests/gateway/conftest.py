"""A provider that answers whatever bytes a test wants, for what no well-meaning server would send."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from onlyfans.gateway.ofapi import OfapiGateway

Answer = Callable[[socket.socket, bytes], None]


class RawProvider:
    """Accepts connections one after the other and lets ``answer(connection, request)`` do what it likes."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer: Answer = lambda _connection, _request: None
        self.tls: ssl.SSLContext | None = None
        self.is_closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def says(self, *parts: bytes) -> None:
        """Answer these bytes and hang up."""

        def answer(connection: socket.socket, _request: bytes) -> None:
            for part in parts:
                connection.sendall(part)

        self.answer = answer

    def drips(self, head: bytes, *, seconds: float) -> None:
        """Answer ``head``, then one byte every so often, for ever."""

        def answer(connection: socket.socket, _request: bytes) -> None:
            connection.sendall(head)
            while not self.is_closing.wait(seconds):
                connection.sendall(b" ")

        self.answer = answer

    def close(self) -> None:
        self.is_closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _speak(self, connection: socket.socket) -> None:
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        request = _read_request(connection)
        if request:
            self.requests.append(request)
            self.answer(connection, request)

    def _serve(self) -> None:
        while not self.is_closing.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            # Whatever the client does to the connection, the next one is served.
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self._speak(connection)


def make_certificate() -> bytes:
    """A self-signed certificate for 127.0.0.1 and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private


def reply(status: int, document: Any = None, *, body: bytes | None = None, **headers: Any) -> bytes:
    """The bytes of a whole HTTP answer; ``Retry_After`` writes a header Retry-After."""
    body = json.dumps(document).encode() if body is None else body
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = connection.recv(65536)
        if not chunk:
            return request
        request += chunk
    head, _blank, body = request.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def provider(settings: Settings) -> Iterator[RawProvider]:
    """A raw provider, and OFAPI_BASE_URL pointing to it."""
    provider = RawProvider()
    settings.OFAPI_BASE_URL = f"http://127.0.0.1:{provider.port}/api"
    yield provider
    provider.close()


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """TLS with a certificate that no authority knows."""
    file = tmp_path / "certificate.pem"
    file.write_bytes(make_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def raw_gateway(provider: RawProvider) -> OfapiGateway:
    return OfapiGateway(account_id="acct_raw", api_key="raw-key")

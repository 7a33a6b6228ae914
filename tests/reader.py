"""A person with a browser that knows no JavaScript: pages, links, forms and buttons, as they are written."""

import http.client
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

Attributes = Mapping[str, str | None]
#: What is typed into a field: text, several choices, or a file as (name, content).
Typed = str | Sequence[str] | tuple[str, bytes]


@dataclass
class Form:
    """What would be sent as the page came, and its buttons: the words of each, its name and its value."""

    action: str = ""
    method: str = "get"
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class Page:
    """An answer. ``seconds`` is from the request's first byte to the answer's last one."""

    address: str
    status: int
    text: str
    seconds: float

    @property
    def words(self) -> str:
        """What a person reads, in one line."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.text).split())

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def forms(self) -> list[Form]:
        reader = _Forms()
        reader.feed(self.text)
        return reader.forms

    def link(self, pattern: str) -> str:
        """The first address of the page that matches."""
        found = next((link for link in re.findall(r'href="([^"]+)"', self.text) if re.search(pattern, link)), None)
        assert found, f"no link like {pattern} on {self.address}: {self.words[:2000]}"
        return str(found).replace("&amp;", "&")

    def choice(self, name: str, words: str) -> str:
        """The value of a choice by its words, in the select called ``name``."""
        select = re.search(rf'<select[^>]* name="{name}".*?</select>', self.text, re.DOTALL)
        assert select, f"no {name} on {self.address}"
        found = re.search(rf'<option value="([^"]*)"[^>]*>\s*{re.escape(words)}\s*<', select[0])
        assert found, f"no “{words}” in {name} on {self.address}"
        return found[1]


class Reader:
    """One browser: a connection and its cookies."""

    def __init__(self, url: str, *, timeout: float = 120) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
        self._cookies: dict[str, str] = {}

    def sign_in(self, username: str, password: str) -> Page:
        return self.press(self.read("/login"), "Sign in", username=username, password=password)

    def read(self, address: str) -> Page:
        """Open a page, and the one that it leads to."""
        return self._follow(self._ask("GET", address))

    def press(self, page: Page, button: str, **typed: Typed) -> Page:
        """Type into the fields of the form that has this button, press it, and read what comes."""
        form, name, value = _form_with(page, button)
        values = [(field, said) for field, said in form.values if field not in typed]
        files = {}
        for field_name, said in typed.items():
            if isinstance(said, tuple) and isinstance(said[1], bytes):
                files[field_name] = said
            else:
                values += [(field_name, said)] if isinstance(said, str) else [(field_name, str(one)) for one in said]
        if name:
            values.append((name, value))
        address = urljoin(page.address, form.action)
        if form.method == "get":
            return self.read(f"{address.partition('?')[0]}?{urlencode(values)}")
        body, kind = _multipart(values, files) if files else (urlencode(values).encode(), FORM)
        return self._follow(self._ask("POST", address, body, {"Content-Type": kind}))

    def close(self) -> None:
        self._connection.close()

    def _follow(self, page: Page) -> Page:
        while 300 <= page.status < 400:
            following = self._ask("GET", urljoin(page.address, page.text))
            following.seconds += page.seconds
            page = following
        return page

    def _ask(self, method: str, address: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Page:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        began = time.perf_counter()
        try:
            self._connection.request(method, address, body, {"Cookie": cookie, **headers})
            reply = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server has closed a connection that was idle; it has read nothing.
            self._connection.close()
            self._connection.request(method, address, body, {"Cookie": cookie, **headers})
            reply = self._connection.getresponse()
        text = reply.read().decode(errors="replace")
        seconds = time.perf_counter() - began
        for line in reply.headers.get_all("Set-Cookie") or ():
            name, _equals, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        # Of a redirect the text is where it leads.
        return Page(address, reply.status, reply.headers.get("Location") or text, seconds)


FORM = "application/x-www-form-urlencoded"
#: Inputs that send nothing unless they are chosen.
CHOSEN, SILENT = ("checkbox", "radio"), ("submit", "button", "reset", "file", "image")


class _Forms(HTMLParser):
    """Reads the forms of a page as a browser would send them untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._form: Form | None = None
        self._select: list[tuple[str, bool]] | None = None
        self._select_name, self._is_multiple = "", False
        self._text: list[str] | None = None
        self._button: tuple[Form | None, str, str] | None = None
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self._form = Form(said.get("action") or "", (said.get("method") or "get").lower())
            self.forms.append(self._form)
            self._by_id[said.get("id") or ""] = self._form
        elif tag == "input":
            self._input(said)
        elif tag == "select":
            self._select, self._select_name, self._is_multiple = [], said.get("name") or "", "multiple" in said
        elif tag == "option" and self._select is not None:
            self._select.append((said.get("value") or "", "selected" in said))
        elif tag == "textarea":
            self._text, self._textarea = [], said.get("name") or ""
        elif tag == "button" and said.get("type") != "button":
            self._text, self._button = [], (self._of(said), said.get("name") or "", said.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select is not None:
            chosen = [value for value, is_chosen in self._select if is_chosen]
            if not chosen and self._select and not self._is_multiple:
                chosen = [self._select[0][0]]
            if self._form:
                self._form.values += [(self._select_name, value) for value in chosen]
            self._select = None
        elif tag == "textarea" and self._text is not None:
            if self._form:
                # A browser drops the line break that follows the tag.
                self._form.values.append((self._textarea, "".join(self._text).removeprefix("\n")))
            self._text = None
        elif tag == "button" and self._button and self._text is not None:
            form, name, value = self._button
            if form:
                form.buttons.append((" ".join("".join(self._text).split()), name, value))
            self._text = self._button = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _input(self, said: Attributes) -> None:
        form, kind = self._of(said), said.get("type") or "text"
        if not form or not said.get("name") or kind in SILENT or (kind in CHOSEN and "checked" not in said):
            return
        form.values.append((said["name"] or "", said.get("value") or ("on" if kind in CHOSEN else "")))

    def _of(self, said: Attributes) -> Form | None:
        return self._by_id.get(said["form"] or "") if "form" in said else self._form


def _form_with(page: Page, button: str) -> tuple[Form, str, str]:
    """The form that has this button, with the button's name and value. A pattern, for words with numbers in them."""
    forms = page.forms()
    for form in forms:
        for words, name, value in form.buttons:
            if re.fullmatch(button, words):
                return form, name, value
    shown = [words for form in forms for words, _name, _value in form.buttons]
    raise AssertionError(f"no button “{button}” on {page.address}, only {shown}: {page.words[:2000]}")


def _multipart(values: Sequence[tuple[str, str]], files: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    border = secrets.token_hex(16)
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values
    ]
    parts += [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        f"Content-Type: text/csv\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, (file, content) in files.items()
    ]
    return b"".join([*parts, f"--{border}--\r\n".encode()]), f"multipart/form-data; boundary={border}"

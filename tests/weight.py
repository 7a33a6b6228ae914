"""What the browser fetches to show a page for the first time: its styles, its scripts and what those import."""

import gzip
import re
from functools import cache
from urllib.parse import urljoin, urlsplit

from django.contrib.staticfiles import finders

LINKS = re.compile(r'<link rel="stylesheet" href="([^"]+)"|<script[^>]* src="([^"]+)"')
IMPORTS = re.compile(r'\bimport\s[^;]*?["\']([^"\']+)["\']|@import\s+(?:url\()?["\']([^"\']+)')


def weight(page: str) -> int:
    """Bytes of JavaScript and CSS of a page of HTML, gzipped as a server sends them."""
    wanted = [first or second for first, second in LINKS.findall(page)]
    known: set[str] = set()
    while wanted:
        address = urlsplit(wanted.pop()).path
        if address not in known:
            known.add(address)
            wanted += [urljoin(address, first or second) for first, second in IMPORTS.findall(_text(address))]
    return sum(len(gzip.compress(_text(address).encode(), 6)) for address in known)


@cache
def _text(address: str) -> str:
    found = finders.find(address.removeprefix("/static/"))
    if not isinstance(found, str):
        raise FileNotFoundError(address)
    with open(found, encoding="utf-8") as file:
        return file.read()

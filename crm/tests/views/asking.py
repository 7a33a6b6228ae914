"""What a page says to somebody who reads it."""

import re
from html import unescape
from typing import Any


def text_of(answer: Any) -> str:
    """The words of a page in one line, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())

"""What the guide prints in bold is what a button, a field or a banner of the product says."""

import re
from pathlib import Path

from tests import catalogue

GUIDE = Path(__file__).parent.parent / "docs" / "user-guide.md"
BOLD = re.compile(r"\*\*([^*]+)\*\*")
#: What begins a paragraph, and names nothing.
LEADS = ("To many at once.", "One fan.")
PLACE = re.compile(r"%\(\w+\)[sd]")


def plain(words: str) -> str:
    """On one line, without what ends a sentence; what the product fills in is left out by the guide, too."""
    return " ".join(PLACE.sub("…", words).split()).rstrip(".… ").casefold()


def test_every_name_in_the_guide_is_one_that_the_product_says() -> None:
    ids = [message.id for message in catalogue.messages(catalogue.translated())]
    said = {plain(words) for known in ids for words in ([known] if isinstance(known, str) else known)}

    # Keys have no letters.
    bold = [words for words in BOLD.findall(GUIDE.read_text(encoding="utf-8")) if re.search(r"\w", words)]
    named = [words for words in bold if words not in LEADS]

    assert len(named) > 50
    # A long label may be named by its beginning.
    assert [words for words in named if not any(each.startswith(plain(words)) for each in said)] == []

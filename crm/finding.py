"""Searching a creator's inbox: fans by name, and what was said, with the place where it was said."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crm.models import Conversation, Creator, Message
from crm.searching import QUERY_MAX, SearchText, are_rare, fold, words_of

FANS_SHOWN, MESSAGES_SHOWN = 10, 30
#: How much of a text is shown around the first word that was looked for.
BEFORE, AFTER = 40, 100
SEARCHED: SearchText = Message._meta.get_field("search_text")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; ``is_hit`` if it was looked for."""

    text: str
    is_hit: bool


@dataclass(frozen=True, slots=True)
class Said:
    message: Message
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Found:
    fans: Sequence[Conversation]
    said: Sequence[Said]
    has_more: bool


def find_in_inbox(creator: Creator, query: str) -> Found:
    """The creator's conversations with fans of these words, and messages that have all of them, the newest first.

    Words are compared as everywhere (``crm/searching.py``): any beginning, without case and accents. Mass messages are
    not searched.
    """
    query = _cleaned(query)
    terms = words_of(query)
    if not terms:
        return Found([], [], has_more=False)
    lookup = "has_rare_words" if are_rare(query, SEARCHED) else "has_words"
    messages = Message.objects.filter(creator=creator, **{f"search_text__{lookup}": query})
    # By its last change, which an index has for each creator: nearly the order of time, and never a sort of all hits.
    latest = list(messages.select_related("conversation__fan").order_by("-seq")[: MESSAGES_SHOWN + 1])
    shown = sorted(latest[:MESSAGES_SHOWN], key=lambda message: message.send_at, reverse=True)
    said = [Said(message, list(excerpt(message.text, terms))) for message in shown]
    return Found(fans_named(creator, query), said, has_more=len(latest) > MESSAGES_SHOWN)


def fans_named(creator: Creator, query: str) -> list[Conversation]:
    """The creator's conversations with fans of these words, the first ten."""
    query = _cleaned(query)
    if not words_of(query):
        return []
    talks = Conversation.objects.filter(creator=creator, fan__search_text__has_words=query)
    return list(talks.select_related("fan").order_by("-last_message_at", "-id")[:FANS_SHOWN])


def _cleaned(query: str) -> str:
    return query[:QUERY_MAX].replace("\0", "")


def excerpt(text: str, terms: Sequence[str]) -> Iterator[Piece]:
    """What stands around the first of the words, each of them marked; one line."""
    text = " ".join(text.split())
    hits = [match for match in _WORD.finditer(text) if fold(match[0]).startswith(tuple(terms))]
    start = hits[0].start() - BEFORE if hits else 0
    start = text.index(" ", start) + 1 if start > 0 and " " in text[start : hits[0].start()] else max(0, start)
    end = min(len(text), (hits[0].end() if hits else 0) + AFTER)
    at = start
    if start:
        yield Piece("…", is_hit=False)
    for hit in hits:
        if hit.end() <= end:
            yield Piece(text[at : hit.start()], is_hit=False)
            yield Piece(hit[0], is_hit=True)
            at = hit.end()
    yield Piece(text[at:end] + ("…" if end < len(text) else ""), is_hit=False)

"""What was kept in English is read in the reader's language."""

import pytest
from django.utils import translation

from crm.causes import CONNECTION_LOST, MEDIA_NOT_UPLOADED, NO_ANSWER, ONLY_A_STATUS, WITH_GAPS, said


@pytest.mark.parametrize(
    ("kept", "french"),
    [
        ("Cancelled before it was sent.", "Annulé avant l’envoi."),
        (ONLY_A_STATUS % {"status": 502}, "Le fournisseur a répondu 502."),
        (
            CONNECTION_LOST % {"why": "The platform asks for a face check."},
            "La connexion au compte est perdue\u00a0: La plateforme demande une vérification du visage.",
        ),
        (
            MEDIA_NOT_UPLOADED % {"why": NO_ANSWER % {"seconds": "15"}},
            "Les médias n’ont pas pu être téléversés\u00a0: Le fournisseur n’a pas répondu en 15 secondes.",
        ),
    ],
)
def test_our_own_words_are_said_in_the_language_of_whoever_reads_them(kept: str, french: str) -> None:
    with translation.override("en"):
        assert said(kept) == kept
    with translation.override("fr"):
        assert said(kept) == french


@pytest.mark.parametrize("sentence", WITH_GAPS)
def test_every_sentence_with_gaps_is_known_again_once_they_are_filled(sentence: str) -> None:
    gaps = {
        name: f"<{name}>"
        for name in ("why", "number", "id", "seconds", "status", "failed", "settled", "user", "moment")
    }
    with translation.override("fr"):
        assert said(sentence % gaps) == translation.gettext(sentence) % gaps != sentence % gaps


@pytest.mark.parametrize("words", ["", "Holiday until Monday: 100 % off\nBack then", '{"error": "%(why)s"}'])
def test_what_people_or_the_platform_said_stays_as_it_is(words: str) -> None:
    with translation.override("fr"):
        assert said(words) == words

"""Secrets at rest: what one key sealed for one place opens there and nowhere else."""

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from crm.keyring import CannotOpen, key_ids, new_key, open_sealed, seal

PLACE = "onlyfans_connection.api_key.1"


def entry(key_id: str, letter: str) -> str:
    """A keyring entry whose key is ``letter``, 32 times."""
    return f"{key_id}:{base64.b64encode(32 * letter.encode()).decode()}"


@pytest.fixture(autouse=True)
def keyring(settings: Settings) -> None:
    settings.HUNTAZE_KEYRING = entry("old", "a")


class TestSealAndOpen:
    @pytest.mark.parametrize("secret", ["sk_live_1", "пароль 🔑", "", "x" * 10_000])
    def test_what_was_sealed_opens(self, secret: str) -> None:
        assert open_sealed(seal(secret, context=PLACE), context=PLACE) == secret

    def test_the_sealed_value_names_its_key_and_shows_nothing_of_the_secret(self) -> None:
        sealed = seal("sk_live_1", context=PLACE)

        assert sealed.startswith("old:")
        assert "sk_live_1" not in sealed
        assert b"sk_live_1" not in base64.b64decode(sealed.removeprefix("old:"))

    def test_the_same_secret_is_sealed_differently_each_time(self) -> None:
        assert seal("sk_live_1", context=PLACE) != seal("sk_live_1", context=PLACE)

    def test_another_place_does_not_open_it(self) -> None:
        sealed = seal("sk_live_1", context=PLACE)

        for elsewhere in ("onlyfans_connection.api_key.2", "onlyfans_connection.webhook_secret.1", ""):
            with pytest.raises(CannotOpen):
                open_sealed(sealed, context=elsewhere)

    def test_a_changed_value_does_not_open(self) -> None:
        raw = bytearray(base64.b64decode(seal("sk_live_1", context=PLACE).removeprefix("old:")))

        for position in range(len(raw)):
            changed = bytes([*raw[:position], raw[position] ^ 1, *raw[position + 1 :]])
            with pytest.raises(CannotOpen):
                open_sealed(f"old:{base64.b64encode(changed).decode()}", context=PLACE)

    @pytest.mark.parametrize("value", ["", "old", "old:", "old:AAAA", "old:not base64", "old:é", ":", "sk_live_1"])
    def test_what_was_never_sealed_does_not_open(self, value: str) -> None:
        with pytest.raises(CannotOpen):
            open_sealed(value, context=PLACE)

    def test_a_refusal_repeats_neither_the_secret_nor_the_sealed_value(self) -> None:
        sealed = seal("sk_live_1", context=PLACE)

        with pytest.raises(CannotOpen) as refused:
            open_sealed(sealed, context="elsewhere")

        assert sealed not in str(refused.value)
        assert "sk_live_1" not in str(refused.value)


class TestRotation:
    def test_the_old_key_still_opens_and_the_new_one_seals(self, settings: Settings) -> None:
        sealed_before = seal("sk_live_1", context=PLACE)
        settings.HUNTAZE_KEYRING = f"{entry('new', 'b')}, {entry('old', 'a')}"

        sealed_after = seal("sk_live_1", context=PLACE)

        assert sealed_after.startswith("new:")
        assert open_sealed(sealed_before, context=PLACE) == "sk_live_1"
        assert open_sealed(sealed_after, context=PLACE) == "sk_live_1"

    def test_a_key_that_was_taken_away_opens_nothing(self, settings: Settings) -> None:
        sealed = seal("sk_live_1", context=PLACE)
        settings.HUNTAZE_KEYRING = entry("new", "b")

        with pytest.raises(CannotOpen):
            open_sealed(sealed, context=PLACE)

    def test_another_key_under_the_same_id_opens_nothing(self, settings: Settings) -> None:
        sealed = seal("sk_live_1", context=PLACE)
        settings.HUNTAZE_KEYRING = entry("old", "b")

        with pytest.raises(CannotOpen):
            open_sealed(sealed, context=PLACE)


class TestKeyring:
    def test_a_new_key_is_an_entry_of_the_keyring(self, settings: Settings) -> None:
        settings.HUNTAZE_KEYRING = new_key()

        assert open_sealed(seal("sk_live_1", context=PLACE), context=PLACE) == "sk_live_1"
        assert new_key() != new_key()

    def test_names_its_keys_the_one_that_seals_first(self, settings: Settings) -> None:
        settings.HUNTAZE_KEYRING = f"{entry('new', 'b')},{entry('old', 'a')},"

        assert key_ids() == ["new", "old"]

    @pytest.mark.parametrize(
        "keyring",
        [
            "",
            " , ",
            "nonsense",
            "k1:",
            "k1:AAAA",
            "k1:not base64",
            "k1:é",
            entry("", "a"),
            entry("k1", "a") + ",k2:AAAA",
            f"{entry('k1', 'a')},{entry('k1', 'b')}",
        ],
    )
    def test_fails_closed_when_it_is_empty_or_malformed(self, keyring: str, settings: Settings) -> None:
        sealed = seal("sk_live_1", context=PLACE)
        settings.HUNTAZE_KEYRING = keyring

        with pytest.raises(ImproperlyConfigured):
            seal("sk_live_1", context=PLACE)
        with pytest.raises(ImproperlyConfigured):
            open_sealed(sealed, context=PLACE)

    def test_a_complaint_shows_no_key(self, settings: Settings) -> None:
        good = entry("k1", "a")
        settings.HUNTAZE_KEYRING = f"{good},{good}"

        with pytest.raises(ImproperlyConfigured) as refused:
            key_ids()

        assert good.removeprefix("k1:") not in str(refused.value)

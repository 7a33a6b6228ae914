"""The names that Django makes of models and fields, and that the admin shows."""

import pytest
from django.apps import apps
from django.utils import translation

from crm.models import Conversation, Fan, Message
from crm.naming import names
from onlyfans.models import Connection


def test_models_and_fields_have_their_names_in_the_readers_language() -> None:
    with translation.override("fr"):
        assert str(Fan._meta.verbose_name_plural) == "fans"
        assert str(Message._meta.get_field("send_at").verbose_name) == "envoi prévu le"
        assert str(Conversation._meta.get_field("unread_count").verbose_name) == "nombre de non-lus"
        assert str(Connection._meta.verbose_name) == "connexion"
    with translation.override("en"):
        assert str(Message._meta.get_field("send_at").verbose_name) == "send at"
        assert str(Conversation._meta.verbose_name_plural) == "conversations"


@pytest.mark.parametrize("app", ["crm", "onlyfans"])
def test_every_name_is_one_that_the_catalogue_is_told(app: str) -> None:
    told = set(names(app))

    for model in apps.get_app_config(app).get_models():
        for field in [*model._meta.local_fields, *model._meta.local_many_to_many]:
            assert field._verbose_name is not None or field.name.replace("_", " ") in told  # type: ignore[attr-defined]


def test_no_migration_comes_of_a_translation() -> None:
    _name, _path, _arguments, options = Fan._meta.get_field("last_seen_at").deconstruct()

    assert "verbose_name" not in options
    assert "verbose_name" not in Fan._meta.original_attrs

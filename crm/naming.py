"""Models and their fields in the reader's language, for the admin and the forms made from them.

Django makes a name from each class and attribute. That English name is the message, too, so it stands nowhere a second
time: ``tests/catalogue.py`` puts it into the catalogue. What has a ``verbose_name`` of its own keeps it.
"""

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field, Model
from django.utils.translation import gettext_lazy


def translate_names(app: str) -> None:
    """To be called where all of an app's models have been made, before a form is made from one."""
    for model in _models(app):
        for attribute, plain in _made_names(model):
            setattr(model._meta, attribute, gettext_lazy(plain))
        for field in _made_fields(model):
            field.verbose_name = gettext_lazy(str(field.verbose_name))


def names(app: str) -> Iterator[str]:
    """In English, what ``translate_names`` translates."""
    for model in _models(app):
        yield from (plain for _attribute, plain in _made_names(model))
        yield from (field.name.replace("_", " ") for field in _made_fields(model))


def _models(app: str) -> Iterator[type[Model]]:
    return (model for model in apps.all_models[app].values() if not model._meta.auto_created)


def _made_names(model: type[Model]) -> Iterator[tuple[str, str]]:
    name = model._meta.verbose_name_raw
    for attribute, plain in (("verbose_name", name), ("verbose_name_plural", f"{name}s")):
        if attribute not in model._meta.original_attrs:
            yield attribute, plain


def _made_fields(model: type[Model]) -> "Iterator[Field[object, object]]":
    own = [*model._meta.local_fields, *model._meta.local_many_to_many]
    return (field for field in own if field._verbose_name is None)  # type: ignore[attr-defined]

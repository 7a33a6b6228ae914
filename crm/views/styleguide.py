"""Every component of the pages on one page, for whoever builds the next one. Only while DEBUG is on."""

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


class ExampleForm(forms.Form):
    """One field of each kind. What is written here is read by developers, so it isn't translated."""

    name = forms.CharField(max_length=200, help_text="A hint says what a good answer looks like.")
    price = forms.DecimalField(label="Price in US dollars", min_value=3, max_value=200, initial="2.50")
    status = forms.ChoiceField(choices=[("active", "Active"), ("expired", "Expired"), ("never", "Never subscribed")])
    starts = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), required=False)
    file = forms.FileField(required=False)
    text = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    sounds = forms.BooleanField(label="Play a sound when a fan answers", required=False, initial=True)
    undo = forms.ChoiceField(
        label="Undo a sent message for",
        choices=[("0", "Not at all"), ("5", "5 seconds"), ("10", "10 seconds")],
        widget=forms.RadioSelect,
        initial="5",
    )


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    themes = [(theme, _example(theme)) for theme in ("light", "dark")]
    return render(request, "styleguide/index.html", {"themes": themes})


def _example(theme: str) -> ExampleForm:
    """Filled in with one mistake, so that an error is seen, too."""
    answers = {"name": "Daniel", "price": "2.50", "status": "active", "sounds": "on", "undo": "5"}
    data = {f"{theme}-{name}": answer for name, answer in answers.items()}
    return ExampleForm(data, prefix=theme, auto_id="%s")

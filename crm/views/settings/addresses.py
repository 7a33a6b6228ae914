"""Back to a tab after something was done there."""

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from crm.models import Creator


def back_to(name: str, creator: Creator) -> HttpResponse:
    """The tab of this creator, whichever one another window looks at."""
    answer = redirect(f"{reverse(name)}?creator={creator.public_id}")
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer

"""Sign in, stay signed in, sign out: a short access token, and a refresh token that is good once."""

from datetime import UTC, datetime
from typing import Any

import structlog
from django.contrib.auth import authenticate
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from crm.api.authentication import SignInAgain
from crm.api.shapes import ProblemShape, Shape
from crm.models import TokenFamily, User

log = structlog.get_logger(__name__)


class WrongCredentials(SignInAgain):
    default_detail = _("No account with this name and password may sign in.")
    default_code = "wrong_credentials"


class CredentialsShape(Shape):
    example = {"username": "demo", "password": "demo-huntaze"}

    username = serializers.CharField(max_length=150, trim_whitespace=False)
    password = serializers.CharField(max_length=4096, trim_whitespace=False)


class RefreshShape(Shape):
    example = {"refresh": "eyJhbGciOi…"}

    refresh = serializers.CharField(max_length=2048)


class PairShape(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class NothingShape(serializers.Serializer[Any]):
    """An empty object."""


class SignIn(APIView):
    """POST: a pair of tokens for a name and a password."""

    authentication_classes = ()
    permission_classes = ()
    # Failures are counted where the password is looked at.
    throttle_classes = ()
    input_shape = CredentialsShape

    @extend_schema(responses={200: PairShape, 401: ProblemShape, 429: ProblemShape})
    def post(self, request: Request) -> Response:
        shape = CredentialsShape(data=request.data)
        shape.is_valid(raise_exception=True)
        user = authenticate(request._request, **shape.validated_data)
        if not isinstance(user, User):
            raise WrongCredentials
        token = RefreshToken()
        family = TokenFamily.begin(user, token_id=token["jti"], expires_at=_expiry(token))
        log.info("signed in", user=str(user.public_id), family=str(family.public_id))
        return Response(_pair(token, family))


class Refresh(APIView):
    """POST: a new pair for a refresh token. A token that comes a second time ends the sign-in."""

    authentication_classes = ()
    permission_classes = ()
    input_shape = RefreshShape

    @extend_schema(responses={200: PairShape, 401: ProblemShape})
    def post(self, request: Request) -> Response:
        used, family = _read(request)
        if not family.is_alive:
            raise SignInAgain
        token = RefreshToken()
        if not family.renew(token["jti"], by=used["jti"], expires_at=_expiry(token)):
            log.warning("a used refresh token came again", family=str(family.public_id))
            raise SignInAgain
        return Response(_pair(token, family))


class SignOut(APIView):
    """POST: the sign-in of this refresh token ends, with all its tokens."""

    authentication_classes = ()
    permission_classes = ()
    input_shape = RefreshShape

    @extend_schema(responses={200: NothingShape, 401: ProblemShape})
    def post(self, request: Request) -> Response:
        _used, family = _read(request)
        family.finish(TokenFamily.End.SIGNED_OUT)
        return Response({})


def _read(request: Request) -> tuple[RefreshToken, TokenFamily]:
    """The posted refresh token, which we signed and which has not expired, and its family. Raises SignInAgain."""
    shape = RefreshShape(data=request.data)
    shape.is_valid(raise_exception=True)
    try:
        token = RefreshToken(shape.validated_data["refresh"])
    except TokenError as error:
        raise SignInAgain from error
    family = TokenFamily.objects.select_related("user").filter(public_id=token.get("family")).first()
    if family is None:
        raise SignInAgain
    return token, family


def _pair(token: RefreshToken, family: TokenFamily) -> dict[str, str]:
    token["sub"], token["family"] = str(family.user.public_id), str(family.public_id)
    return {"access": str(token.access_token), "refresh": str(token)}


def _expiry(token: RefreshToken) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)

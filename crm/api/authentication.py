"""Who asks the API: an access token, a key, or a signed-in browser; and what a key is good for."""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import authentication, exceptions, permissions, status
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from crm.clock import database_now
from crm.models import ApiKey, TokenFamily, User
from crm.models.keys import BEGINNING

if TYPE_CHECKING:
    from rest_framework.views import APIView

BEARER = 'Bearer realm="api"'


class SignInAgain(exceptions.APIException):
    """No AuthenticationFailed: where nobody is authenticated, DRF would make it a 403."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("This token is not good, or not any more. Sign in again.")
    default_code = "sign_in_again"
    auth_header = BEARER


class KeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer hz_…``; ``request.auth`` is the key."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not secret.strip().startswith(BEGINNING):
            return None
        now = database_now()
        key = ApiKey.objects.with_secret(secret.strip(), now)
        if key is None:
            raise exceptions.AuthenticationFailed(_("This key is not known, has expired or was revoked."))
        key.used(now)
        key.user.only_creator_id = key.creator_id
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return BEARER


class TokenAuthentication(JWTAuthentication):
    """``Authorization: Bearer`` with an access token, which is good while its family is."""

    def get_user(self, validated_token: Any) -> Any:
        family = TokenFamily.objects.select_related("user").filter(public_id=validated_token.get("family")).first()
        if family is None or not family.is_alive:
            raise SignInAgain
        return family.user


class KeyIsGoodForThis(permissions.BasePermission):
    """A key needs ``read`` to look, and to change anything the view's ``key_scope``, which is ``write`` unless said.

    ``key_scope = None`` is never for a key. What its user may do at all, the ledger says.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        scope: str | None = getattr(view, "key_scope", ApiKey.Scope.WRITE)
        if scope is None:
            raise exceptions.PermissionDenied(_("This is for people, not for keys."))
        if request.method in permissions.SAFE_METHODS:
            scope = ApiKey.Scope.READ
        if scope not in request.auth.scopes:
            words = _("This key has no scope “%(scope)s”.") % {"scope": scope}
            raise exceptions.PermissionDenied(words)
        return True

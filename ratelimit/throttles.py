"""How often the API may be asked, and a sign-in tried: DRF throttles on the same bucket.

Rates have names (scopes) and stand in ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]``, for example ``"60/min"``: sixty at
once, then one more each second. An empty rate is no limit.

The policy: a throttle protects this server, no creator's account. When Redis does not answer, the request passes (fails
open), the log says so and ``huntaze_throttle_unavailable_total`` counts it. Attempts to sign in are counted a second
time, where neither a silent nor a flushed Redis makes anybody forget them.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property, partial
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Protocol, cast

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from prometheus_client import Counter
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from ratelimit.bucket import Bucket, Denied, GateUnavailable, Limit, State, Taken

if TYPE_CHECKING:
    from rest_framework.views import APIView

WRITES, ANONYMOUS = "writes", "anonymous"
SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS = "sign-in-account", "sign-in-address"
PERIODS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: A Redis that did not answer is left alone this long: if it is frozen, every question costs its whole timeout.
LEFT_ALONE_SECONDS = 1.0

UNAVAILABLE = Counter("huntaze_throttle_unavailable_total", "Requests not counted because Redis did not answer.")
log = structlog.get_logger(__name__)


class TooManyRequests(Throttled):
    """429: ``quota`` is used up, and will have a place again in ``wait`` seconds."""

    wait: int

    def __init__(self, quota: "Quota", wait: float) -> None:
        self.quota = quota
        super().__init__(wait=wait, detail=quota.in_words)

    @property
    def at_most(self) -> str:
        """The limit alone, for the words of a page."""
        limit = self.quota.limit
        words = {1: _("%(limit)d a second"), 60: _("%(limit)d a minute"), 3_600: _("%(limit)d an hour")}
        return words.get(int(limit.period), _("%(limit)d a day")) % {"limit": limit.limit}


@dataclass(frozen=True, slots=True)
class Quota:
    """What one caller (``subject``, such as ``user:12``) may do under the name ``scope``."""

    scope: str
    subject: str
    limit: Limit

    @property
    def key(self) -> str:
        return f"rl:{{{self.subject}}}:{self.scope}"

    @property
    def interval(self) -> timedelta:
        """Between two grants, once the burst is spent."""
        return timedelta(microseconds=self.limit.interval_us)

    @property
    def in_words(self) -> str:
        words = {
            1: _("At most %(limit)d requests a second (“%(scope)s”)."),
            60: _("At most %(limit)d requests a minute (“%(scope)s”)."),
            3_600: _("At most %(limit)d requests an hour (“%(scope)s”)."),
            86_400: _("At most %(limit)d requests a day (“%(scope)s”)."),
        }[int(self.limit.period)]
        return words % {"limit": self.limit.limit, "scope": self.scope}


@dataclass(frozen=True, slots=True)
class Charge:
    """One request counted; ``receipt`` gives it back."""

    quota: Quota
    receipt: Taken
    state: State


class BucketThrottle(BaseThrottle):
    """A user's writes, an anonymous caller's requests, and writes under the view's ``throttle_scope``: all or none.

    A view with ``throttled_within(request)`` has one count of its scope for each answer of it, an empty one included.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Raises TooManyRequests, which names the limit."""
        _spend(request._request, _quotas_of(request, view))
        return True


class Memory(Protocol):
    """Counts attempts to sign in beside Redis, by the same law: ``burst`` at once, then one each interval."""

    def take(self, subject: str, *, interval: timedelta, burst: int) -> float:
        """0, or the seconds until there is room; then nothing is counted."""

    def give_back(self, subject: str, *, interval: timedelta) -> None: ...


class SignInAttempt:
    """One attempt to sign in, counted by account and by address. ``succeeded`` takes it back: only failures count.

    Redis refuses first, so that a flood of attempts writes nothing into ``memory``.
    Raises TooManyRequests before anybody looks at the password.
    """

    def __init__(self, request: HttpRequest | Request, account: str, memory: Memory) -> None:
        # DRF hands on its own wrapper.
        self._request: HttpRequest = getattr(request, "_request", request)
        hashed = hashlib.sha256(account.casefold().encode(errors="replace")).hexdigest()[:32]
        quotas = _limited((SIGN_IN_ACCOUNT, f"account:{hashed}"), (SIGN_IN_ADDRESS, address_of(self._request)))
        self._memory = memory
        self._remembered: list[Quota] = []
        self._charges = _spend(self._request, quotas)
        for quota in quotas:
            if wait := memory.take(quota.subject, interval=quota.interval, burst=quota.limit.burst):
                self._take_back()
                _show(self._request, [], refused=quota, wait=wait)
                raise TooManyRequests(quota, wait)
            self._remembered.append(quota)

    def succeeded(self) -> None:
        _show(self._request, self._take_back())

    def _take_back(self) -> list[Charge]:
        for quota in self._remembered:
            self._memory.give_back(quota.subject, interval=quota.interval)
        return _give_back(self._charges)


@contextmanager
def counted(request: HttpRequest, scope: str, within: str = "") -> Iterator[None]:
    """What a page does under the limit that the API has by the name ``scope``. What is refused is not counted.

    ``within`` names what has a count of its own, as a view's ``throttled_within`` does.

    Raises TooManyRequests before it is begun.
    """
    charges = _spend(request, _limited((scope, _inside(f"user:{request.user.pk}", within))))
    try:
        yield
    except Exception:
        _show(request, _give_back(charges))
        raise


class RateLimitFields:
    """Middleware: what the throttles found goes into the answer, also into the good ones; pages get ``counted``.

    The fields are those of draft-ietf-httpapi-ratelimit-headers-10. A page that has said in words that it was too often
    becomes a 429 as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.counted = partial(counted, request)  # type: ignore[attr-defined]
        response = self._get_response(request)
        fields: dict[str, str] = getattr(request, "rate_limit_fields", {})
        for name, value in fields.items():
            response.headers[name] = value
        if "Retry-After" in fields and response.status_code in (200, 400):
            response.status_code = 429
        return response


def rate(text: str) -> Limit | None:
    """Read ``60/min``: requests per second, minute, hour or day; empty is no limit. Raises ImproperlyConfigured."""
    if not text:
        return None
    limit, _slash, period = text.partition("/")
    if not (limit.isdecimal() and int(limit) and period[:1] in PERIODS):
        raise ImproperlyConfigured(f"“{text}” is no rate. Write requests/period, for example 60/min, 5/hour, 100/day.")
    return Limit(int(limit), PERIODS[period[0]], burst=int(limit))


def address_of(request: HttpRequest | Request) -> str:
    """The subject of whoever is not signed in. An IPv6 network (/64) is one caller: a host there has any address."""
    address = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    try:
        known = ip_address(address)
    except ValueError:
        return f"address:{address}"
    if isinstance(known, IPv6Address) and not known.ipv4_mapped:
        return f"address:{IPv6Address(int(known) >> 64 << 64)}/64"
    return f"address:{getattr(known, 'ipv4_mapped', None) or known}"


def _quotas_of(request: Request, view: "APIView") -> list[Quota]:
    signed_in = request.user.is_authenticated
    subject = f"user:{request.user.pk}" if signed_in else address_of(request)
    wanted: list[tuple[str, str]] = []
    if request.method not in SAFE_METHODS:
        # The rarer one first: it is the one that refuses.
        if scope := getattr(view, "throttle_scope", None):
            within = view.throttled_within(request) if hasattr(view, "throttled_within") else ""
            wanted.append((scope, _inside(subject, within)))
        if signed_in:
            # A key of a program is counted by itself, so that its person's own writes pass whatever it does.
            wanted.append((WRITES, getattr(request.auth, "throttle_subject", subject)))
    if not signed_in:
        wanted.append((ANONYMOUS, subject))
    return _limited(*wanted)


def _inside(subject: str, within: str) -> str:
    return f"{subject}:{within}" if within else subject


def _limited(*wanted: tuple[str, str]) -> list[Quota]:
    return [Quota(scope, subject, limit) for scope, subject in wanted if (limit := _limit_of(scope))]


def _limit_of(scope: str) -> Limit | None:
    rates = cast("dict[str, str]", api_settings.DEFAULT_THROTTLE_RATES)
    if scope not in rates:
        raise ImproperlyConfigured(f"DEFAULT_THROTTLE_RATES has no “{scope}”.")
    return rate(rates[scope])


class _Gate:
    """The buckets, and a breaker before them."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._left_alone_until = 0.0

    @cached_property
    def bucket(self) -> Bucket:
        """Raises GateUnavailable for an address that is none: the web is not where people learn of that."""
        try:
            return Bucket.at(self._endpoint)
        except ValueError as error:
            raise GateUnavailable(str(error)) from error

    @property
    def is_left_alone(self) -> bool:
        return time.monotonic() < self._left_alone_until

    def leave_alone(self) -> None:
        self._left_alone_until = time.monotonic() + LEFT_ALONE_SECONDS


@cache
def _gate_at(endpoint: str) -> _Gate:
    return _Gate(endpoint)


def _spend(request: HttpRequest, quotas: Sequence[Quota]) -> list[Charge]:
    """Charge every quota or none, and show them. Without Redis the answer is empty. Raises TooManyRequests."""
    charges: list[Charge] = []
    if not quotas:
        return charges
    gate = _gate_at(settings.REDIS_ENDPOINT)
    if gate.is_left_alone:
        UNAVAILABLE.inc()
        return charges
    try:
        for quota in quotas:
            answer = gate.bucket.take(quota.key, [quota.limit])
            if isinstance(answer, Denied):
                _give_back(charges)
                _show(request, [], refused=quota, wait=answer.retry_in)
                raise TooManyRequests(quota, answer.retry_in)
            assert isinstance(answer, Taken)
            charges.append(Charge(quota, answer, answer.state))
    except GateUnavailable as error:
        gate.leave_alone()
        UNAVAILABLE.inc()
        log.warning("throttles are out of reach, what asks them passes", error=str(error))
        return []
    _show(request, charges)
    return charges


def _give_back(charges: Sequence[Charge]) -> list[Charge]:
    """The same charges with what is left now. A token that cannot be given back flows back by itself."""
    after: list[Charge] = []
    for charge in charges:
        quota = charge.quota
        try:
            state = _gate_at(settings.REDIS_ENDPOINT).bucket.refund(quota.key, [quota.limit], charge.receipt)
        except GateUnavailable as error:
            log.warning("a request stays counted", error=str(error))
            return list(charges)
        after.append(Charge(quota, charge.receipt, state if isinstance(state, State) else charge.state))
    return after


def _show(request: HttpRequest, charges: Sequence[Charge], *, refused: Quota | None = None, wait: float = 0.0) -> None:
    """Leave the fields for the middleware: per quota its policy, what is left, seconds until there is more."""
    policies, left = [], []
    for charge in charges:
        policies.append(_policy(charge.quota))
        left.append(_left(charge))
    fields: dict[str, str] = {}
    if refused:
        seconds = math.ceil(wait)
        policies.append(_policy(refused))
        left.append(f'"{refused.scope}";r=0;t={seconds}')
        fields["Retry-After"] = str(seconds)
    fields |= {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
    request.rate_limit_fields = fields  # type: ignore[attr-defined]


def _policy(quota: Quota) -> str:
    return f'"{quota.scope}";q={quota.limit.limit};w={int(quota.limit.period)}'


def _left(charge: Charge) -> str:
    limit, state = charge.quota.limit, charge.state
    left = f'"{charge.quota.scope}";r={state.free}'
    if state.free >= limit.burst:
        return left
    more_in = state.full_in - (limit.burst - state.free - 1) * limit.interval_us / 1_000_000
    return f"{left};t={math.ceil(more_in)}"

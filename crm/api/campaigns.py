"""Campaigns: written, launched, stopped, and what became of every recipient."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as Refused
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import analytics, audiences, campaigning, listing, rehearsing
from crm.api.access import Creators, creators_of, found, one_creator, require_manager, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import ProblemShape, Shape, WaitingShape, WallTime, media_urls, page_of, paid_rules
from crm.campaigning import BULK_MAX
from crm.clock import database_now
from crm.forecast import ask_the_gate, completion
from crm.limiting import BULK, within
from crm.models import ApiKey, Attachment, Campaign, Creator, Fan, IllegalCampaignMove, Line, Message, Tally
from crm.models.campaigns import EXCLUDED, WAITING
from crm.models.messages import Status
from crm.paging import sortings
from crm.personalising import fill_in

STATES = [WAITING, EXCLUDED, *(state for state in Status.values if state != Status.RECEIVED)]


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class _Urls(serializers.ListField):
    def get_attribute(self, instance: Campaign) -> list[str]:
        urls: list[str] = self.context["urls"].get(instance.pk, [])
        return urls


class CampaignShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.SerializerMethodField("creator_id")
    name = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField()
    text = serializers.CharField()
    priceCents = serializers.IntegerField(source="price_cents")
    mediaUrls = _Urls(child=serializers.CharField())
    audience = serializers.JSONField()
    exclusions = serializers.JSONField()
    quietFrom = WallTime(source="quiet_from", allow_null=True)
    quietUntil = WallTime(source="quiet_until", allow_null=True)
    pauseAtErrorPercent = serializers.IntegerField(source="pause_at_error_percent")
    scheduledAt = serializers.DateTimeField(source="scheduled_at", allow_null=True)
    launchedAt = serializers.DateTimeField(source="launched_at", allow_null=True)
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    totalRecipients = serializers.SerializerMethodField("total_recipients")
    counts = serializers.SerializerMethodField(help_text="Recipients by state; they add up to totalRecipients.")

    def creator_id(self, campaign: Campaign) -> str:
        return str(self.context["creators"][campaign.creator_id].public_id)

    def total_recipients(self, campaign: Campaign) -> int:
        return sum(self._tallies(campaign).values())

    def get_counts(self, campaign: Campaign) -> dict[str, int]:
        return {state: number for state, number in self._tallies(campaign).items() if number}

    def _tallies(self, campaign: Campaign) -> dict[str, int]:
        tallies: dict[str, int] = self.context["tallies"].get(campaign.pk, {})
        return tallies


class EarnedShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    amountCents = serializers.IntegerField()


class CampaignInDetail(CampaignShape):
    estimatedCompletionTime = serializers.DateTimeField(allow_null=True)
    waiting = WaitingShape(allow_null=True)
    earnings = EarnedShape(many=True)
    purchases = serializers.IntegerField()


class CampaignValues(Shape):
    """What may be written of a campaign that has not begun. The ledger checks the rules."""

    example = {"name": "Sunday", "text": "Hello {name|there}!", "audience": {"rule": {"valueMin": 10000}}}
    rules = paid_rules(media="mediaUrls")

    name = serializers.CharField(max_length=Campaign.NAME_MAX)
    text = serializers.CharField(max_length=Message.TEXT_MAX, trim_whitespace=False)
    priceCents = serializers.IntegerField(
        source="price_cents", min_value=0, max_value=Message.PRICE_MAX_CENTS, default=0
    )
    mediaUrls = media_urls()
    audience = serializers.DictField(default=dict, help_text="One of segment, rule, fans.")
    exclusions = serializers.DictField(
        default=dict, help_text="segments, messagedWithinHours, alreadyBought, frequencyCap."
    )
    quietFrom = WallTime(
        source="quiet_from", allow_null=True, required=False, help_text="Not said: the creator's; null: none."
    )
    quietUntil = WallTime(source="quiet_until", allow_null=True, required=False)
    pauseAtErrorPercent = serializers.IntegerField(
        source="pause_at_error_percent", min_value=1, max_value=100, default=10
    )
    scheduledAt = serializers.DateTimeField(source="scheduled_at", allow_null=True, default=None)


class NewCampaign(CampaignValues):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)


class CampaignQuery(ListQuery):
    sortings = sortings(createdAt="created_at")
    default_sort = "-createdAt"

    creatorId = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=Campaign.Status.choices, required=False)


class CampaignList(APIView):
    """GET: the campaigns of the user's creators. POST: write one down; nothing is sent before its launch."""

    input_shape = NewCampaign

    @extend_schema(parameters=[CampaignQuery], responses={200: page_of(CampaignShape)})
    def get(self, request: Request) -> Response:
        query = CampaignQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        campaigns = Campaign.objects.filter(creator__in=list(creators))
        if wanted := query.get("status"):
            campaigns = campaigns.filter(status=wanted)
        return query.reply(request, campaigns, lambda rows: _shown(rows, creators))

    @extend_schema(responses={201: CampaignInDetail})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewCampaign(data=request.data)
        shape.is_valid(raise_exception=True)
        written = shape.validated_data
        creator = one_creator(request, written.pop("creator"))
        require_manager(request, creator.pk)
        campaign = campaigning.draft(creator, author=user_of(request), **written)
        return Response(_in_detail(campaign), status=status.HTTP_201_CREATED)


class CampaignDetail(APIView):
    """GET: one campaign and when it will be done. PATCH: what is named, before it begins. DELETE: a draft."""

    input_shape = CampaignValues

    @extend_schema(responses={200: CampaignInDetail})
    def get(self, request: Request, campaign_id: str) -> Response:
        return Response(_in_detail(_find(request, campaign_id)))

    @extend_schema(responses={200: CampaignInDetail, 409: ProblemShape})
    def patch(self, request: Request, campaign_id: str) -> Response:
        campaign = _find_to_decide(request, campaign_id)
        shape = CampaignValues(data=request.data, partial=True)
        shape.is_valid(raise_exception=True)
        _decide(lambda: campaigning.change(campaign, **shape.validated_data))
        return Response(_in_detail(campaign))

    @extend_schema(responses={204: None, 409: ProblemShape})
    def delete(self, request: Request, campaign_id: str) -> Response:
        campaign = _find_to_decide(request, campaign_id)
        _decide(lambda: campaigning.discard(campaign))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CampaignAct(APIView):
    """One decision about a campaign. The reply is the campaign as it is then; 409 when its state forbids it."""

    act: Callable[[Campaign], object]
    input_shape = CampaignValues
    key_scope = ApiKey.Scope.SEND

    @extend_schema(request=None, responses={200: CampaignInDetail, 409: ProblemShape})
    def post(self, request: Request, campaign_id: str) -> Response:
        campaign = _find_to_decide(request, campaign_id)
        try:
            _decide(lambda: self.act(campaign))
        except Refused as error:
            # The request says nothing that could be wrong: what was written down before is.
            raise Conflict(" ".join(error.messages)) from error
        return Response(_in_detail(campaign))


class CampaignLaunch(CampaignAct):
    """POST: freeze the audience and go, or wait for the time it is scheduled at."""

    throttle_scope = BULK
    act = staticmethod(campaigning.launch)

    def throttled_within(self, request: Request) -> str:
        return within(_find(request, self.kwargs["campaign_id"]).creator)


class CampaignPause(CampaignAct):
    """POST: no message of it begins to be sent after this."""

    act = staticmethod(campaigning.pause)


class CampaignResume(CampaignAct):
    """POST: go on where it stopped."""

    act = staticmethod(campaigning.resume)


class CampaignCancel(CampaignAct):
    """POST: nobody who has not got it will get it."""

    act = staticmethod(campaigning.cancel)


class CampaignRetry(CampaignAct):
    """POST: let everything of it that failed wait again."""

    act = staticmethod(campaigning.retry_failed)


class CampaignUnschedule(CampaignAct):
    """POST: a scheduled one is a draft again, at no time."""

    act = staticmethod(campaigning.back_to_draft)


class CampaignCopy(APIView):
    """POST: a new draft that says the same to the same audience."""

    input_shape = None

    @extend_schema(request=None, responses={201: CampaignInDetail, 400: ProblemShape})
    @idempotent
    def post(self, request: Request, campaign_id: str) -> Response:
        campaign = _find_to_decide(request, campaign_id)
        written = campaigning.copy(campaign, author=user_of(request))
        return Response(_in_detail(written), status=status.HTTP_201_CREATED)


class RehearsalShape(Shape):
    example = {"recipientIds": ["fan_123"]}

    recipientIds = serializers.ListField(
        source="fans", child=serializers.CharField(max_length=120), min_length=1, max_length=rehearsing.FANS_MAX
    )


class RehearsedShape(serializers.Serializer[Any]):
    messageIds = serializers.ListField(child=serializers.UUIDField())


class CampaignTest(APIView):
    """POST: send it to a few fans now, marked TEST. It counts for nothing."""

    input_shape = RehearsalShape
    key_scope = ApiKey.Scope.SEND

    @extend_schema(responses={202: RehearsedShape})
    @idempotent
    def post(self, request: Request, campaign_id: str) -> Response:
        campaign = _find_to_decide(request, campaign_id)
        shape = RehearsalShape(data=request.data)
        shape.is_valid(raise_exception=True)
        fans = _all_of(campaign.creator, shape.validated_data["fans"])
        sent = rehearsing.rehearse(campaign, fans, author=user_of(request))
        return Response({"messageIds": [message.public_id for message in sent]}, status=status.HTTP_202_ACCEPTED)


class PreviewShape(Shape):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)
    text = serializers.CharField(max_length=Message.TEXT_MAX, trim_whitespace=False, default="", allow_blank=True)
    mediaUrls = media_urls()
    audience = serializers.DictField()
    exclusions = serializers.DictField(default=dict)


class PreviewedFanShape(serializers.Serializer[Any]):
    fanId = serializers.UUIDField()
    name = serializers.CharField()
    text = serializers.CharField()


class PreviewedShape(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    reached = serializers.IntegerField()
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by reason.")
    sample = PreviewedFanShape(many=True)


class CampaignPreview(APIView):
    """POST: what launching would do now: how many fans, who is left out and why, and how some would read it."""

    input_shape = PreviewShape
    key_scope = ApiKey.Scope.READ

    @extend_schema(responses={200: PreviewedShape})
    def post(self, request: Request) -> Response:
        shape = PreviewShape(data=request.data)
        shape.is_valid(raise_exception=True)
        asked = shape.validated_data
        creator = one_creator(request, asked["creator"])
        audience = audiences.read(creator, asked["audience"], asked["exclusions"], media_urls=asked["media_urls"])
        seen = audiences.preview(audience, now=database_now())
        sample = [
            {"fanId": fan.public_id, "name": fan.display_name, "text": fill_in(asked["text"], fan)}
            for fan in seen.sample
        ]
        return Response({"total": seen.total, "reached": seen.reached, "excluded": seen.excluded, "sample": sample})


class RecipientShape(RowShape):
    fanId = serializers.UUIDField(
        source="fan.public_id", default=None, allow_null=True, help_text="Null: the person was erased."
    )
    name = serializers.CharField(source="fan.display_name", default="")
    handle = serializers.CharField(source="fan.handle", default="")
    state = serializers.CharField()
    excluded = serializers.CharField(help_text="Why this fan is left out.")
    messageId = serializers.UUIDField(source="message.public_id", default=None, allow_null=True)
    cause = serializers.CharField(source="message.cause", default="")
    sentAt = serializers.DateTimeField(source="message.sent_at", default=None, allow_null=True)
    purchasedAt = serializers.DateTimeField(source="message.purchased_at", default=None, allow_null=True)


class RecipientQuery(ListQuery):
    sortings = listing.RECIPIENTS
    default_sort = "id"

    state = serializers.ChoiceField(choices=STATES, required=False)


class CampaignRecipients(APIView):
    """GET: every recipient of a launched campaign and what became of it."""

    @extend_schema(parameters=[RecipientQuery], responses={200: page_of(RecipientShape)})
    def get(self, request: Request, campaign_id: str) -> Response:
        campaign = _find(request, campaign_id)
        query = RecipientQuery.of(request)
        state = query.get("state") or ""
        chosen = campaign.recipients.in_state(state) if state else campaign.recipients.all()
        return query.reply_by(
            request,
            partial(listing.recipients, campaign, state=state),
            lambda rows: list(RecipientShape(rows, many=True).data),
            total=chosen.count,
        )


class BulkShape(Shape):
    example = {"recipientIds": ["fan_123"], "content": "Hello!"}
    rules = paid_rules(media="mediaUrls")

    recipientIds = serializers.ListField(
        source="audience", child=serializers.CharField(max_length=64), min_length=1, max_length=BULK_MAX
    )
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)
    content = serializers.CharField(source="text", max_length=Message.TEXT_MAX, trim_whitespace=False)
    mediaUrls = media_urls()
    priceCents = serializers.IntegerField(
        source="price_cents", min_value=0, max_value=Message.PRICE_MAX_CENTS, default=0
    )
    campaignName = serializers.CharField(source="name", max_length=Campaign.NAME_MAX, default="")


class BulkSentShape(serializers.Serializer[Any]):
    campaignId = serializers.UUIDField()
    totalRecipients = serializers.IntegerField()
    queued = serializers.IntegerField()
    estimatedCompletionTime = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=Campaign.Status.values)


class BulkSend(APIView):
    """POST: one message to 1 to 100 fans, all of them or none, at the creator's pace."""

    input_shape = BulkShape
    throttle_scope = BULK
    key_scope = ApiKey.Scope.SEND
    is_idempotent = True

    def throttled_within(self, request: Request) -> str:
        return within(_sole_creator(request))

    @extend_schema(responses={202: BulkSentShape})
    def post(self, request: Request) -> Response:
        shape = BulkShape(data=request.data)
        shape.is_valid(raise_exception=True)
        written = shape.validated_data
        creator = one_creator(request, written.pop("creator"))
        require_manager(request, creator.pk)
        # The gate is asked outside of the transaction, which may hold locks.
        line = Line.objects.select_related("creator").filter(creator=creator).first() or Line(creator=creator)
        return self._send(request, creator, written, opens_in=ask_the_gate(line, database_now()))

    @idempotent
    def _send(self, request: Request, creator: Creator, written: dict[str, Any], *, opens_in: float | None) -> Response:
        fans = _all_of(creator, written.pop("audience"))
        written["name"] = written["name"] or _("Bulk message to %(number)d fans") % {"number": len(fans)}
        with transaction.atomic():
            campaign = campaigning.send_to(creator, fans, author=user_of(request), **written)
        detail = _in_detail(campaign, opens_in=lambda _line, _now: opens_in)
        return Response(
            {
                "campaignId": campaign.public_id,
                "totalRecipients": detail["totalRecipients"],
                "queued": sum(detail["counts"].get(state, 0) for state in (WAITING, Status.QUEUED)),
                "estimatedCompletionTime": detail["estimatedCompletionTime"],
                "status": campaign.status,
            },
            status=status.HTTP_202_ACCEPTED,
        )


def _all_of(creator: Creator, wanted: Sequence[str], field: str = "recipientIds") -> list[Fan]:
    """The creator's fans by platform id, our UUID or handle, each once. Raises 400 naming those that are not there."""
    fans, missing = audiences.named(creator, wanted)
    if missing:
        words = _("No fans of this creator: %(ids)s") % {"ids": ", ".join(missing)}
        raise exceptions.ValidationError({field: words})
    return fans


def _sole_creator(request: Request) -> Creator | None:
    """Whom a bulk send is for, before its body is checked; None when that will refuse it."""
    named = request.data.get("creatorId") if isinstance(request.data, Mapping) else None
    try:
        creators = list(creators_of(request, UUID(str(named)) if named else None).values())
    except ValueError:
        return None
    return creators[0] if len(creators) == 1 else None


def _find(request: Request, campaign_id: str) -> Campaign:
    return found(Campaign.objects.for_user(request.user).select_related("creator"), campaign_id)


def _find_to_decide(request: Request, campaign_id: str) -> Campaign:
    campaign = _find(request, campaign_id)
    require_manager(request, campaign.creator_id)
    return campaign


def _decide(act: Callable[[], object]) -> None:
    try:
        act()
    except IllegalCampaignMove as error:
        raise Conflict(str(error)) from error


def _shown(campaigns: Sequence[Campaign], creators: Creators) -> list[dict[str, Any]]:
    """One query for all their tallies and one for their media; prefetched rows would cost more than the campaigns."""
    keys = [campaign.pk for campaign in campaigns]
    tallies: dict[int, dict[str, int]] = {}
    for key, state, number in Tally.objects.filter(campaign__in=keys).values_list("campaign", "state", "number"):
        tallies.setdefault(key, {})[state] = number
    urls: dict[int, list[str]] = {}
    attached = Attachment.objects.filter(campaign__in=keys).order_by("position")
    for key, url in attached.values_list("campaign", "url"):
        urls.setdefault(key, []).append(url)
    context = {"creators": creators, "tallies": tallies, "urls": urls}
    return list(CampaignShape(campaigns, many=True, context=context).data)


def _in_detail(
    campaign: Campaign, *, opens_in: Callable[[Line, datetime], float | None] = ask_the_gate
) -> dict[str, Any]:
    """With when it will be done, why it waits, and what it earned, by currency."""
    [shown] = _shown([campaign], {campaign.creator_id: campaign.creator})
    expected = completion(campaign, opens_in=opens_in)
    at = serializers.DateTimeField().to_representation(expected.at) if expected and expected.at else None
    return shown | {
        "estimatedCompletionTime": at,
        "waiting": {"code": expected.reason, "words": expected.words} if expected else None,
        "earnings": [
            {"currency": money.currency, "amountCents": money.amount_cents}
            for money in analytics.earned([campaign]).get(campaign.pk, ())
        ],
        "purchases": analytics.purchases([campaign]).get(campaign.pk, 0),
    }

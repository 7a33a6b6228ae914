"""What must be true after every fault. The oracle is the platform's own ledger, never our database."""

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from crm.clock import database_now
from crm.models import Campaign, Conversation, Line, Tally
from crm.models.campaigns import WAITING, CampaignStatus
from crm.models.messages import IN_FLIGHT, ON_THE_PLATFORM, Direction, Status
from crm.pace import pace_of
from crm.tests.factories import PASSWORD
from tests.faults.scene import CANARY, WEBHOOK_SECRET, Scene
from tests.faults.stage import API_KEY, TIMES, VISIBILITY_SECONDS, until

#: I1: all is settled within two visibility timeouts and a minute.
SETTLED_WITHIN = 2 * VISIBILITY_SECONDS + 60
#: What a call may come late at the platform, against the token that it was given.
JITTER = timedelta(seconds=0.35)
MUST_NOT_BE_LOGGED = (CANARY, WEBHOOK_SECRET, API_KEY, "Bearer ey", PASSWORD, "csrftoken=", "sessionid=")


def check_invariants(scene: Scene) -> None:
    """I1 to I5 and I8, and that nobody was sent more than their pace allows. Fails with the first that is broken."""
    nothing_is_lost(scene)
    nothing_is_doubled(scene)
    books_balance(scene)
    dead_letters_are_explained(scene)
    nothing_is_stuck(scene)
    nothing_was_too_fast(scene)
    nothing_private_is_logged(scene)


def nothing_is_lost(scene: Scene) -> None:
    """I1: what was accepted ends in one terminal state, and in the one that the scenario explains."""

    def ends() -> Counter[str]:
        statuses = scene.messages.values_list("status", flat=True)
        return Counter(Status.SENT if status in ON_THE_PLATFORM else status for status in statuses)

    expected: Counter[str] = Counter(scene.ends)
    expected[Status.SENT] = len(scene.accepted) - sum(scene.ends.values())
    try:
        until(lambda: ends() == +expected, SETTLED_WITHIN, "all is settled")
    except AssertionError:
        causes = Counter(scene.messages.values_list("status", "cause_code"))
        lines = list(Line.objects.filter(creator__in=scene.creators).values_list("hold_cause", "paused_reason")[:5])
        raise AssertionError(f"I1: {dict(expected)} was expected, and there is {causes}; lines: {lines}") from None
    assert set(scene.messages.values_list("public_id", flat=True)) == scene.accepted, "I1: rows came or went"


def nothing_is_doubled(scene: Scene) -> None:
    """I2: at most one entry of the ledger for a message, and one for each that we call sent, under its very id."""
    entries = scene.on_the_platform()
    times = Counter(entry["text"] for entry in entries)
    doubled = {text: count for text, count in times.items() if count > 1}
    assert not doubled, f"I2: sent more than once: {doubled}"
    sent = dict(scene.messages.filter(status__in=ON_THE_PLATFORM).values_list("text", "platform_id"))
    on_the_platform = {entry["text"]: entry["message_id"] for entry in entries}
    assert sent.items() <= on_the_platform.items(), "I2: called sent, and the platform does not have it as that"
    nobody_knows = set(scene.messages.filter(status=Status.NEEDS_PERSON).values_list("text", flat=True))
    unexplained = set(on_the_platform) - set(sent) - nobody_knows - scene.known_to_the_platform
    assert not unexplained, f"I2: the platform has what we say was never sent: {unexplained}"


def books_balance(scene: Scene) -> None:
    """I3: every stored counter equals a recount, and states add up to the audience."""
    conversations = Conversation.objects.filter(creator__in=scene.creators)
    received = Count("messages", filter=Q(messages__direction=Direction.IN))
    wrong = conversations.annotate(received=received).exclude(unread_count=F("received"))
    assert not wrong, f"I3: unread counts are wrong: {list(wrong)}"
    for campaign in Campaign.objects.filter(creator__in=scene.creators):
        recount = Counter(campaign.messages.values_list("status", flat=True))
        never_written = Status.CANCELLED if campaign.status == CampaignStatus.CANCELLED else WAITING
        recount[never_written] += campaign.recipients.filter(message__isnull=True, excluded="").count()
        told = Counter(Tally.objects.of(campaign.pk))
        assert +told == +recount, f"I3: the campaign says {told}, a recount {recount}"
        assert told.total() == campaign.recipients.count(), "I3: the audience is not what was frozen"


def dead_letters_are_explained(scene: Scene) -> None:
    """I4: the dead-letter queue holds what the scenario explains, and nothing more."""
    letters = scene.stage.depth(scene.stage.dlq_url)
    assert letters == scene.dead_letters, f"I4: {letters} dead letters, {scene.dead_letters} are explained"


def nothing_is_stuck(scene: Scene) -> None:
    """I5: no lease older than twice its length, and nothing that is due waits for more than a minute."""
    now = database_now()
    old = now - 2 * timedelta(seconds=float(TIMES["HAND_OVER_LEASE_SECONDS"]))
    assert not scene.messages.filter(status__in=IN_FLIGHT, lease_until__lt=old).exists(), "I5: an old lease"
    due = scene.messages.waiting().filter(due_at__lt=now - timedelta(minutes=1), creator__line__paused_at__isnull=True)
    assert not due.exists(), "I5: due for more than a minute"


def nothing_was_too_fast(scene: Scene) -> None:
    """The law of the pace, as the platform saw it."""
    for creator in scene.creators:
        pace = pace_of(creator.pace)[0]
        entries = scene.stage.ledger.of(creator.connection.account_id)
        times = [datetime.fromisoformat(entry["time"]) for entry in entries]
        for first, beyond in zip(times, times[pace.limit + pace.burst - 1 :], strict=False):
            too_soon = timedelta(seconds=pace.period) - JITTER - (beyond - first)
            assert too_soon <= timedelta(), f"{creator}: too fast by {too_soon} at {beyond}"


def nothing_private_is_logged(scene: Scene) -> None:
    """I8: no message text, key, secret, token or cookie in any log of ours."""
    for part in scene.stage.product:
        said = part.log.read_text(errors="replace")
        leaked = [word for word in MUST_NOT_BE_LOGGED if word in said]
        assert not leaked, f"I8: the log of {part.name} has {leaked}"

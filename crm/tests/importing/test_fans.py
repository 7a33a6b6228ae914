"""What a list of fans does to the ledger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crm.clock import database_now
from crm.importing.running import work
from crm.models import Fan, FanTag, Import, ImportState, Tag, Transaction
from crm.tests.factories import make_creator, make_fan

pytestmark = pytest.mark.django_db

Run = Callable[..., Import]

HOUSE = (
    "Username,Display Name,Email,Subscription Tier,Total Spent,Last Seen\n"
    "@ava,Ava,ava@example.com,Gold,$500.00,2025-11-01\n"
    "bo,Bo,,,12,\n"
)


def counts(job: Import) -> tuple[int, int, int, int]:
    return job.created_count, job.updated_count, job.unchanged_count, job.skipped_count


def problems(job: Import) -> list[tuple[int, str]]:
    return [(row, code) for chunk in job.chunks.all() for row, _line, _column, code, *_rest in chunk.errors]


def test_a_list_becomes_fans(imported: Run) -> None:
    creator = make_creator(timezone="Europe/Paris")

    job = imported(creator, HOUSE)

    assert (job.state, counts(job)) == (ImportState.DONE, (2, 0, 0, 0))
    ava = creator.fans.get(handle="ava")
    assert (ava.name, ava.email, ava.value_cents, ava.stated_value_cents) == ("Ava", "ava@example.com", 50_000, 50_000)
    assert ava.last_seen_at == datetime(2025, 10, 31, 23, tzinfo=UTC)
    assert not ava.is_reachable
    assert [tag.name for tag in ava.tags.all()] == ["Gold"]


def test_the_same_file_again_changes_nothing(imported: Run) -> None:
    creator = make_creator()
    imported(creator, HOUSE)

    again = imported(creator, HOUSE)

    assert counts(again) == (0, 0, 2, 0)
    assert (Fan.objects.count(), Tag.objects.count(), FanTag.objects.count()) == (2, 1, 1)
    assert again.seen_before is not None


def test_an_empty_cell_wipes_nothing(imported: Run) -> None:
    creator = make_creator()
    imported(creator, HOUSE)

    job = imported(creator, "Username,Display Name,Email,Total Spent\nAVA,,,\nbo,Robert,bo@example.com,20\n")

    assert counts(job) == (0, 1, 1, 0)
    ava, bo = creator.fans.get(handle="ava"), creator.fans.get(handle="bo")
    assert (ava.name, ava.email, ava.value_cents) == ("Ava", "ava@example.com", 50_000)
    assert (bo.name, bo.email, bo.value_cents) == ("Robert", "bo@example.com", 2_000)


def test_a_fan_known_by_username_gets_the_id_that_a_file_brings(imported: Run) -> None:
    creator = make_creator()
    known = make_fan(creator, platform_id="", handle="Ava", name="")

    job = imported(creator, "Fan ID,Username,Display Name\n9007199254740993,ava,Ava K\n")

    known.refresh_from_db()
    assert counts(job) == (0, 1, 0, 0)
    assert (known.platform_id, known.handle, known.name) == ("9007199254740993", "Ava", "Ava K")


def test_a_username_finds_who_has_got_an_id_meanwhile(imported: Run) -> None:
    creator = make_creator()
    imported(creator, HOUSE)
    creator.fans.filter(handle="ava").update(platform_id="77")

    assert counts(imported(creator, HOUSE)) == (0, 0, 2, 0)


def test_of_two_fans_with_one_username_a_file_must_say_which(imported: Run) -> None:
    creator = make_creator()
    make_fan(creator, platform_id="77", handle="ava")
    make_fan(creator, platform_id="78", handle="ava")

    job = imported(creator, "Username,Display Name\nava,Ava\n")

    assert (counts(job), problems(job)) == ((0, 0, 0, 1), [(2, "ambiguous_fan")])


def test_two_ids_never_get_the_one_row_of_a_username(imported: Run) -> None:
    creator = make_creator()
    make_fan(creator, platform_id="", handle="ava")

    job = imported(creator, "Fan ID,Username\n77,ava\n78,ava\n")

    assert counts(job) == (1, 1, 0, 0)
    assert set(creator.fans.values_list("platform_id", flat=True)) == {"77", "78"}


def test_one_fan_twice_in_a_file_is_said_and_the_first_row_counts(imported: Run) -> None:
    creator = make_creator()
    rows = "77,ava,Ava\n78,bo,Bo\n77,ava,Ava again\n,AVA,Ava a third time\n,cy,Cy\n,CY,Cy again\n"

    job = imported(creator, f"Fan ID,Username,Display Name\n{rows}")

    assert counts(job) == (3, 0, 0, 3)
    assert problems(job) == [(4, "duplicate"), (5, "duplicate"), (7, "duplicate")]
    assert set(creator.fans.values_list("name", flat=True)) == {"Ava", "Bo", "Cy"}


def test_repeats_are_found_however_far_apart(imported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.importing.running.CHUNK_ROWS", {"fans": 2})
    rows = "".join(f"{number % 5},fan{number % 5}\n" for number in range(9))

    job = imported(make_creator(), f"Fan ID,Username\n{rows}")

    assert counts(job) == (5, 0, 0, 4)


def test_moments_go_one_way(imported: Run) -> None:
    """A file of last month does not turn back when somebody was seen."""
    creator = make_creator()
    seen, joined = datetime(2025, 11, 20, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC)
    fan = make_fan(creator, handle="ava", last_seen_at=seen, joined_at=joined)

    header = "Username,Last seen,Joined\n"
    assert counts(imported(creator, header + "ava,2025-11-01,2025-06-01\n")) == (0, 0, 1, 0)
    assert counts(imported(creator, header + "ava,2025-11-21,2025-04-01\n")) == (0, 1, 0, 0)

    fan.refresh_from_db()
    assert fan.last_seen_at == seen + timedelta(days=1)
    assert fan.joined_at == datetime(2025, 4, 1, tzinfo=UTC)


def test_money_that_came_in_since_is_added_to_what_a_file_states(imported: Run) -> None:
    creator = make_creator()
    file = "Username,Total Spent\nava,100\n"
    imported(creator, file)
    fan = creator.fans.get()
    Transaction.objects.create(
        creator=creator,
        fan=fan,
        kind="tip",
        amount_cents=500,
        currency="USD",
        occurred_at=database_now() + timedelta(seconds=1),
        source="event",
        event_key="e1",
    )
    Transaction.objects.recount_fans([fan.pk])

    assert counts(imported(creator, file)) == (0, 0, 1, 0)
    fan.refresh_from_db()
    assert fan.value_cents == 10_500


def test_an_old_file_does_not_undo_what_an_event_told(imported: Run) -> None:
    creator = make_creator()
    file = "Username,Status\nava,active\n"
    imported(creator, file)
    fan = creator.fans.get()
    Fan.objects.filter(pk=fan.pk).learn_subscription("expired", as_of=database_now())

    assert counts(imported(creator, file)) == (0, 0, 1, 0)
    fan.refresh_from_db()
    assert fan.subscription == "expired"


def test_tags_are_added_and_never_taken(imported: Run) -> None:
    creator = make_creator()
    fan = make_fan(creator, handle="ava")
    fan.tags.add(Tag.objects.create(creator=creator, name="VIP"))

    job = imported(creator, "Username,Tags,Tier\nava,vip;night owl,Gold\n")

    assert counts(job) == (0, 1, 0, 0)
    assert sorted(tag.name for tag in fan.tags.all()) == ["Gold", "VIP", "night owl"]


def test_bad_rows_cost_only_themselves(imported: Run) -> None:
    job = imported(make_creator(), "Username,Email,Last seen\nava,x,2025-13-01\nbo,bo@example.com,2025-11-01\n")

    assert counts(job) == (1, 0, 0, 1)
    assert problems(job) == [(2, "bad_email"), (2, "bad_date")]


def test_another_creators_fans_are_not_touched(imported: Run) -> None:
    theirs = make_fan(make_creator(), platform_id="77", handle="ava", name="Theirs")
    creator = make_creator()

    assert counts(imported(creator, "Fan ID,Username,Display Name\n77,ava,Ours\n")) == (1, 0, 0, 0)
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_a_dry_run_counts_and_writes_nothing(accepted: Run) -> None:
    creator = make_creator()
    make_fan(creator, platform_id="77", handle="ava", name="Ava")
    make_fan(creator, platform_id="78", handle="bo", name="Bo")
    job = accepted(creator, "Fan ID,Display Name,Tags\n77,Ava,new\n78,Bo,\n79,Cy,vip\n80,Di,\n80,Di,\n")

    job.move(ImportState.CHECKING, now=database_now())
    work(job)

    assert (job.state, counts(job)) == (ImportState.CHECKED, (2, 1, 1, 1))
    assert creator.fans.count() == 2
    assert not Tag.objects.exists()
    assert problems(job) == [(6, "duplicate")]

"""Going on after a death, stopping, cancelling, and the way back."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from crm import campaigning
from crm.clock import database_now
from crm.erasing import erase_fan
from crm.importing import fans, running
from crm.importing.rows import Row
from crm.importing.running import work
from crm.models import Fan, IllegalImportMove, Import, ImportChunk, ImportState, Note, Tag, Transaction
from crm.tests.factories import make_conversation, make_creator, make_fan

Run = Callable[..., Import]

TEN = "Fan ID,Username,Total Spent,Tags\n" + "".join(f"{n},fan{n},{n}.50,vip\n" for n in range(1, 11))


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK_ROWS", {"fans": 3, "transactions": 3})


class Killed(BaseException):
    """As kill -9: nothing is caught, nothing is tidied up."""


@pytest.fixture
def dies_at_chunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The runner dies in the middle of its n-th chunk's transaction."""

    def arrange(number: int) -> None:
        write, calls = fans.write, iter(range(1, 100))

        def dying(*arguments: Any, **options: Any) -> fans.Outcome:
            outcome = write(*arguments, **options)
            if next(calls) == number:
                raise Killed
            return outcome

        monkeypatch.setattr(fans, "write", dying)

    return arrange


def start(job: Import) -> Import:
    job.move(ImportState.RUNNING, now=database_now())
    return job


@pytest.mark.django_db
@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_after_a_kill_the_next_runner_goes_on_and_doubles_nothing(
    accepted: Run, dies_at_chunk: Callable[[int], None], chunk: int
) -> None:
    creator = make_creator()
    job = start(accepted(creator, TEN + "11,fan11,x,\n1,fan1,1.50,\n"))
    dies_at_chunk(chunk)

    with pytest.raises(Killed):
        work(job)
    assert creator.fans.count() == (chunk - 1) * 3
    assert not work(job), "the dead runner's lease still holds"
    Import.objects.filter(pk=job.pk).update(lease_until=database_now() - timedelta(seconds=1))
    assert work(job)

    assert (job.state, job.rows_done) == (ImportState.DONE, 12)
    assert (job.created_count, job.unchanged_count, job.skipped_count) == (10, 0, 2)
    assert creator.fans.count() == 10
    assert sum(len(found.errors) for found in job.chunks.all()) == 2


@pytest.mark.django_db
def test_one_import_has_one_runner(accepted: Run) -> None:
    job = start(accepted(make_creator(), TEN))
    other = Import.objects.get(pk=job.pk)
    assert other.take(now=database_now())

    assert not work(job)


@pytest.mark.django_db
def test_a_runner_that_lost_its_lease_writes_nothing_more(accepted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = make_creator()
    job = start(accepted(creator, TEN))
    write = fans.write

    def overtaken(*arguments: Any, **options: Any) -> fans.Outcome:
        Import.objects.filter(pk=job.pk).update(lease=uuid.uuid4())
        return write(*arguments, **options)

    monkeypatch.setattr(fans, "write", overtaken)
    work(job)

    assert (job.state, job.rows_done, creator.fans.count()) == (ImportState.RUNNING, 0, 0)


@pytest.mark.django_db
def test_cancelled_it_stops_before_the_next_chunk(accepted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = make_creator()
    job = start(accepted(creator, TEN))

    breathe = running._breathe

    def cancelled_meanwhile(*_arguments: Any) -> None:
        monkeypatch.setattr(running, "_breathe", breathe)
        Import.objects.get(pk=job.pk).move(ImportState.CANCELLED, now=database_now())

    monkeypatch.setattr(running, "_breathe", cancelled_meanwhile)
    work(job)

    assert job.state == ImportState.CANCELLED
    assert creator.fans.count() == job.created_count == job.rows_done == 3


@pytest.mark.django_db
def test_cancelled_between_chunks_what_was_done_stays_and_can_be_undone(accepted: Run) -> None:
    creator = make_creator()
    job = start(accepted(creator, TEN))
    stop = threading.Event()
    stop.set()
    work(job, stop=stop)
    job.move(ImportState.CANCELLED, now=database_now())

    assert (job.state, job.created_count, creator.fans.count()) == (ImportState.CANCELLED, 3, 3)
    job.move(ImportState.UNDOING, now=database_now())
    work(job)
    assert (job.state, job.undone_count, creator.fans.count()) == (ImportState.UNDONE, 3, 0)


@pytest.mark.django_db
def test_told_to_stop_it_lets_go_and_anybody_goes_on_at_once(accepted: Run) -> None:
    creator = make_creator()
    job = start(accepted(creator, TEN))
    stop = threading.Event()
    stop.set()

    work(job, stop=stop)
    assert (job.state, job.rows_done) == (ImportState.RUNNING, 3)
    assert [*Import.objects.to_work_on(database_now())] == [job]
    work(job)

    assert (job.state, creator.fans.count()) == (ImportState.DONE, 10)


@pytest.mark.django_db
def test_undo_takes_back_all_that_nobody_has_touched(imported: Run) -> None:
    creator = make_creator()
    known = make_fan(creator, platform_id="1", handle="fan1", name="Known", value_cents=0)
    job = imported(creator, TEN)

    job.move(ImportState.UNDOING, now=database_now())
    work(job)

    assert (job.state, job.undone_count, job.not_undone_count) == (ImportState.UNDONE, 10, 0)
    assert list(creator.fans.all()) == [known]
    known.refresh_from_db()
    assert (known.value_cents, known.stated_value_cents, known.tags.count()) == (0, None, 0)


@pytest.mark.django_db
def test_undo_leaves_what_has_changed_since_and_counts_it(imported: Run) -> None:
    creator = make_creator()
    known = make_fan(creator, platform_id="1", handle="fan1", name="Known")
    job = imported(creator, TEN)
    talked_to, noted, renamed, tagged, untouched = (creator.fans.get(platform_id=n) for n in "23456")
    make_conversation(fan=talked_to)
    Note.objects.create(fan=noted, text="Likes trains.")
    Fan.objects.filter(pk=renamed.pk).update(name="Ava")
    Fan.objects.filter(pk=known.pk).update(stated_value_cents=1)
    tagged.tags.add(Tag.objects.create(creator=creator, name="Mine"))

    job.move(ImportState.UNDOING, now=database_now())
    work(job)

    left = set(creator.fans.values_list("platform_id", flat=True))
    assert left == {"1", "2", "3", "4", "5"}
    assert not Fan.objects.filter(pk=untouched.pk).exists()
    assert (job.undone_count, job.not_undone_count) == (5, 5)


@pytest.mark.django_db
def test_undo_takes_back_whom_a_campaign_left_out_and_leaves_whom_it_reaches(imported: Run) -> None:
    creator = make_creator()
    job = imported(creator, "Username,Platform ID\nwithout_id,\nwith_id,7\n")
    written = {"name": "All", "text": "Hi", "audience": {"rule": {}}}
    # Until its media is uploaded nobody has more of it than a place.
    campaign = campaigning.draft(creator, author=None, media_urls=["https://files.example.test/1.jpg"], **written)
    campaigning.launch(campaign)

    job.move(ImportState.UNDOING, now=database_now())
    work(job)

    assert [fan.handle for fan in creator.fans.all()] == ["with_id"]
    assert (job.undone_count, job.not_undone_count) == (1, 1)
    assert sorted(recipient.excluded for recipient in campaign.recipients.all()) == ["", "no_platform_id"]


@pytest.mark.django_db
def test_undo_goes_on_after_a_kill(imported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    creator = make_creator()
    job = imported(creator, TEN)
    job.move(ImportState.UNDOING, now=database_now())
    advance, calls = Import.advance, iter(range(1, 100))

    def dying(*arguments: Any, **options: Any) -> bool:
        if next(calls) == 2:
            raise Killed
        return advance(*arguments, **options)

    monkeypatch.setattr(Import, "advance", dying)
    with pytest.raises(Killed):
        work(job)
    Import.objects.filter(pk=job.pk).update(lease_until=None)
    work(job)

    assert (job.state, job.undone_count, creator.fans.count()) == (ImportState.UNDONE, 10, 0)


@pytest.mark.django_db
def test_what_is_done_cannot_be_started_or_cancelled(imported: Run) -> None:
    job = imported(make_creator(), TEN)

    for state in (ImportState.RUNNING, ImportState.CHECKING, ImportState.CANCELLED):
        with pytest.raises(IllegalImportMove):
            job.move(state, now=database_now())


@pytest.mark.django_db
def test_a_bug_ends_the_import_with_a_reason(accepted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any, **_options: Any) -> fans.Outcome:
        raise RuntimeError("a bug")

    monkeypatch.setattr(fans, "write", broken)
    job = start(accepted(make_creator(), TEN))

    work(job)

    assert job.state == ImportState.FAILED
    assert job.reason


@pytest.mark.django_db
def test_what_is_forgotten_leaves_the_counts(imported: Run) -> None:
    job = imported(make_creator(), TEN)

    job.forget()

    assert (job.parts.count(), ImportChunk.objects.count(), job.created_count) == (0, 0, 10)
    assert not job.may_undo


def test_a_fan_whom_a_webhook_brings_at_the_same_moment_comes_once(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the other transaction commits between our look and our insert; SQLite lets it wait for us."""
    creator = make_creator()
    insert = fans._insert

    def others_first(*arguments: Any, **options: Any) -> list[Row]:
        monkeypatch.setattr(fans, "_insert", insert)
        if connection.vendor == "postgresql":
            thread = threading.Thread(target=webhook)
            thread.start()
            thread.join()
        return insert(*arguments, **options)

    def webhook() -> None:
        Fan.objects.create(creator=creator, platform=creator.platform, platform_id="2", handle="fan2", name="Bo")
        connection.close()

    monkeypatch.setattr(fans, "_insert", others_first)
    rows = [Row(number, number, {"platform_id": str(number), "handle": f"fan{number}"}) for number in (1, 2, 3)]
    with transaction.atomic():
        outcome = fans.write(creator, rows, as_of=database_now(), now=database_now())

    raced = connection.vendor == "postgresql"
    assert (outcome.created, outcome.unchanged) == ((2, 1) if raced else (3, 0))
    assert sorted(creator.fans.values_list("platform_id", flat=True)) == ["1", "2", "3"]
    assert set(outcome.fan_ids) == {1, 2, 3}


def test_two_imports_of_one_file_at_once_bring_every_fan_once(transactional_db: None, accepted: Run) -> None:
    creator = make_creator()
    jobs = [start(accepted(creator, TEN)) for _ in range(2)]

    def run(job: Import) -> None:
        work(job)
        connection.close()

    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert {job.state for job in jobs} == {ImportState.DONE}
    assert creator.fans.count() == 10
    assert sum(job.created_count for job in jobs) == 10
    assert sum(job.unchanged_count + job.updated_count for job in jobs) == 10


@pytest.mark.django_db
def test_undoing_payments_takes_them_off_the_fans_value(imported: Run) -> None:
    creator = make_creator()
    fan = make_fan(creator, platform_id="77", handle="ava")
    job = imported(
        creator, "Transaction ID,Date,Type,Fan ID,Amount\nt1,2025-11-01,tip,77,5.00\nt2,2025-11-01,tip,78,7\n"
    )
    fan.refresh_from_db()
    assert (fan.value_cents, creator.fans.count()) == (500, 2)

    job.move(ImportState.UNDOING, now=database_now())
    work(job)

    fan.refresh_from_db()
    assert (fan.value_cents, creator.fans.count(), Transaction.objects.count()) == (0, 1, 0)


@pytest.mark.django_db
def test_who_is_erased_is_in_no_kept_file_any_more(imported: Run) -> None:
    creator = make_creator()
    theirs = imported(creator, "Username\nAva.K\n", "theirs.csv")
    others = imported(creator, "Username\nbo\n", "others.csv")

    erase_fan(creator.fans.get(handle="Ava.K"))

    theirs.refresh_from_db()
    assert (theirs.has_file, theirs.parts.count(), theirs.created_count) == (False, 0, 1)
    assert others.parts.count() == 1

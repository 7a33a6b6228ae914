"""The list of fans as a browser without JavaScript uses it."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from crm.clock import database_now
from crm.models import Creator, Fan, Membership, Segment, Tag
from crm.paging import LIMIT_DEFAULT
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_segment, make_user

pytestmark = pytest.mark.django_db

PAGE = "/fans"


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"), name="Mia")


def names(client: Client, query: str = "", status: int = 200) -> list[str]:
    """Those in the table, in its order."""
    answer = client.get(PAGE + query)
    assert answer.status_code == status, answer.content.decode()[-2000:]
    return re.findall(r'class="row-link clip"[^>]*>([^<]+)<', answer.content.decode())


@pytest.fixture
def crowd(creator: Creator) -> dict[str, Fan]:
    now = database_now()
    fans = {
        "Whale": make_fan(creator, name="Whale", value_cents=90_000, last_purchase_at=now, subscription="active"),
        "Ghost": make_fan(creator, name="Ghost", value_cents=500, last_seen_at=now - timedelta(days=40)),
        "Newbie": make_fan(creator, name="Newbie", last_seen_at=now - timedelta(hours=3)),
    }
    fans["Whale"].change(tags=["VIP"])
    make_conversation(fan=fans["Newbie"], unread_count=2)
    make_fan(make_creator(), name="Stranger")
    return fans


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Whale", "Ghost", "Newbie"}),
        ("?search=gho", {"Ghost"}),
        ("?tag=VIP", {"Whale"}),
        ("?spentMin=5&spentMax=100", {"Ghost"}),
        ("?spentMin=900", {"Whale"}),
        ("?subscription=active", {"Whale"}),
        ("?seen=seenWithinDays.1", {"Newbie"}),
        ("?seen=silentForDays.30", {"Ghost"}),
        ("?unread=true", {"Newbie"}),
        ("?neverBought=false", {"Whale", "Ghost"}),
        ("?neverBought=true&unread=true", {"Newbie"}),
        ("?segment=ready:spent-500", {"Whale"}),
        ("?segment=ready:spent-500&unread=true", set()),
        ("?priority=false&search=wha", {"Whale"}),
    ],
)
def test_filters_narrow_the_list(owner: Client, crowd: dict[str, Fan], query: str, found: set[str]) -> None:
    assert set(names(owner, query)) == found


def test_a_saved_segment_narrows_the_list(owner: Client, creator: Creator, crowd: dict[str, Fan]) -> None:
    segment = make_segment(creator, rule={"any": [{"valueMin": 80_000}, {"unread": True}]})

    assert set(names(owner, f"?segment={segment.public_id}")) == {"Whale", "Newbie"}


def test_a_filter_that_cannot_be_read_is_said_and_shows_nobody(owner: Client, crowd: dict[str, Fan]) -> None:
    answer = owner.get(PAGE + "?spentMin=lots&joinedWithinDays=never")

    assert answer.status_code == 400
    page = answer.content.decode()
    assert "Write an amount" in page
    assert "Joined in the last days: A whole number" in page
    assert "Whale" not in page


def test_each_filter_in_force_is_said_and_can_be_taken_away(owner: Client, crowd: dict[str, Fan]) -> None:
    page = owner.get(PAGE + "?tag=VIP&spentMin=12.50&joinedWithinDays=7").content.decode()

    assert "has the tag “VIP”" in page
    assert "spent $12.50 or more" in page
    assert "joined in the last 7 days" in page
    assert 'href="?tag=VIP&amp;spentMin=12.50"' in page


@pytest.mark.parametrize(
    ("sort", "order"),
    [("-valueCents", ["Whale", "Ghost", "Newbie"]), ("name", ["Ghost", "Newbie", "Whale"])],
)
def test_the_list_is_sorted_by_its_heads(owner: Client, crowd: dict[str, Fan], sort: str, order: list[str]) -> None:
    assert names(owner, f"?sort={sort}") == order


def test_unsorted_the_list_is_in_the_order_of_what_it_is_narrowed_by(owner: Client, crowd: dict[str, Fan]) -> None:
    assert names(owner, "?spentMin=5") == names(owner, "?spentMin=5&sort=-valueCents") == ["Whale", "Ghost"]
    assert names(owner, "?spentMin=5&sort=-createdAt") == ["Ghost", "Whale"]


def test_long_lists_come_in_pages_that_neither_skip_nor_repeat(owner: Client, creator: Creator) -> None:
    wanted = {make_fan(creator, name=f"Fan {n:03}").name for n in range(LIMIT_DEFAULT + 3)}
    first = owner.get(PAGE + "?sort=name").content.decode()
    [older] = re.findall(r'href="(\?[^"]*)" rel="next"', first)

    second = names(owner, older.replace("&amp;", "&"))

    assert len(second) == 3
    assert set(names(owner, "?sort=name")) | set(second) == wanted
    assert "Count them" in first
    assert f"{LIMIT_DEFAULT + 3} fans" in owner.get(PAGE + "?total=1").content.decode()


def test_a_cursor_of_another_sorting_begins_again(owner: Client, creator: Creator) -> None:
    make_fan(creator)

    answer = owner.get(PAGE + "?cursor=nonsense&search=fan")

    assert answer.headers["Location"] == "/fans?search=fan"


def test_a_name_that_is_written_from_the_right_is_cut_at_its_end(owner: Client, creator: Creator) -> None:
    make_fan(creator, name="محمد" * 20)

    assert re.search(r'class="row-link clip" dir="auto"[^>]*>محمد', owner.get(PAGE).text)


def test_chosen_columns_stay_chosen(owner: Client, crowd: dict[str, Fan]) -> None:
    answer = owner.post(PAGE + "?search=whale", {"act": "columns", "column": ["email", "platformId"]})

    assert answer.headers["Location"] == "/fans?search=whale"
    page = owner.get(PAGE).content.decode()
    assert crowd["Whale"].platform_id in page
    assert 'data-label="Spent"' not in page


# --- Many at once


def act(owner: Client, query: str = "", **form: object) -> str:
    """What the page says afterwards."""
    answer = owner.post(PAGE + query, form)
    assert answer.status_code == 303, answer.content.decode()[-3000:]
    return owner.get(answer.headers["Location"]).content.decode()


def test_ticked_fans_are_tagged_with_a_tag_that_is_made_for_them(owner: Client, crowd: dict[str, Fan]) -> None:
    ticked = [crowd[name].public_id for name in ("Ghost", "Newbie")]

    said = act(owner, act="tag", tag="Win back", which="ticked", fan=ticked)

    assert "2 more fans have “Win back” now." in said
    assert set(Tag.objects.get(name="Win back").fans.values_list("name", flat=True)) == {"Ghost", "Newbie"}


def test_the_whole_page_is_chosen_without_a_tick(owner: Client, crowd: dict[str, Fan]) -> None:
    ids = ",".join(str(fan.public_id) for fan in crowd.values())

    assert "2 more fans have “VIP” now." in act(owner, act="tag", tag="vip", which="page", page=ids)


def test_all_that_match_are_counted_and_asked_about_before_they_are_tagged(
    owner: Client, crowd: dict[str, Fan]
) -> None:
    form = {"act": "tag", "tag": "Buyer", "which": "all"}
    asked = owner.post(PAGE + "?neverBought=false", form)
    assert "Put “Buyer” on 2 fans?" in asked.content.decode()
    assert not Tag.objects.filter(name="Buyer").exists()

    act(owner, "?neverBought=false", **form, confirmed="1")

    assert Tag.objects.get(name="Buyer").fans.count() == 2


def test_a_tag_is_taken_off(owner: Client, crowd: dict[str, Fan]) -> None:
    said = act(owner, act="untag", tag="VIP", which="ticked", fan=[crowd["Whale"].public_id])

    assert "“VIP” is taken off 1 fan." in said
    assert not crowd["Whale"].tags.exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"act": "tag", "which": "ticked", "tag": "x"}, "No fan is chosen"),
        ({"act": "tag", "which": "all", "tag": " "}, "Name the tag"),
        ({"act": "untag", "which": "page", "page": "nonsense", "tag": "x"}, "There is no such tag"),
        ({"act": "message", "which": "ticked"}, "No fan is chosen"),
        ({"act": "dance", "which": "all"}, "Choose fans"),
        ({}, "Choose fans"),
    ],
)
def test_what_cannot_be_done_is_said(owner: Client, crowd: dict[str, Fan], form: dict[str, str], words: str) -> None:
    answer = owner.post(PAGE, form)

    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_nobody_tags_the_fans_of_others(owner: Client, crowd: dict[str, Fan]) -> None:
    stranger = Fan.objects.get(name="Stranger")

    owner.post(PAGE, {"act": "tag", "tag": "VIP", "which": "ticked", "fan": [stranger.public_id]})

    assert not stranger.tags.exists()


@pytest.mark.parametrize(
    ("query", "form", "address"),
    [
        ("?unread=true&tag=VIP", {"which": "all"}, "/campaigns/new?tag=VIP&unread=true"),
        ("?segment=ready:top", {"which": "all"}, "/campaigns/new?segment=ready%3Atop"),
        ("?segment=ready:top&tag=VIP", {"which": "all"}, "/segments/new?tag=VIP&segment=ready%3Atop"),
        ("?spentMin=5", {"which": "all"}, "/campaigns/new?valueMin=500"),
        ("", {"which": "all"}, "/campaigns/new?valueMin=0"),
    ],
)
def test_writing_to_many_leads_to_a_campaign_for_just_them(
    owner: Client, crowd: dict[str, Fan], query: str, form: dict[str, str], address: str
) -> None:
    assert owner.post(PAGE + query, form | {"act": "message"}).headers["Location"] == address


def test_writing_to_the_ticked_names_them(owner: Client, crowd: dict[str, Fan]) -> None:
    ticked = crowd["Whale"].public_id

    answer = owner.post(PAGE, {"act": "message", "which": "ticked", "fan": [ticked]})

    assert answer.headers["Location"] == f"/campaigns/new?fans={ticked}"


def test_what_is_filtered_is_exported(owner: Client, crowd: dict[str, Fan]) -> None:
    answer = owner.get("/fans/export?tag=VIP")

    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "Whale" in text
    assert "Ghost" not in text
    assert "attachment" in answer.headers["Content-Disposition"]


def test_who_may_only_look_on_is_offered_nothing_to_do(client: Client, creator: Creator) -> None:
    make_fan(creator)
    viewer = make_user("viewer")
    make_membership(viewer, creator, role=Membership.Role.VIEWER)
    client.force_login(viewer)

    page = client.get(PAGE).content.decode()

    assert 'name="act" value="tag"' not in page
    assert "Export" not in page
    assert "Add a fan" not in page


def test_the_list_asks_the_same_number_of_questions_however_many_fans(
    owner: Client, creator: Creator, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        make_fan(creator).change(tags=[f"tag {number}"])
    Segment.objects.create(creator=creator, name="One")

    with django_assert_max_num_queries(13):  # type: ignore[operator]
        assert len(names(owner)) == 30

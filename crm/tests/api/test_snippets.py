import pytest

from crm.models import Creator, Snippet
from crm.tests.api.asking import Api
from crm.tests.factories import make_fan

pytestmark = pytest.mark.django_db

SNIPPETS = "/api/crm/snippets"


def test_a_snippet_is_written_read_by_a_fan_and_taken_away(asks: Api, creator: Creator) -> None:
    snippet = asks.post(SNIPPETS, name="Hello", text="Hello {name|there}!")
    address = f"{SNIPPETS}/{snippet['id']}"
    mia, nobody = make_fan(creator, name="Mia"), make_fan(creator, name="")

    assert asks.get(f"{address}/text?fanId={mia.public_id}") == {"text": "Hello Mia!"}
    assert asks.get(f"{address}/text?fanId={nobody.public_id}") == {"text": "Hello there!"}
    asks.get(f"{address}/text?fanId={make_fan().public_id}", status=404)
    assert asks.patch(address, text="Hi!")["name"] == "Hello"
    assert asks.get(SNIPPETS)["results"] == [asks.get(address)]
    asks.delete(address)
    assert not Snippet.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("", "x", "name"),
        ("x", " ", "text"),
        ("x", "x" * 5001, "text"),
        ("x", "Hi {nmae|there}", "text"),
        ("x", "Hi {name}", "text"),
    ],
)
def test_what_cannot_be_is_refused(asks: Api, creator: Creator, name: str, text: str, field: str) -> None:
    assert asks.refused("post", SNIPPETS, name=name, text=text) == [field]


def test_a_name_is_there_once(asks: Api, creator: Creator) -> None:
    asks.post(SNIPPETS, name="Hello", text="x")

    assert asks.refused("post", SNIPPETS, status=409, name="HELLO", text="x") == ["name"]


def test_a_text_that_is_too_long_with_a_fans_names_says_so(asks: Api, creator: Creator) -> None:
    snippet = asks.post(SNIPPETS, name="Long", text="{name|x}" * 600)
    fan = make_fan(creator, name="Maximiliana")

    assert asks.refused("get", f"{SNIPPETS}/{snippet['id']}/text?fanId={fan.public_id}") == ["text"]


def test_a_chatter_writes_them_and_leaves_taking_away_to_others(chatter_asks: Api, creator: Creator) -> None:
    snippet = chatter_asks.post(SNIPPETS, name="Mine", text="x")

    chatter_asks.patch(f"{SNIPPETS}/{snippet['id']}", text="y")
    chatter_asks.delete(f"{SNIPPETS}/{snippet['id']}", status=403)

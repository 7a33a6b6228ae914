"""Fans that somebody names by hand."""

import pytest

from crm import audiences
from crm.models import Creator
from crm.tests.factories import make_creator, make_fan

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    return make_creator()


class TestNamed:
    def test_fans_are_found_by_handle_platform_id_or_our_id_each_once(self, creator: Creator) -> None:
        mia, leo, ada = make_fan(creator, handle="Mia.Long"), make_fan(creator), make_fan(creator)

        found, missing = audiences.named(
            creator, ["@mia.long", leo.platform_id, str(ada.public_id).upper(), " Mia.Long ", ""]
        )

        assert (found, missing) == ([mia, leo, ada], [])

    def test_who_is_not_there_is_named_as_written(self, creator: Creator) -> None:
        stranger = make_fan(handle="stranger")

        assert audiences.named(creator, ["@Stranger", str(stranger.public_id)]) == (
            [],
            ["@Stranger", str(stranger.public_id)],
        )

    def test_a_fan_without_a_handle_is_nobodys_at_sign(self, creator: Creator) -> None:
        make_fan(creator, handle="")

        assert audiences.named(creator, ["@"]) == ([], ["@"])

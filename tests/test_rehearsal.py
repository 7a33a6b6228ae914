"""The rehearsal of a creator's business (bench/rehearsal.py), small: what it says must be true is true."""

from collections.abc import Callable

import pytest

from bench.rehearsal import ENVIRONMENT, Rehearsal, Size
from tests.product import Product

# `python bench/rehearsal.py --postgresql` does it on PostgreSQL; here everything would wait a minute for it.
pytestmark = [pytest.mark.journey, pytest.mark.sqlite_only, pytest.mark.timeout(300)]


def test_a_campaign_to_many_is_stopped_at_will_and_reaches_whom_it_should_once(
    make_product: Callable[..., Product],
) -> None:
    product = make_product(**ENVIRONMENT)
    product.start(within=120)

    seen = list(Rehearsal(product, Size(fans=400, audience=200, sends=20, requests=1)).seen())

    # How fast it is depends on the machine.
    assert not [str(row) for row in seen if not row.is_met and not row.by_the_clock]
    product.stop()

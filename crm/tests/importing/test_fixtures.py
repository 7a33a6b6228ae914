"""Every hazard that a CSV file is known to hold, one file each in ``fixtures``, and what is made of it.

A creator in Paris whose currency is the dollar. Where a file leaves something open, ``asked`` has the answer that the
rows below were read with.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from crm.importing.problems import CannotImport
from crm.importing.records import records
from crm.importing.rows import Options, Row, RowReader, with_options
from crm.importing.survey import opened, survey
from crm.models import Creator

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Refused:
    """Nothing of it can be imported."""

    code: str


@dataclass(frozen=True)
class Read:
    """The good rows by their number, and (row, line, column, code) of what is wrong."""

    rows: dict[int, dict[str, Any]]
    bad: list[tuple[int, int, str, str]] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    form: str = ""
    encoding: str = ""
    ignored: list[str] = field(default_factory=list)


TABLE: dict[str, Refused | Read] = {
    "dates_bad": Read(
        {},
        bad=[
            (2, 2, "Last Seen", "bad_date"),
            (3, 3, "Last Seen", "bad_date"),
            (4, 4, "Last Seen", "short_year"),
            (5, 5, "Last Seen", "out_of_range"),
            (6, 6, "Last Seen", "bad_date"),
        ],
    ),
    "dates_day_or_month": Read(
        {
            2: {"handle": "a", "last_seen_at": "2025-04-02T22:00:00Z"},
            3: {"handle": "b", "last_seen_at": "2025-12-24T23:00:00Z"},
        },
        asked={"dateOrder": "dmy"},
    ),
    "dates_day_or_month_certain_by_one_row": Read(
        {2: {"handle": "a", "last_seen_at": "2025-12-24T23:00:00Z"}},
        asked={"dateOrder": "dmy"},
    ),
    "dates_iso_epoch_words": Read(
        {
            2: {"handle": "a", "last_seen_at": "2025-10-31T23:00:00Z"},
            3: {"handle": "b", "last_seen_at": "2025-11-01T16:30:00Z"},
            4: {"handle": "c", "last_seen_at": "2025-11-01T12:26:40Z"},
            5: {"handle": "d", "last_seen_at": "2025-11-01T12:26:40Z"},
            6: {"handle": "e", "last_seen_at": "2025-10-31T23:00:00Z"},
            7: {"handle": "f", "last_seen_at": "2025-11-01T13:30:00Z"},
            8: {"handle": "g", "last_seen_at": "2025-11-01T17:30:00Z"},
        },
    ),
    "dates_summer_time": Read(
        {
            2: {"handle": "a", "last_seen_at": "2025-03-30T01:30:00Z"},
            3: {"handle": "b", "last_seen_at": "2025-10-26T00:30:00Z"},
            4: {"handle": "c", "last_seen_at": "2025-06-30T22:00:00Z"},
        },
    ),
    "duplicates_in_the_file": Read(
        {
            2: {"handle": "ava", "name": "Ava", "platform_id": "77"},
            3: {"handle": "bo", "name": "Bo", "platform_id": "78"},
            4: {"handle": "ava", "name": "Ava again", "platform_id": "77"},
            5: {"handle": "AVA", "name": "Ava a third time"},
            6: {"handle": "cy", "name": "Cy"},
            7: {"handle": "CY", "name": "Cy again"},
        },
    ),
    "encoding_cp1252": Read({2: {"handle": "lea", "name": "Léa “Queen” €"}}, encoding="cp1252"),
    "encoding_doubled_and_damaged": Read(
        {2: {"handle": "lea", "name": "Léa à Genève"}},
        bad=[(3, 3, "Display Name", "damaged_text")],
        asked={"textRepair": "cp1252"},
        encoding="utf-8",
    ),
    "encoding_doubled_cp1252": Read(
        {2: {"handle": "lea", "name": "Léa à Genève"}, 3: {"handle": "bo", "name": "Bo"}},
        asked={"textRepair": "cp1252"},
        encoding="utf-8",
    ),
    "encoding_doubled_cp1254": Read(
        {2: {"handle": "lea", "name": "Léa 🔥"}},
        asked={"textRepair": "cp1254"},
        encoding="utf-8",
    ),
    "encoding_mixed": Read(
        {2: {"handle": "lea", "name": "Léa"}, 4: {"handle": "bo", "name": "Bo"}},
        bad=[(3, 3, "Display Name", "undecodable")],
        encoding="utf-8",
    ),
    "encoding_utf16_be_bom": Read({2: {"handle": "léa", "name": "Léa"}}, encoding="utf-16"),
    "encoding_utf16_le_bom": Read({2: {"handle": "léa", "name": "Léa"}}, encoding="utf-16"),
    "encoding_utf16_le_without_bom": Read({2: {"handle": "lea", "name": "Léa"}}, encoding="utf-16-le"),
    "encoding_utf8_bom": Read({2: {"handle": "léa", "name": "Léa Bergström 🦊"}}, encoding="utf-8-sig"),
    "file_blank": Refused("empty"),
    "file_empty": Refused("empty"),
    "file_binary": Refused("not_text"),
    "file_png_renamed": Refused("not_text"),
    "file_header_only": Read({}),
    "file_zip_renamed": Refused("not_text"),
    "format_house": Read(
        {
            2: {
                "email": "ava@example.com",
                "handle": "ava.k",
                "last_seen_at": "2025-10-31T23:00:00Z",
                "name": "Ava K",
                "tags": ("Gold",),
                "value": 50000,
            },
            3: {"handle": "bo", "name": "Bo", "value": 0},
        },
        form="house",
    ),
    "format_messages_refused": Refused("not_for_us"),
    "format_ofapi_transactions": Read(
        {
            2: {
                "amount": 999,
                "currency": "USD",
                "kind": "subscription",
                "net": 799,
                "occurred_at": "2025-11-01T09:30:00Z",
                "platform_id": "ofapi_1",
            }
        },
        form="ofapi-transactions",
    ),
    "format_onlymonster": Read(
        {
            2: {
                "joined_at": "2025-01-04T23:00:00Z",
                "last_purchase_at": "2025-10-31T23:00:00Z",
                "name": "Ava",
                "platform_id": "77",
                "value": 125000,
            }
        },
        form="onlymonster",
        ignored=["Total Organization Spent", "Last Organization Purchase"],
    ),
    "format_posts_refused": Refused("not_for_us"),
    "format_revenue": Read(
        {
            2: {
                "amount": 1000,
                "currency": "USD",
                "description": "Thanks",
                "fee": 200,
                "handle": "ava",
                "kind": "tip",
                "net": 800,
                "occurred_at": "2025-10-31T23:00:00Z",
            },
            3: {
                "amount": 2500,
                "currency": "USD",
                "fee": 500,
                "handle": "ava",
                "kind": "ppv",
                "net": 2000,
                "occurred_at": "2025-11-01T23:00:00Z",
            },
        },
        form="revenue",
        ignored=["message_id", "post_id", "stream_id"],
    ),
    "format_subscribers": Read(
        {
            2: {
                "email": "ava@example.com",
                "handle": "ava",
                "joined_at": "2024-12-30T23:00:00Z",
                "last_seen_at": "2025-11-01T10:00:00Z",
                "name": "Ava",
                "subscription": "active",
                "subscription_ends_at": "2025-12-04T23:00:00Z",
                "subscription_price": 999,
                "value": 12050,
            }
        },
        form="subscribers",
        ignored=["subscription_start", "rebill_status", "messages_sent", "tips_sent", "ppv_purchased"],
    ),
    "format_xcelerator_fans": Read(
        {
            2: {
                "handle": "ava",
                "joined_at": "2025-01-01T00:00:00Z",
                "last_seen_at": "2025-11-01T09:30:00Z",
                "name": "Ava",
                "platform_id": "9007199254740993",
                "tags": ("vip", "night owl"),
                "value": 4250,
            }
        },
        form="xcelerator-fans",
        ignored=["last_event_at", "total_tips", "event_count"],
    ),
    "format_xcelerator_subscribers": Read(
        {
            2: {
                "handle": "ava",
                "joined_at": "2025-01-01T00:00:00Z",
                "name": "Ava",
                "platform_id": "77",
                "subscription": "active",
                "subscription_ends_at": "2025-12-01T00:00:00Z",
                "subscription_price": 999,
                "value": 4250,
            }
        },
        form="xcelerator-subscribers",
        ignored=["spent_tips", "spent_messages", "spent_posts", "spent_streams", "spent_subscriptions", "campaign_id"],
    ),
    "format_xcelerator_transactions": Read(
        {
            2: {
                "amount": 1000,
                "currency": "USD",
                "description": "Tip from Ava",
                "fan_id": "77",
                "fee": 200,
                "handle": "ava",
                "kind": "tip",
                "net": 800,
                "occurred_at": "2025-11-01T09:30:00Z",
                "platform_id": "tx1",
            }
        },
        form="xcelerator-transactions",
        ignored=["vat_amount"],
    ),
    "headers_error_file_again": Read({2: {"handle": "ava", "name": "Ava"}}),
    "headers_again": Read(
        {2: {"handle": "ava", "name": "Ava"}, 4: {"handle": "bo", "name": "Bo"}, 6: {"handle": "cy", "name": "Cy"}},
        bad=[(3, 3, "", "header_again"), (5, 5, "", "header_again")],
    ),
    "headers_more_than_200": Refused("too_many_columns"),
    "headers_none_needed": Refused("no_identity_column"),
    "headers_spelled_otherwise": Read(
        {
            2: {
                "email": "ava@example.com",
                "handle": "ava",
                "last_seen_at": "2025-10-31T23:00:00Z",
                "name": "Ava",
                "value": 1250,
            }
        },
    ),
    "headers_twice": Refused("twin_columns"),
    "headers_unknown_columns": Read({2: {"handle": "ava", "value": 1250}}, ignored=["Favourite colour", "Shoe size"]),
    "ids_as_text_formula": Read(
        {2: {"handle": "ava", "platform_id": "9007199254740993"}},
        bad=[(3, 3, "Fan ID", "bad_id")],
    ),
    "ids_beyond_2_53": Read(
        {
            2: {"handle": "ava", "platform_id": "9007199254740993"},
            3: {"handle": "bo", "platform_id": "700000000000000001"},
        },
    ),
    "ids_scientific": Read(
        {5: {"handle": "di", "platform_id": "77"}},
        bad=[(2, 2, "Fan ID", "scientific"), (3, 3, "Fan ID", "scientific"), (4, 4, "Fan ID", "scientific")],
    ),
    "ids_strange": Read({}, bad=[(2, 2, "Fan ID", "bad_id"), (3, 3, "Fan ID", "bad_id"), (4, 4, "Fan ID", "bad_id")]),
    "lines_bare_cr": Read({2: {"handle": "ava", "name": "Ava"}, 3: {"handle": "bo", "name": "Bo"}}),
    "lines_blank_between": Read({3: {"handle": "ava", "name": "Ava"}, 6: {"handle": "bo", "name": "Bo"}}),
    "lines_no_final_break": Read({2: {"handle": "ava", "name": "Ava"}}),
    "lines_nul": Read({3: {"handle": "bo", "name": "Bo"}}, bad=[(2, 2, "Display Name", "nul")]),
    "lines_one_endless_cell": Read({3: {"handle": "bo", "name": "Bo"}}, bad=[(2, 2, "", "line_too_long")]),
    "lines_too_few_cells": Read({3: {"handle": "bo", "name": "Bo"}}, bad=[(2, 2, "", "cell_count")]),
    "lines_too_many_cells": Read({3: {"handle": "bo", "name": "Bo"}}, bad=[(2, 2, "", "cell_count")]),
    "money_ambiguous_alone": Read(
        {2: {"handle": "a", "value": 123400}, 3: {"handle": "b", "value": 1200}},
        asked={"decimal": "."},
    ),
    "money_ambiguous_decided_by_the_file": Read(
        {2: {"handle": "a", "value": 123400}, 3: {"handle": "b", "value": 1250}},
    ),
    "money_ambiguous_decided_for_the_comma": Read(
        {2: {"handle": "a", "value": 123400}, 3: {"handle": "b", "value": 1250}},
    ),
    "money_european": Read(
        {
            2: {"handle": "a", "value": 123456},
            3: {"handle": "b", "value": 50},
            4: {"handle": "c", "value": 123456},
            5: {"handle": "d", "value": 123456},
        },
    ),
    "money_negative": Read(
        {4: {"handle": "c", "value": 500}},
        bad=[(2, 2, "Total Spent", "negative"), (3, 3, "Total Spent", "negative")],
    ),
    "money_no_break_spaces": Read(
        {
            2: {"handle": "a", "value": 123456},
            3: {"handle": "b", "value": 123456},
            4: {"handle": "c", "value": 123456},
        },
        bad=[(5, 5, "Total Spent", "other_currency")],
    ),
    "money_nonsense": Read(
        {},
        bad=[
            (2, 2, "Total Spent", "bad_money"),
            (3, 3, "Total Spent", "bad_money"),
            (4, 4, "Total Spent", "bad_money"),
            (5, 5, "Total Spent", "scientific"),
        ],
    ),
    "money_nothing": Read({2: {"handle": "a"}, 3: {"handle": "b"}, 4: {"handle": "c"}, 5: {"handle": "d"}}),
    "money_other_currency": Read({3: {"handle": "b", "value": 1200}}, bad=[(2, 2, "Total Spent", "other_currency")]),
    "money_too_precise": Read({3: {"handle": "b", "value": 1250}}, bad=[(2, 2, "Total Spent", "too_precise")]),
    "money_us": Read(
        {
            2: {"handle": "a", "value": 123456},
            3: {"handle": "b", "value": 50},
            4: {"handle": "c", "value": 100000000},
            5: {"handle": "d", "value": 1200},
        },
    ),
    "names_at_sign": Read({2: {"handle": "ava", "name": "Ava"}, 3: {"handle": "bo", "name": "Bo"}}),
    "names_bad_email": Read({3: {"handle": "bo", "name": "Bo"}}, bad=[(2, 2, "Email", "bad_email")]),
    "names_formulas": Read(
        {
            2: {"handle": "ava", "name": "=1+1"},
            3: {"handle": "bo", "name": "+33 6"},
            4: {"handle": "cy", "name": "@home"},
            5: {"handle": "di", "name": "'=x"},
            6: {"handle": "el", "name": "=HYPERLINK(1)"},
        },
    ),
    "names_html": Read(
        {
            2: {"handle": "ava", "name": "Ava & Bo"},
            3: {"handle": "bo", "name": "I <3 you & me"},
            4: {"handle": "cy", "name": "<b>Cy</b>"},
        },
    ),
    "names_made_up_by_the_platform": Read({2: {"handle": "u123456789"}}),
    "names_rtl_and_emoji": Read({2: {"handle": "ava", "name": "\u202eevA 👩\u200d👩\u200d👧 葵 Ñúñez"}}),
    "names_too_long": Read(
        {
            3: {
                "handle": "bo",
                "name": "x" * 200,
            }
        },
        bad=[(2, 2, "Display Name", "too_long")],
    ),
    "names_with_spaces_in_username": Read({}, bad=[(2, 2, "Username", "bad_username")]),
    "names_without_anybody": Read({}, bad=[(2, 2, "", "no_identity")]),
    "quotes_doubled": Read({2: {"handle": "ava", "name": 'Ava "Queen" K'}}),
    "quotes_inside_unquoted_cell": Read({2: {"handle": "ava", "name": 'Ava 5" K'}}),
    "quotes_newline_in_cell": Read(
        {2: {"handle": "ava", "name": "Ava\nthe first"}, 3: {"handle": "bo", "name": "Bo"}},
    ),
    "quotes_unclosed_at_row_2": Read(
        {3: {"handle": "bo", "name": "Bo"}, 4: {"handle": "cy", "name": "Cy"}, 5: {"handle": "di", "name": "Di"}},
        bad=[(2, 2, "", "unclosed_quote")],
    ),
    "quotes_unclosed_at_the_end": Read({2: {"handle": "ava", "name": "Ava"}}, bad=[(3, 3, "", "unclosed_quote")]),
    "separator_commas_in_names": Read({2: {"handle": "ava", "name": "Ava, B, C, D, E"}}),
    "separator_named_in_first_line": Read({2: {"handle": "ava", "name": "Ava, B"}}),
    "separator_semicolon_cp1252": Read({2: {"handle": "lea", "name": "Léa", "value": 1250}}, encoding="cp1252"),
    "separator_semicolon_french_excel": Read(
        {2: {"handle": "ava", "last_seen_at": "2025-10-31T23:00:00Z", "name": "Ava", "tags": ("Or",), "value": 123456}},
    ),
    "separator_tab": Read({2: {"handle": "ava", "name": "Ava, the first", "value": 1250}}),
    "status_words": Read(
        {
            2: {"handle": "a", "subscription": "active"},
            3: {"handle": "b", "subscription": "expired"},
            4: {"handle": "c"},
        },
        bad=[(5, 5, "Status", "bad_status")],
    ),
    "tags_escaped": Read({2: {"handle": "ava", "tags": ("night owl", "a;b", "vip")}}),
    "transactions_alike": Read(
        {
            2: {"amount": 500, "handle": "ava", "kind": "tip", "occurred_at": "2025-10-31T23:00:00Z"},
            3: {"amount": 500, "handle": "ava", "kind": "tip", "occurred_at": "2025-10-31T23:00:00Z"},
            4: {"amount": 500, "handle": "ava", "kind": "tip", "occurred_at": "2025-11-01T10:00:00Z"},
            5: {"amount": 500, "handle": "ava", "kind": "tip", "occurred_at": "2025-11-01T10:00:00Z"},
        },
    ),
    "transactions_currencies": Read(
        {
            2: {
                "amount": 500,
                "currency": "EUR",
                "fee": 100,
                "kind": "tip",
                "occurred_at": "2025-10-31T23:00:00Z",
                "platform_id": "t1",
            },
            3: {
                "amount": 500,
                "currency": "JPY",
                "kind": "tip",
                "occurred_at": "2025-10-31T23:00:00Z",
                "platform_id": "t2",
            },
            4: {"amount": 500, "kind": "tip", "occurred_at": "2025-10-31T23:00:00Z", "platform_id": "t3"},
        },
        bad=[(5, 5, "Currency", "bad_currency")],
    ),
    "transactions_html": Read(
        {
            2: {
                "amount": 500,
                "description": "Tip from Ava & Bo",
                "handle": "ava",
                "kind": "tip",
                "occurred_at": "2025-10-31T23:00:00Z",
                "platform_id": "t1",
            }
        },
    ),
    "transactions_negative": Read(
        {2: {"amount": -500, "kind": "tip", "occurred_at": "2025-10-31T23:00:00Z", "platform_id": "t1"}},
    ),
    "transactions_not_settled": Read(
        {
            4: {
                "amount": 500,
                "handle": "ava",
                "kind": "tip",
                "occurred_at": "2025-10-31T23:00:00Z",
                "platform_id": "t3",
            }
        },
        bad=[(2, 2, "Status", "not_settled"), (3, 3, "Status", "refunded")],
    ),
    "transactions_without_amount_or_date": Read(
        {},
        bad=[(2, 2, "", "no_occurred_at"), (3, 3, "", "no_amount"), (4, 4, "", "no_amount")],
    ),
}


def test_every_fixture_is_in_the_table() -> None:
    assert {path.stem for path in FIXTURES.glob("*.csv")} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_hazard_is_survived(name: str) -> None:
    expected, path = TABLE[name], FIXTURES / f"{name}.csv"

    def open_file() -> BinaryIO:
        return path.open("rb")

    if isinstance(expected, Refused):
        with pytest.raises(CannotImport) as refusal:
            survey(open_file, Options())
        assert refusal.value.code == expected.code
        return
    found = survey(open_file, Options())
    reading = with_options(found.reading, Options.read(expected.asked))
    reader = RowReader(reading, Creator(name="Ava", timezone="Europe/Paris", currency="USD"))
    good: dict[int, dict[str, Any]] = {}
    bad: list[tuple[int, int, str, str]] = []
    with opened(open_file, reading.encoding) as text:
        rows = records(text, reading.separator)
        next(rows)
        for record in rows:
            read = reader.read(record)
            if isinstance(read, Row):
                good[read.row] = {name: _shown(value) for name, value in read.values.items()}
            else:
                bad += [(problem.row, problem.line, problem.column, problem.code) for problem in read]
                assert all(problem.reason for problem in read)

    assert (good, bad) == (expected.rows, expected.bad)
    assert {question.option for question in found.questions} == set(expected.asked)
    assert all(question.words for question in found.questions)
    assert reading.columns.ignored == expected.ignored
    assert found.rows == len({*good, *(row for row, *_rest in bad)})
    if expected.form:
        assert reading.columns.format == expected.form
    if expected.encoding:
        assert reading.encoding == expected.encoding


def _shown(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value

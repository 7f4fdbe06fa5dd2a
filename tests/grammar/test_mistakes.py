"""Typical mistakes in pasted and typed lines: the error names the mistake and shows a line that works."""
# ruff: noqa: RUF001 - typographic quotes and dashes are what these lines are about

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.errors import ArgumentError
from ci_magics.grammar.arguments import parse
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.grammar.words import split

COMMAND = Command(
    "%ci_segment",
    "",
    "",
    (Positional("NAME", "", kind="segment"), Positional("FRAME", "", kind="frame")),
    (
        Flag("--where", "", value="SQL", kind="condition"),
        Flag("--rule", "", value="TEXT", kind="rule"),
        Flag("--key", "", value="COL", kind="column"),
        Flag("--quiet", ""),
    ),
)
VARIABLES = {"n": 5, "least": 500, "country": "NL"}


def refused(line: str) -> ArgumentError:
    with pytest.raises(ArgumentError) as caught:
        parse(COMMAND, line, VARIABLES)
    return caught.value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Big customers # a comment", ["Big", "customers"]),
        ("Big customers # it's \"open", ["Big", "customers"]),
        ("Big customers #--where x", ["Big", "customers"]),
        ("# only a comment", []),
        ("#", []),
        ("Big file.xlsx#Sheet1 # the first sheet", ["Big", "file.xlsx#Sheet1"]),
        ('"Big # spenders" customers', ["Big # spenders", "customers"]),
        ("Big '#1.csv'", ["Big", "#1.csv"]),
        ("Big {1 # 2}", ["Big", "{1 # 2}"]),
        ("Big\u00a0customers\u200b #\u00a0pasted", ["Big", "customers"]),
        ("\ufeffBig customers", ["Big", "customers"]),
    ],
)
def test_word_that_starts_with_a_hash_starts_a_comment(line: str, words: list[str]) -> None:
    assert [word.text for word in split(line)] == words


def test_comment_can_follow_options() -> None:
    found = parse(COMMAND, "Big customers --where \"Tag = '#1'\" --quiet # --key Id", VARIABLES)
    assert (found.given("where"), found.switch("quiet"), found.given("key")) == ("Tag = '#1'", True, None)


@pytest.mark.parametrize(
    ("line", "seen", "mended"),
    [
        ("“Big spenders” customers", "“", '"Big spenders" customers'),
        ("„Große Kunden“ kunden", "„", '"Große Kunden" kunden'),
        ("«Gros clients» clients", "«", '"Gros clients" clients'),
        ("‘Big’ customers", "‘", "'Big' customers"),
        ("Big customers --where “Country = ‘NL’”", "“", "Big customers --where \"Country = 'NL'\""),
        ("Big customers --where=“x > 5”", "“", 'Big customers --where="x > 5"'),
        ('Big customers --where "x > 5”', "”", 'Big customers --where "x > 5"'),
        ("Big customers –where “x > 5”", "–", 'Big customers --where "x > 5"'),
        ("Big customers —where x>5", "—", "Big customers --where x>5"),
        ("Big customers −−where x>5 –quiet", "−", "Big customers --where x>5 --quiet"),
        ("Big customers --where x > 500", "--where", 'Big customers --where "x > 500"'),
        (
            "Big customers --where Country = 'NL' --key Id",
            "--where",
            "Big customers --where \"Country = 'NL'\" --key Id",
        ),
        ('Big customers --where Country = "NL"', "--where", "Big customers --where \"Country = 'NL'\""),
        ('Big customers --where "My col" > 5', "--where", "Big customers --where '\"My col\" > 5'"),
        ("Big customers --where=x >500 # why", "--where", 'Big customers --where="x >500" # why'),
        ("Big customers --where Name like 'A%'", "--where", "Big customers --where \"Name like 'A%'\""),
        ("Big customers --where Opt is not null", "--where", 'Big customers --where "Opt is not null"'),
        ("Big customers --rule Country is any of NL, BE", "--rule", 'Big customers --rule "Country is any of NL, BE"'),
        ('"Top {n}" customers', "{n}", '{f"Top {n}"} customers'),
        ("'Top {n:03}' customers", "{n:03}", "{f'Top {n:03}'} customers"),
        ('"Top $n" customers', "$n", '{f"Top {n}"} customers'),
        ('Big "part-{n}.csv"', "{n}", 'Big {f"part-{n}.csv"}'),
        ('Big customers --where "x > {least}"', "{least}", 'Big customers --where "x > $least"'),
        ("Big customers --rule 'Country is {country}'", "{country}", "Big customers --rule 'Country is $country'"),
        ('Big customers --where "x > 500', 'quote (")', 'Big customers --where "x > 500"'),
        ('Big customers --where "x > 500 --key Id', 'quote (")', 'Big customers --where "x > 500" --key Id'),
        ("Müller's customers", "'", '"Müller\'s" customers'),
    ],
)
def test_error_names_the_mistake_and_shows_a_line_that_works(line: str, seen: str, mended: str) -> None:
    error = refused(line)
    assert seen in error.sentence
    assert f"%ci_segment {mended}." in error.next_step
    parse(COMMAND, mended, VARIABLES)


@pytest.mark.parametrize(
    "line",
    [
        '"Müller’s customers" customers',
        '"“Best” of 2026" customers',
        '"A – B" customers',
        "A–B customers",
        '"Top {m}" customers',
        '"Top $5" customers',
        "Big customers --where x>500",
        "--where x>500 Big customers",
        "Big customers --where \"Country in ('NL', 'BE') -- not {all}\"",
        "Big customers --where \"Note = '“quoted”'\"",
    ],
)
def test_valid_line_is_read_although_it_looks_unusual(line: str) -> None:
    assert len(parse(COMMAND, line, VARIABLES).words) == 2


def test_address_in_a_line_is_not_repeated() -> None:
    assert "jo@contoso.com" not in str(refused("Big customers --where EMail = 'jo@contoso.com'"))


@given(st.text(alphabet="ab#\"' {}=-–“$n\u00a0", max_size=14))
def test_any_line_is_read_or_refused_with_an_explanation(line: str) -> None:
    try:
        parse(COMMAND, line, VARIABLES)
    except ArgumentError as error:
        said = (error.sentence, error.next_step)
    else:
        said = ("read", "as it stands")
    assert all(said)

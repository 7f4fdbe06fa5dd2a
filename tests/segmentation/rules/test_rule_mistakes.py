"""Mistakes in a rule are reported before it is evaluated."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_rules import TODAY, as_pandas, expected, fitting_conditions, with_tables
from run_settings import examples

from ci_magics.errors import ArgumentError, CiError, SegmentError
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import AllOf, Node

PEOPLE = pa.table(
    {
        "Country": pa.array([], pa.string()),
        "TotalSpend": pa.array([], pa.float64()),
        "Orders": pa.array([], pa.int32()),
        "Birthday": pa.array([], pa.date32()),
        "LastPurchase": pa.array([], pa.timestamp("ms")),
        "Subscribed": pa.array([], pa.bool_()),
        "Tags": pa.array([], pa.list_(pa.string())),
    }
)


_WORDS = [
    *("a", "'b'", "=", "!=", "and", "or", "not", "(", ")", "is", "any", "of", "1", "2026-01-01", "between"),
    *("contains", ",", "x", "null"),
]


def refusal(text: str) -> SegmentError:
    with pytest.raises(SegmentError) as refused:
        Rule.parse(text).check(PEOPLE, today=TODAY)
    return refused.value


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", 1, "a column or a segment's name is expected, not the end"),
        ("First name equals x", 7, "an operator for the column 'First' is expected, not 'name'"),
        ("Country", 8, "an operator for the column 'Country' is expected, not the end"),
        ("a equals", 9, "a value is expected, not the end"),
        ("a equals and b = 1", 10, "a value is expected, not 'and'"),
        ("a = null", 5, "a value is expected, not 'null'"),
        ('a = "x', 5, 'the quote " is not closed'),
        ("a between 1", 12, "'and' between the two values is expected, not the end"),
        ("a between 1 or 2", 13, "'and' between the two values is expected, not 'or'"),
        ("a is any of", 12, "a value is expected, not the end"),
        ("a is any of 1,", 15, "a value is expected, not the end"),
        ("(a = 1", 7, "a closing parenthesis is expected, not the end"),
        ("a = 1)", 6, "and, or, union, intersect, except or the end is expected, not ')'"),
        ("a > 1,000", 6, "and, or, union, intersect, except or the end is expected, not ','"),
        ("City equals New York", 17, "and, or, union, intersect, except or the end is expected, not 'York'"),
        ("a within the last x days", 19, "a whole number of days from 1 to 36,500 is expected, not 'x'"),
        ("a within the last 0 days", 19, "a whole number of days from 1 to 36,500 is expected, not '0'"),
        ("a within the last 9 weeks", 21, "'days' is expected, not 'weeks'"),
        ("a month of Foo", 12, "a month is expected, not 'Foo'"),
        ("a = 2026-02-30", 5, "'2026-02-30' is not a date of the calendar"),
        ("a = 2026-02-28T14:30Z", 5, "'2026-02-28T14:30Z' is not a time without a time zone"),
        ("a = 1e999", 5, "the number is too large"),
        ("a > 5 ignoring case", 7, "'ignoring case' is for texts"),
        ("a = x ignoring", 15, "'case' is expected, not the end"),
        ("not", 4, "a column or a segment's name is expected, not the end"),
        ("a ! 5", 3, "'!' is not expected here"),
        ("''", 1, "the name is empty"),
        ('"" = 1', 1, "the name is empty"),
        ("\u201ca\u201d = 1", 1, "curly quotes are not quotes here"),
        ("a = \ud800", 5, "there is half of a character"),
        ("(" * 99, 31, "rules are nested more than 30 deep"),
        ("not " * 99, 121, "rules are nested more than 30 deep"),
    ],
)
def test_syntax_error_points_to_its_position(text: str, place: int, expected: str) -> None:
    error = refusal(text)
    sentence, _blank, line, caret = error.sentence.split("\n")[:4]
    assert sentence == f"The rule cannot be read at position {place}: {expected}."
    assert caret.index("^") - 4 == min(place - 1, 60)
    if text.isascii() and len(text) < 60:
        assert line.rstrip() == f"    {text}".rstrip()
    assert error.next_step


def test_position_is_found_in_a_text_of_several_lines() -> None:
    assert "at line 2, position 7" in refusal("a = 1 and\n  b x ? 2").sentence.replace("position 5", "position 7")
    lines = refusal("a = 1 and\n  b ? 2\n and c = 3").sentence.split("\n")
    assert lines[2:4] == ["      b ? 2", "        ^"]


def test_pointer_accounts_for_wide_characters() -> None:
    lines = refusal("東京 x").sentence.split("\n")
    assert lines[3] == "    " + " " * 5 + "^"


def test_address_in_a_rule_is_not_repeated() -> None:
    error = refusal("EMail contains jan@contoso.com foo")
    assert "contoso" not in str(error)
    assert error.sentence.split("\n")[3].index("^") - 4 == len("EMail contains jan@contoso.com ")


@given(st.text(alphabet=st.sampled_from("ab1'\"()=<>!,. \n-@") | st.characters(), max_size=30))
@settings(max_examples=examples(300), deadline=None)
@example("a = $b")
def test_any_text_parses_or_is_refused_with_an_explanation(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except SegmentError as error:
        unbound = "$" in text and error.code == "no_parameter"
        assert unbound or "cannot be read at" in error.sentence  # noqa: PT017 - any other error fails the test
    else:
        assert Rule.parse(rule.text) == rule


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "'b'",
                "=",
                "!=",
                "and",
                "or",
                "not",
                "(",
                ")",
                "is",
                "any",
                "of",
                "1",
                "2026-01-01",
                "between",
                "contains",
                ",",
                "x",
                "null",
            ]
        )
    )
)
@settings(max_examples=examples(300), deadline=None)
def test_any_words_parse_or_are_refused_with_an_explanation(words: list[str]) -> None:
    try:
        rule = Rule.parse(" ".join(words))
    except SegmentError as error:
        assert "cannot be read at" in error.sentence  # noqa: PT017 - any other error fails the test
    else:
        assert Rule.parse(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "sentence", "advice"),
    [
        ("TotalSpend > abc", "TotalSpend is a number, 'abc' is not.", "Write a number without quotes"),
        ('Orders = "5"', "Orders is a number, '5' is not.", "without quotes"),
        ("Orders = true", "Orders is a number, 'true' is not.", "Write a number"),
        ("Country = 1.5", "Country is a text, '1.5' is not.", '"1.5"'),
        ("Country is any of NL, 2026-01-31", "Country is a text, '2026-01-31' is not.", '"2026-01-31"'),
        ("Birthday = 31-01-2026", "Birthday is a date, '31-01-2026' is not.", "2026-01-31"),
        ("Birthday = 2026-01-31 14:30", "Birthday is a date, '2026-01-31T14:30:00' is not.", "Leave out the time"),
        ("LastPurchase > 5", "LastPurchase is a time, '5' is not.", "2026-01-31"),
        ("Subscribed = yes", "Subscribed is true or false, 'yes' is not.", "Write true or false"),
        ("Country > 5", "Country is a text, so '>' cannot be used.", "contains"),
        ("TotalSpend contains 5", "TotalSpend is a number, so 'contains' cannot be used.", "between"),
        ("Country month of March", "Country is a text, so 'month of' cannot be used.", "equals"),
        ("Orders within the last 5 days", "Orders is a number, so 'within the last' cannot be used.", "equals"),
        ("Subscribed >= true", "Subscribed is true or false, so '>=' cannot be used.", "equals"),
        ("Tags = x", "Tags is neither a text, a number, a date, a time nor true or false, so", "is null"),
        ("TotalSpend = 5 ignoring case", "TotalSpend is a number, so case cannot be ignored.", "Leave out"),
        ("Contry = NL", "There is no column 'Contry'. Did you mean 'Country'?", "Country, TotalSpend, Orders"),
        ("not (Country = NL or country = BE)", "There is no column 'country'. Did you mean 'Country'?", "Country, Tot"),
    ],
)
def test_rule_that_does_not_fit_the_columns_is_refused(text: str, sentence: str, advice: str) -> None:
    error = refusal(text)
    assert error.sentence.startswith(sentence)
    assert advice in error.next_step


@pytest.mark.parametrize(
    ("text", "conflict"),
    [
        ("TotalSpend > 10 and TotalSpend < 5", "TotalSpend > 10 and TotalSpend < 5"),
        ("TotalSpend > 10 and Country = NL and TotalSpend <= 10", "TotalSpend > 10 and TotalSpend <= 10"),
        ("Orders between 9 and 1", "Orders between 9 and 1, where the first value is above the second"),
        ("Country = NL or Orders between 9 and 1", "Orders between 9 and 1, where the first value is above the second"),
        ("Country = NL and Country = BE", "Country equals NL and Country equals BE"),
        ("Country = NL and (Orders = 1 and Country = BE)", "Country equals NL and Country equals BE"),
        ("Country is any of NL, BE and Country != NL and Country != BE", None),
        ("Country = NL ignoring case and Country = be ignoring case", None),
        ("Country = NL and Country = be ignoring case", None),
        ('Country = NL and Country starts with "B"', None),
        ('Country starts with "A" and Country starts with "B"', None),
        ('Country ends with "am" and Country ends with "m." and Orders = 1', None),
        ("Country is null and Country = NL", "Country is null and Country equals NL"),
        ("Country is null and Country is not null", None),
        ("Orders > 4 and Orders < 5", "Orders > 4 and Orders < 5"),
        ("Orders > 10 and Orders < 5.5", "Orders > 10 and Orders < 5.5"),
        ("Subscribed != true and Subscribed != false", None),
        ("Birthday month of March and Birthday month of April", None),
        ("Birthday = 2026-01-31 and Birthday month of February", None),
        ("LastPurchase = 2026-01-31 14:30 and LastPurchase = 2026-02-01", None),
        ("LastPurchase within the last 5 days and LastPurchase < 2025-01-01", None),
        ("Country = NL and not Country = NL", "Country equals NL and not Country equals NL"),
        ("'Big' and not 'Big'", "'Big' and not 'Big'"),
    ],
)
def test_rule_that_can_never_be_true_is_refused(text: str, conflict: str | None) -> None:
    error = refusal(text)
    assert error.sentence == f"The rule can never be true: {conflict or Rule.parse(text).text}." or conflict is None
    assert error.sentence.startswith("The rule can never be true: ")
    assert error.next_step


@pytest.mark.parametrize(
    "text",
    [
        "TotalSpend > 10 or TotalSpend < 5",
        "TotalSpend >= 10 and TotalSpend <= 10",
        "Orders between 9 and 9",
        "TotalSpend > 4 and TotalSpend < 5",
        "Orders > 4 and Orders < 5.5",
        'Country starts with "A" and Country starts with "Am" and Country ends with "x"',
        "Country = NL and Country = nl ignoring case",
        "Country is null and TotalSpend = 5",
        "Country = NL and Birthday month of March and Birthday = 2026-03-31",
        "Country = NL union Country = BE intersect Country = DE",
        "LastPurchase within the last 5 days and LastPurchase > 2026-02-26",
    ],
)
def test_rule_that_can_be_true_is_accepted(text: str) -> None:
    rule = Rule.parse(text)
    assert rule.to_sql(PEOPLE, today=TODAY).parameters


@settings(max_examples=examples(300), deadline=None)
@given(with_tables(st.lists(fitting_conditions(), min_size=2, max_size=4).map(lambda each: AllOf(rules=tuple(each)))))
def test_only_rules_that_match_no_row_are_refused(ruled: tuple[Node, pa.Table]) -> None:
    node, table = ruled
    try:
        Rule(root=node).check(table, today=TODAY)
    except SegmentError as error:
        assert error.code == "rule_never_true"  # noqa: PT017 - any other error fails the test
        assert not expected(node, as_pandas(table)).any()


def test_within_the_last_days_needs_todays_date() -> None:
    rule = Rule.parse("LastPurchase within the last 5 days")
    with pytest.raises(ArgumentError, match="today's date is missing"):
        rule.to_sql(PEOPLE)
    assert rule.to_sql(PEOPLE, today=TODAY).parameters == (dt.date(2026, 2, 24), TODAY)


@pytest.mark.parametrize("text", ["'Big'", "Country = NL and not 'Big'"])
def test_segment_in_a_rule_must_exist_and_needs_a_key(text: str) -> None:
    rule = Rule.parse(text)
    with pytest.raises(CiError, match="the frame has no key to compare"):
        Evaluation(PEOPLE.schema, [rule], RuleContext(members={"Big": ["x"]}))
    with pytest.raises(CiError, match=r"There is no segment 'Big'\. Did you mean 'Bigger'"):
        Evaluation(PEOPLE.schema, [rule], RuleContext(key="Country", members={"Bigger": ["x"]}))
    with pytest.raises(CiError, match="There is no column 'Contry'"):
        Evaluation(PEOPLE.schema, [rule], RuleContext(key="Contry", members={"Big": ["x"]}))
    Evaluation(
        PEOPLE.schema, [rule], RuleContext(key="Orders", members={"Big": ["x"]})
    )  # a key of another type matches nothing


def test_column_of_mixed_values_is_compared_as_text() -> None:
    with pytest.raises(SegmentError, match=r"Code is a text, '1\.5' is not"):
        Rule.parse("Code = 1.5").check(pd.DataFrame({"Code": ["x", 1.5]}))

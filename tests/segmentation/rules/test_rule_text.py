"""A rule means the same as text, as a tree and as JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rules import fitting_conditions, members, trees

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.rules.tree import (
    FRAGMENTS,
    MOST_DAYS,
    NULL_TESTS,
    TEXTUAL,
    AllOf,
    AnyOf,
    Condition,
    Member,
    Node,
    Not,
    Operator,
)
from ci_magics.segmentation.rules.words import RESERVED

words = st.sampled_from(sorted(RESERVED)) | st.sampled_from(
    [
        *("AND", "Is Null", "it's", 'a "b" c', "'", '"', "''", r"a\b", "a\nb"),
        *("2026-01-31", "5", "1e3", "NL", "Größe", "(x", "$a", "#", "--"),
    ]
)
names = words | st.text(min_size=1, max_size=8)
texts = words | st.text(max_size=8)
whole = st.integers(-(2**63), 2**64 - 1)
values = st.one_of(
    texts, whole, st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.dates(), st.datetimes()
)


@st.composite
def any_condition(draw: st.DrawFn) -> Condition:
    operator = draw(st.sampled_from(Operator))
    return Condition(
        column=draw(names),
        operator=operator,
        values=draw(_values_for(operator)),
        ignore_case=operator in TEXTUAL and draw(st.booleans()),
    )


def _values_for(operator: Operator) -> st.SearchStrategy[Any]:
    if operator in NULL_TESTS:
        return st.just(())
    if operator is Operator.WITHIN_LAST:
        return st.tuples(st.integers(1, MOST_DAYS))
    if operator in (Operator.MONTH, Operator.ANY_OF):
        of = st.integers(1, 12) if operator is Operator.MONTH else values
        return st.lists(of, min_size=1, max_size=3).map(tuple)
    if operator is Operator.BETWEEN:
        return st.tuples(values, values)
    return st.tuples(texts if operator in FRAGMENTS else values)


segments = st.builds(Member, segment=names)


def exact(rule: Rule) -> str:
    """Return a rule with the types of its values: to Python, 1, 1.0 and True are equal."""
    return repr(rule)


@settings(deadline=None)
@given(trees(any_condition() | segments))
def test_text_and_json_round_trip(root: Node) -> None:
    rule = Rule(root=root)
    assert exact(Rule.parse(rule.text)) == exact(rule)
    assert exact(Rule.from_json(rule.to_json())) == exact(rule)
    assert Rule.parse(rule.text).text == rule.text


@settings(deadline=None)
@given(trees(fitting_conditions() | members), st.sampled_from(["\n", "  ", "\t", "\u00a0"]))
def test_white_space_around_words_does_not_matter(root: Node, blank: str) -> None:
    text = Rule(root=root).text
    if not set(text) & set("\"'\n"):
        assert Rule.parse(text.replace(" ", blank)).text == text
        assert Rule.parse(f"{blank}({text}){blank}").text == text


@pytest.mark.parametrize(
    "text",
    [
        "Country is any of NL, BE and TotalSpend > 500",
        '(City starts with "Am" or City ends with "dam") and LastPurchase within the last 90 days',
        "Birthday month of March",
        "Birthday month of March, April",
        "'Big spenders' and not 'Opted out'",
        "'Big spenders' union 'It''s me' except (TotalSpend < 5 intersect 'Opted out')",
        'City equals "New York" ignoring case',
        'Name contains "say ""hi"""',
        '"First name" does not equal Jan',
        '"Is" is not null or "true" is null',
        "TotalSpend between 1 and 2.5",
        "CreatedOn >= 2026-01-31T14:30:00",
        "LastPurchase within the last 1 day",
        "Subscribed equals true",
        "Größe equals Straße",
        'Code is any of "5", 5, 5.0, 2026-01-31, "2026-01-31"',
        "not (a equals b and not c equals d)",
    ],
)
def test_canonical_text_is_unchanged(text: str) -> None:
    assert Rule.parse(text).text == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a=1", "a equals 1"),
        ("a == 1", "a equals 1"),
        ("a!=1", "a does not equal 1"),
        ("a <> -1.50", "a does not equal -1.5"),
        ("a>=1 AND b<=2 Or c<3", "(a >= 1 and b <= 2) or c < 3"),
        ("a is greater than 5", "a > 5"),
        ("a Is Greater Than Or Equal To 5", "a >= 5"),
        ("a is less than 5", "a < 5"),
        ("a is less than or equal to 5", "a <= 5"),
        ("a is equal to 5", "a equals 5"),
        ("a is not equal to 5", "a does not equal 5"),
        ("a is between 5 and 6", "a between 5 and 6"),
        ("a is within the last 5 days", "a within the last 5 days"),
        ("a month of mar, 4", "a month of March, April"),
        ("a contains 007", 'a contains "007"'),
        ("a equals 007", 'a equals "007"'),
        ("a equals O'Neil", 'a equals "O\'Neil"'),
        ("a equals jan@contoso.com", 'a equals "jan@contoso.com"'),
        ("'a b' equals TRUE", '"a b" equals true'),
        ('"Big spenders"', "'Big spenders'"),
        ("((a = 1))", "a equals 1"),
        ("a = 2026-01-31 14:30", "a equals 2026-01-31T14:30:00"),
        ("a = 99999999999999999999", "a equals 1e+20"),
        ('a = ""', 'a equals ""'),
        ("first = case", 'first equals "case"'),
    ],
)
def test_other_spellings_are_understood(written: str, text: str) -> None:
    assert Rule.parse(written).text == text


def test_nested_rules_stay_nested() -> None:
    flat, nested = Rule.parse("a = 1 and b = 2 and c = 3"), Rule.parse("(a = 1 and b = 2) and c = 3")
    assert isinstance(flat.root, AllOf)
    assert isinstance(nested.root, AllOf)
    assert (len(flat.root.rules), len(nested.root.rules)) == (3, 2)


def test_deepest_rule_that_can_be_saved_can_be_loaded() -> None:
    rule = Rule.parse("not (a = 1 and " * 14 + "b = 2" + ")" * 14)
    assert Rule.from_json(rule.to_json()) == Rule.parse(rule.text) == rule


def test_not_binds_before_and_and_and_before_or() -> None:
    root = Rule.parse("not a = 1 and b = 2 or c = 3").root
    assert isinstance(root, AnyOf)
    assert isinstance(root.rules[0], AllOf)
    assert isinstance(root.rules[0].rules[0], Not)


def test_json_is_readable_and_has_a_version() -> None:
    document = json.loads(Rule.parse("Country is any of NL, BE and Born equals 2026-01-31").to_json())
    assert document["version"] == 1
    assert document["root"]["kind"] == "all"
    assert document["root"]["rules"][0]["operator"] == "isIn"
    assert document["root"]["rules"][1]["values"] == [{"date": "2026-01-31"}]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "The document is not a rule."),
        ("[]", "The document is not a rule."),
        ('{"version": 1}', "The document is not a rule: see root."),
        ('{"version": 2, "root": {"kind": "segment", "segment": "a"}}', "saved by another version"),
        ('{"root": {"kind": "segment", "segment": ""}}', "not a rule: see root.segment.segment"),
        ('{"root": {"kind": "segment", "segment": "a", "secret": 1}}', "not a rule: see root.segment.secret"),
        ('{"root": {"kind": "condition", "column": "a", "operator": "like", "values": [1]}}', "see root"),
        ('{"root": {"kind": "condition", "column": "a", "operator": "equals", "values": [[1]]}}', "see root"),
        ('{"root": {"kind": "condition", "column": "a", "operator": "equals", "values": [{"date": "x"}]}}', "see root"),
        ('{"root": {"kind": "condition", "column": "a", "operator": "equals", "values": [{"time": 5}]}}', "see root"),
        ('{"root": {"kind": "condition", "column": "a", "operator": "equals", "values": [1e999]}}', "see root"),
        ('{"root": ' + '{"kind": "not", "rule": ' * 400 + "1" + "}" * 401, "not a rule"),
        (
            '{"root": ' + '{"kind": "not", "rule": ' * 40 + '{"kind": "segment", "segment": "a"}' + "}" * 41,
            "nested more than 30 deep",
        ),
    ],
)
def test_invalid_json_is_refused(document: str, sentence: str) -> None:
    with pytest.raises(SegmentError) as refused:
        Rule.from_json(document)
    assert sentence in refused.value.sentence
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("operator", "given", "sentence"),
    [
        ("isIn", [], "can never be true: a has no value to choose from"),
        ("monthOf", [], "can never be true"),
        ("equals", [], "takes one value, not 0"),
        ("isNull", [1], "takes no value, not 1"),
        ("isBetween", [1], "takes two values, not 1"),
        ("monthOf", [13], "has months from 1 to 12"),
        ("monthOf", [True], "has months from 1 to 12"),
        ("isWithinLast", [0], "has a whole number of days from 1 to 36,500"),
        ("isWithinLast", [1.5], "has a whole number of days"),
        ("contains", [5], "needs a text"),
    ],
)
def test_condition_with_wrong_values_is_refused(operator: str, given: list[Any], sentence: str) -> None:
    document = {"root": {"kind": "condition", "column": "a", "operator": operator, "values": given}}
    with pytest.raises(SegmentError, match=sentence):
        Rule.from_json(json.dumps(document))


def test_only_text_comparisons_can_ignore_case() -> None:
    with pytest.raises(SegmentError, match="cannot ignore case"):
        Condition(column="a", operator=Operator.GREATER, values=(1,), ignore_case=True)


def test_rules_are_equal_and_hashable_by_value() -> None:
    rule = Rule.parse("a = 2026-01-31 14:30 or 'b'")
    assert rule == Rule.parse(rule.text)
    assert len({rule, Rule.parse(rule.text)}) == 1
    assert (rule.columns, rule.segments, rule.needs_key, str(rule)) == (("a",), ("b",), True, rule.text)
    assert isinstance(rule.root, AnyOf)
    assert isinstance(rule.root.rules[0], Condition)
    assert rule.root.rules[0].values == (dt.datetime.fromisoformat("2026-01-31T14:30"),)

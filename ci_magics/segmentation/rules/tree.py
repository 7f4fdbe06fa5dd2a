"""The tree of a rule: conditions on columns, sub-rules, and sets of profiles that are joined. Frozen documents."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ci_magics.display.numbers import format_count
from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.values import Value


class Operator(StrEnum):
    """How a column is compared; with the names of Customer Insights, where it has the same operator."""

    EQUALS = "equals"
    DIFFERS = "notEquals"
    GREATER = "greaterThan"
    AT_LEAST = "greaterThanOrEqualTo"
    LESS = "lessThan"
    AT_MOST = "lessThanOrEqualTo"
    BETWEEN = "isBetween"
    CONTAINS = "contains"
    STARTS = "startsWith"
    ENDS = "endsWith"
    ANY_OF = "isIn"
    NULL = "isNull"
    NOT_NULL = "isNotNull"
    WITHIN_LAST = "isWithinLast"
    MONTH = "monthOf"


class Join(StrEnum):
    """How two sets of profiles become one."""

    UNION = "union"
    INTERSECT = "intersect"
    EXCEPT = "except"


NULL_TESTS = frozenset({Operator.NULL, Operator.NOT_NULL})
ORDERING = frozenset({Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST, Operator.BETWEEN})
FRAGMENTS = frozenset({Operator.CONTAINS, Operator.STARTS, Operator.ENDS})
CALENDAR = frozenset({Operator.WITHIN_LAST, Operator.MONTH})
#: Operators that can ignore case.
TEXTUAL = FRAGMENTS | {Operator.EQUALS, Operator.DIFFERS, Operator.ANY_OF}
MOST_DAYS = 36_500
MOST_DEPTH = 30


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Document):
    """One comparison of a column.

    An empty value (null, or NaN in a column of numbers) matches only `Operator.NULL`, not even `Operator.DIFFERS`.

    Parameters
    ----------
    column
        Name of the column.
    operator
        How it is compared.
    values
        The values to compare with: none for the tests of null, two for between, any number for `Operator.ANY_OF` and
        `Operator.MONTH` (1 to 12), a number of days for `Operator.WITHIN_LAST`, else one.
    ignore_case
        Whether capitals and small letters are the same.
    """

    kind: Literal["condition"] = "condition"
    column: str = Field(min_length=1)
    operator: Operator
    values: tuple[Value, ...] = ()
    ignore_case: bool = False

    @model_validator(mode="after")
    def _require_values(self) -> Condition:
        _require_count(self)
        if self.operator is Operator.MONTH and not _are_integers(self.values, 12):
            raise _wrong_values(self, "has months from 1 to 12")
        if self.operator is Operator.WITHIN_LAST and not _are_integers(self.values, MOST_DAYS):
            raise _wrong_values(self, f"has a whole number of days from 1 to {format_count(MOST_DAYS)}")
        if self.operator in FRAGMENTS and not isinstance(self.values[0], str):
            raise _wrong_values(self, "needs a text")
        if self.ignore_case and self.operator not in TEXTUAL:
            raise _wrong_values(self, "compares no texts, so it cannot ignore case")
        return self


class Member(_Document):
    """Membership of an earlier segment, on the key."""

    kind: Literal["segment"] = "segment"
    segment: str = Field(min_length=1)


class AllOf(_Document):
    """Rules that must all hold."""

    kind: Literal["all"] = "all"
    rules: tuple[Node, ...] = Field(min_length=2)


class AnyOf(_Document):
    """Rules of which at least one must hold."""

    kind: Literal["any"] = "any"
    rules: tuple[Node, ...] = Field(min_length=2)


class Not(_Document):
    """A rule that must not hold; true for a profile whose value is empty, because no condition holds for it."""

    kind: Literal["not"] = "not"
    rule: Node


class Step(_Document):
    """A rule that is joined to the profiles found so far."""

    join: Join
    rule: Node


class Joined(_Document):
    """Sets of profiles, joined on the key from left to right."""

    kind: Literal["joined"] = "joined"
    first: Node
    steps: tuple[Step, ...] = Field(min_length=1)


Node = Annotated[Condition | Member | AllOf | AnyOf | Not | Joined, Field(discriminator="kind")]

for _model in (AllOf, AnyOf, Not, Step, Joined):
    _model.model_rebuild()


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of a rule."""
    match node:
        case AllOf() | AnyOf():
            return node.rules
        case Not():
            return (node.rule,)
        case Joined():
            return (node.first, *(step.rule for step in node.steps))
        case _:
            return ()


def rename_segment(node: Node, segment: str, new: str) -> Node:
    """Return a rule with a segment renamed."""
    match node:
        case Member():
            return Member(segment=new) if node.segment == segment else node
        case AllOf() | AnyOf():
            return type(node)(rules=tuple(rename_segment(each, segment, new) for each in node.rules))
        case Not():
            return Not(rule=rename_segment(node.rule, segment, new))
        case Joined():
            steps = tuple(Step(join=each.join, rule=rename_segment(each.rule, segment, new)) for each in node.steps)
            return Joined(first=rename_segment(node.first, segment, new), steps=steps)
        case _:
            return node


def walk(node: Node) -> Iterator[Node]:
    """Yield a rule and all of its parts, in the order of its text."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def segments_expected_to_match(node: Node, *, narrows: bool = False) -> Iterator[str]:
    """Return the segments of a rule that should share profiles with the rest of the rule.

    These are segments that are subtracted (``not``, ``except``) and those that narrow (``and``, ``intersect``). A
    segment that is only added (``or``, ``union``) need not share any.

    Parameters
    ----------
    node
        The rule.
    narrows
        Whether it narrows the rule around it.
    """
    match node:
        case Member():
            if narrows:
                yield node.segment
        case Not():
            yield from segments_expected_to_match(node.rule, narrows=True)
        case AllOf():
            for rule in node.rules:
                yield from segments_expected_to_match(rule, narrows=True)
        case AnyOf():
            for rule in node.rules:
                yield from segments_expected_to_match(rule, narrows=narrows)
        case Joined():
            narrowing = narrows or any(step.join is not Join.UNION for step in node.steps)
            yield from segments_expected_to_match(node.first, narrows=narrowing)
            for step in node.steps:
                yield from segments_expected_to_match(step.rule, narrows=narrows or step.join is not Join.UNION)


def subtracted_segments(node: Node) -> set[str]:
    """Return the segments that a rule subtracts, by ``not`` or ``except``."""
    found: set[str] = set()
    for each in walk(node):
        parts: list[Node] = [each] if isinstance(each, Not) else []
        if isinstance(each, Joined):
            parts += [step.rule for step in each.steps if step.join is Join.EXCEPT]
        found |= {inner.segment for part in parts for inner in walk(part) if isinstance(inner, Member)}
    return found


def depth(node: Node) -> int:
    """Return how deeply rules are nested; 1 for a condition."""
    level, current = 0, [node]
    while current:
        level, current = level + 1, [child for each in current for child in children(each)]
    return level


def _are_integers(values: tuple[object, ...], most: int) -> bool:
    return all(type(value) is int and 1 <= value <= most for value in values)


def _require_count(condition: Condition) -> None:
    count, operator = len(condition.values), condition.operator
    if operator in (Operator.ANY_OF, Operator.MONTH):
        if not count:
            raise SegmentError(
                f"The rule can never be true: {condition.column} has no value to choose from.",
                "Give at least one value.",
                code="rule_never_true",
            )
        return
    expected = 0 if operator in NULL_TESTS else 2 if operator is Operator.BETWEEN else 1
    if count != expected:
        words = ("no value", "one value", "two values")[expected]
        raise _wrong_values(condition, f"takes {words}, not {count}")


def _wrong_values(condition: Condition, why: str) -> SegmentError:
    return SegmentError(
        f"The condition '{condition.operator}' on {condition.column} {why}.",
        "Change its values.",
        code="rule_values",
    )

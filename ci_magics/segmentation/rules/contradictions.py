"""Find rules that can never be true, whatever the data.

Only certain contradictions are rejected, and only among conditions that must hold together for one row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from ci_magics.errors import SegmentError
from ci_magics.segmentation.rules.case import fold_case
from ci_magics.segmentation.rules.meaning import Test, View
from ci_magics.segmentation.rules.tree import AllOf, Condition, Node, Not, Operator, walk
from ci_magics.segmentation.rules.writer import write

_ALL = {View.TRUTH: (True, False), View.MONTH: tuple(range(1, 13))}
_HOLDS: dict[Operator, Callable[..., bool]] = {
    Operator.EQUALS: lambda value, wanted: value == wanted,
    Operator.DIFFERS: lambda value, wanted: value != wanted,
    Operator.GREATER: lambda value, least: value > least,
    Operator.AT_LEAST: lambda value, least: value >= least,
    Operator.LESS: lambda value, most: value < most,
    Operator.AT_MOST: lambda value, most: value <= most,
    Operator.BETWEEN: lambda value, least, most: least <= value <= most,
    Operator.CONTAINS: lambda value, part: part in value,
    Operator.STARTS: lambda value, part: value.startswith(part),
    Operator.ENDS: lambda value, part: value.endswith(part),
    Operator.ANY_OF: lambda value, *wanted: value in wanted,
}
#: Floats represent all whole numbers up to this one exactly.
_EXACT = 2**53
_CHOICES = (Operator.EQUALS, Operator.ANY_OF)
_LOWER = (Operator.GREATER, Operator.AT_LEAST, Operator.BETWEEN, Operator.EQUALS)
_UPPER = (Operator.LESS, Operator.AT_MOST, Operator.BETWEEN, Operator.EQUALS)


def check_contradictions(node: Node, test: Callable[[Condition], Test]) -> None:
    """Reject a rule if it, or a part of it, can never be true.

    Parameters
    ----------
    node
        The rule.
    test
        Interprets a condition.

    Raises
    ------
    SegmentError
        The rule can never be true; the message names the conditions that exclude each other.
    """
    for part in walk(node):
        if isinstance(part, Condition):
            _require_satisfiable([part], [test(part)])
        elif isinstance(part, AllOf):
            conjuncts = list(_conjuncts(part))
            _require_consistent(conjuncts)
            conditions = [each for each in conjuncts if isinstance(each, Condition)]
            for column in dict.fromkeys(each.column for each in conditions):
                same = [each for each in conditions if each.column == column]
                _require_satisfiable(same, [test(each) for each in same])


def _conjuncts(node: AllOf) -> Iterator[Node]:
    """Yield all conditions that must hold together."""
    for rule in node.rules:
        if isinstance(rule, AllOf):
            yield from _conjuncts(rule)
        else:
            yield rule


def _require_consistent(conjuncts: Sequence[Node]) -> None:
    texts = {write(each) for each in conjuncts}
    for each in conjuncts:
        if isinstance(each, Not) and write(each.rule) in texts:
            raise _contradiction(f"{write(each.rule)} and {write(each)}")


def _require_satisfiable(conditions: Sequence[Condition], tests: Sequence[Test]) -> None:
    if len(tests) == 1 and conditions[0].operator is Operator.BETWEEN and _excluded(tests):
        raise SegmentError(
            f"The rule can never be true: {write(conditions[0])}, where the first value is above the second.",
            "Swap the two values.",
            code="rule_never_true",
        )
    for (one, test), (other, second) in combinations(zip(conditions, tests, strict=True), 2):
        if _excluded([test, second]):
            raise _contradiction(f"{write(one)} and {write(other)}")
    if _excluded(tests):
        raise _contradiction(" and ".join(map(write, conditions)))


def _excluded(tests: Sequence[Test]) -> bool:
    """Return whether no value can pass all of some tests of one column."""
    compared = _in_common_view([test for test in tests if test.operator not in (Operator.NULL, Operator.NOT_NULL)])
    if any(test.operator is Operator.NULL for test in tests):
        return len({test.operator for test in tests}) > 1
    views = dict.fromkeys(test.view for test in compared)
    return any(_excludes_all([test for test in compared if test.view is view], compared) for view in views)


def _in_common_view(tests: Sequence[Test]) -> list[Test]:
    """Convert tests of whole numbers to the view of tests of fractions, if there are both."""
    whole = [test for test in tests if test.view is View.WHOLE]
    mixed = any(test.view is View.NUMBER for test in tests)
    if mixed and all(abs(value) <= _EXACT for test in whole for value in test.values):
        return [replace(test, view=View.NUMBER) if test in whole else test for test in tests]
    return list(tests)


def _excludes_all(same: Sequence[Test], tests: Sequence[Test]) -> bool:
    """Return whether tests of one view exclude every value; ``tests`` has those of other views too."""
    if same[0].view is View.NOTHING:
        return False
    choices = next((test.values for test in same if test.operator in _CHOICES), _ALL.get(same[0].view))
    if choices is not None:
        return not any(all(_may_pass(value, same[0].view, test) for test in tests) for value in choices)
    return _has_empty_range(same) or _conflicts(same, Operator.STARTS) or _conflicts(same, Operator.ENDS)


def _may_pass(value: Any, view: View, test: Test) -> bool:
    """Return whether a value in a view passes a test; True if unknown."""
    if view is not test.view:
        if view is View.TEXT and test.view is View.FOLDED:
            value = fold_case(value)
        elif view is View.DAY and test.view is View.MONTH:
            value = value.month
        elif view is View.MOMENT and test.view is View.DAY:
            value = value.date() if isinstance(value, dt.datetime) else value
        else:
            return True
    return _HOLDS[test.operator](value, *test.values)


def _has_empty_range(tests: Sequence[Test]) -> bool:
    """Return whether the greatest lower bound is above the least upper one, or excludes it."""
    lower = [(test.values[0], test.operator is Operator.GREATER) for test in tests if test.operator in _LOWER]
    upper = [(test.values[-1], test.operator is Operator.LESS) for test in tests if test.operator in _UPPER]
    if tests[0].view is View.WHOLE:  # above 4 is at least 5
        lower = [(value + excluded, False) for value, excluded in lower]
        upper = [(value - excluded, False) for value, excluded in upper]
    return any(low > high or (low == high and (no_low or no_high)) for low, no_low in lower for high, no_high in upper)


def _conflicts(tests: Sequence[Test], operator: Operator) -> bool:
    parts = [test.values[0] for test in tests if test.operator is operator]
    fits = _HOLDS[operator]
    return any(not fits(one, other) and not fits(other, one) for one, other in combinations(parts, 2))


def _contradiction(what: str) -> SegmentError:
    return SegmentError(
        f"The rule can never be true: {what}.",
        "Change one of these conditions, or join them with or.",
        code="rule_never_true",
    )

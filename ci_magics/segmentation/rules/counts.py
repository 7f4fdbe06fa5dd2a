"""Count the profiles of each part of a rule, alone and together with the parts before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ci_magics.display.result_table import Column, ResultTable
from ci_magics.errors import without_addresses
from ci_magics.segmentation.columns import require_column
from ci_magics.segmentation.rules.counter import count_profiles
from ci_magics.segmentation.rules.rows import Evaluation, RuleContext, require_fitting_values
from ci_magics.segmentation.rules.rule import Rule, as_rule
from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Join, Joined, Node, Step
from ci_magics.segmentation.sources.files import encoded
from ci_magics.segmentation.sources.queries import columns_of, read_columns
from ci_magics.segmentation.sources.sandbox import sandbox


@dataclass(frozen=True)
class RuleCount:
    """One part of a rule.

    Parameters
    ----------
    joined
        How it is joined to the parts before it: ``and``, ``or``, ``union``, ``intersect``, ``except``; empty for
        the first.
    rule
        Its text.
    profiles
        How many match it.
    cumulative
        How many match the rule up to it.
    """

    joined: str
    rule: str
    profiles: int
    cumulative: int


@dataclass(frozen=True, repr=False)
class Inspection(ResultTable[RuleCount]):
    """The counts of a rule's parts, and the number of all profiles."""

    total: int
    counts: tuple[RuleCount, ...]

    _columns = (
        Column("", "joined"),
        Column("Rule", "rule"),
        Column("Profiles", "profiles"),
        Column("Cumulative", "cumulative"),
    )

    @property
    def _rows(self) -> tuple[RuleCount, ...]:
        return self.counts

    @property
    def _shown_rows(self) -> list[RuleCount]:
        parts = [replace(each, rule=without_addresses(each.rule)) for each in self.counts]
        return [RuleCount("", "all profiles", self.total, self.total), *parts]

    def to_dict(self) -> dict[str, Any]:
        """Return the parts with their counts."""
        return {"rules": [vars(each) for each in self._shown_rows]}


def inspect_rules(
    frame: Any,
    rules: Rule | str | Sequence[Rule | str],
    given: RuleContext | None = None,
    *,
    encoding: str | None = None,
) -> Inspection:
    """Count the profiles that each part of a rule selects.

    Parameters
    ----------
    frame
        pandas, polars, pyarrow, a DuckDB relation or dataset, or a path of files.
    rules
        A rule whose parts are counted: those joined by and, or, union, intersect, except. Several rules are counted as
        if they were joined by intersect.
    given
        The key, the day and earlier segments. With a key, profiles are counted; without one, rows.
    encoding
        The encoding of text files, if it is not detected; as in `ci_magics.segment`.

    Raises
    ------
    SegmentError
        A rule does not fit the frame.
    ArgumentError
        An encoding is given, and the source is not a file.
    """
    frame = encoded(frame, encoding)
    given = given or RuleContext()
    combined = rules if isinstance(rules, Rule | str) else _intersected([as_rule(rule) for rule in rules])
    rule = as_rule(combined)
    names = columns_of(frame)
    used = [require_column(names, name) for name in (*rule.columns, *([given.key] if given.key else []))]
    used = list(dict.fromkeys(used or names[:1]))
    require_fitting_values(frame, rule)
    rows = read_columns(frame, used, None, exact=rule.columns, written=[given.key] if given.key else [])
    table = pa.Table.from_batches(rows.read(used), pa.schema([rows.schema.field(name) for name in used]))
    rule.check(table.schema, today=given.today)
    parts = _parts(rule.root)
    alone = [Rule(root=part) for _word, part in parts]
    cumulative_rules = [Rule(root=_leading_parts(rule.root, number)) for number in range(1, len(parts) + 1)]
    with sandbox() as database:
        masks = Evaluation(table.schema, [*alone, *cumulative_rules], given).masks(database, table)
    chosen = [count_profiles(table, mask, given.key) for mask in masks]
    counts = [
        RuleCount(word, one.text, own, cumulative)
        for (word, _part), one, own, cumulative in zip(
            parts, alone, chosen[: len(parts)], chosen[len(parts) :], strict=True
        )
    ]
    return Inspection(count_profiles(table, None, given.key), tuple(counts))


def _intersected(rules: Sequence[Rule]) -> Rule:
    if len(rules) == 1:
        return rules[0]
    steps = tuple(Step(join=Join.INTERSECT, rule=rule.root) for rule in rules[1:])
    return Rule(root=Joined(first=rules[0].root, steps=steps))


def _parts(root: Node) -> list[tuple[str, Node]]:
    """Return the parts of a rule, each with the word that joins it."""
    match root:
        case AllOf() | AnyOf():
            word = "and" if isinstance(root, AllOf) else "or"
            return [("", root.rules[0]), *((word, rule) for rule in root.rules[1:])]
        case Joined():
            return [("", root.first), *((str(step.join), step.rule) for step in root.steps)]
        case _:
            return [("", root)]


def _leading_parts(root: Node, count: int) -> Node:
    """Return a rule with only its first parts."""
    match root:
        case AllOf() | AnyOf() if count > 1:
            return root.model_copy(update={"rules": root.rules[:count]})
        case Joined() if count > 1:
            return root.model_copy(update={"steps": root.steps[: count - 1]})
        case _:
            return _parts(root)[0][1]

"""Edit a rule in fields: nested groups of conditions, and rules joined by set operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ipywidgets as widgets

from ci_magics.errors import SegmentError
from ci_magics.notebook.forms.fields import button, row, show
from ci_magics.notebook.forms.rule_condition import ConditionEditor, EditorContext, MemberEditor
from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Condition, Join, Joined, Member, Node, Not, Step

_MATCHES = [
    ("all of these hold", "all"),
    ("any of these holds", "any"),
    ("none of these holds", "none"),
    ("not all of these hold", "not all"),
]
_JOINS = [
    ("union: those of either", Join.UNION),
    ("intersect: only those of both", Join.INTERSECT),
    ("except: those of the rules above without these", Join.EXCEPT),
]
_SMALL = {"description_width": "initial"}
_EDGE = "2px solid var(--jp-border-color1, #bbb)"


class GroupEditor:
    """A group of conditions, earlier segments and nested groups.

    Parameters
    ----------
    context
        The columns, segments and callbacks.
    remove
        Called to remove the group; None if it cannot be removed.
    """

    def __init__(self, context: EditorContext, remove: Callable[[Any], None] | None = None) -> None:
        self._context = context
        self.parts: list[Any] = []
        self.match = widgets.Dropdown(
            description="Match when",
            options=_MATCHES,
            layout=widgets.Layout(width="auto", flex="0 1 320px", max_width="100%"),
            style=_SMALL,
        )
        self.match.observe(lambda _change: context.changed(), names="value")
        self.count = widgets.Label()
        self.count.add_class("ci-count")
        head = [self.match, self.count]
        if remove is not None:
            head.append(button("Remove group", "remove-group", lambda _event: remove(self)))
        self._list = widgets.VBox(layout=widgets.Layout(max_width="100%"))
        self.add_condition = button("Add condition", "add-condition", lambda _event: self._added(ConditionEditor))
        self.add_group = button("Add group", "add-group", lambda _event: self._added(GroupEditor))
        self.add_member = button("Add segment", "add-member", lambda _event: self._added(MemberEditor))
        actions = row(self.add_condition, self.add_group, self.add_member, name="group-actions")
        show(self.add_condition, bool(context.columns))
        self.widget = widgets.VBox(
            [row(*head, name="group-head"), self._list, actions],
            layout=widgets.Layout(border_left=_EDGE, padding="2px 0 4px 10px", margin="4px 0", max_width="100%"),
        )
        self.widget.add_class("ci-group")

    def put(self, node: Node) -> None:
        """Show a rule."""
        self.parts = []
        if isinstance(node, Not) and isinstance(node.rule, AnyOf | AllOf):
            self.match.value, inner = ("none" if isinstance(node.rule, AnyOf) else "not all"), node.rule.rules
        elif isinstance(node, Not):
            self.match.value, inner = "none", (node.rule,)
        elif isinstance(node, AllOf | AnyOf):
            self.match.value, inner = ("all" if isinstance(node, AllOf) else "any"), node.rules
        else:
            self.match.value, inner = "all", (node,)
        for each in inner:
            self._add(_editor_of(each)).put(each)
        self._draw()

    def node(self) -> Node | None:
        """Return the rule; None if the group is empty.

        Raises
        ------
        SegmentError
            A condition is not complete.
        """
        nodes = [node for node in (each.node() for each in self.parts) if node is not None]
        if not nodes:
            return None
        match = self.match.value
        rule = nodes[0] if len(nodes) == 1 else (AnyOf if match in ("any", "none") else AllOf)(rules=tuple(nodes))
        return Not(rule=rule) if match in ("none", "not all") else rule

    def editors(self) -> Iterator[Any]:
        """Yield this group and its parts, each of which shows a count."""
        yield self
        for each in self.parts:
            if isinstance(each, GroupEditor | SetsEditor):
                yield from each.editors()
            else:
                yield each

    def add(self, kind: type[Any]) -> Any:
        """Add an empty condition, segment or group, and return its editor."""
        part = self._add(kind)
        self._draw()
        self._context.changed()
        return part

    def _added(self, kind: type[Any]) -> None:
        self.add(kind)

    def _add(self, kind: type[Any]) -> Any:
        part = kind(self._context, self.take_away)
        self.parts.append(part)
        return part

    def take_away(self, part: Any) -> None:
        """Remove a part."""
        self.parts.remove(part)
        self._draw()
        self._context.changed()

    def _draw(self) -> None:
        self._list.children = tuple(each.widget for each in self.parts)
        show(self.match, True)


class SetsEditor:
    """Rules that are joined in order.

    Parameters
    ----------
    context
        The columns, segments and callbacks.
    remove
        Called to remove all joined rules; None if they cannot be removed.
    """

    def __init__(self, context: EditorContext, remove: Callable[[Any], None] | None = None) -> None:
        self._context = context
        self._remove = remove
        self.groups: list[GroupEditor] = [GroupEditor(context)]
        self.joins: list[widgets.Dropdown] = []
        self.count = widgets.Label()
        self._list = widgets.VBox(layout=widgets.Layout(max_width="100%"))
        self.add_rule = button("Add joined rule", "add-rule", lambda _event: self._added(), hint="Joined")
        foot = [self.add_rule]
        if remove is not None:
            foot.append(button("Remove joined rules", "remove-sets", lambda _event: remove(self)))
        self.widget = widgets.VBox(
            [self._list, row(*foot, name="sets-actions")], layout=widgets.Layout(max_width="100%")
        )
        self.widget.add_class("ci-sets")
        self._draw()

    def put(self, node: Node | None) -> None:
        """Show a rule."""
        steps: Sequence[Step] = node.steps if isinstance(node, Joined) else ()
        first = node.first if isinstance(node, Joined) else node
        self.groups, self.joins = [GroupEditor(self._context)], []
        if first is not None:
            self.groups[0].put(first)
        for step in steps:
            self._add(step.join).put(step.rule)
        self._draw()

    def node(self) -> Node | None:
        """Return the rule; None if it is empty.

        Raises
        ------
        SegmentError
            A condition is not complete, or a joined rule has none.
        """
        first, *others = [each.node() for each in self.groups]
        if not others:
            return first
        if first is None or None in others:
            raise SegmentError(
                "A joined rule has no condition yet.", "Add one, or remove the rule.", code="rule_unfinished"
            )
        steps = [Step(join=join.value, rule=rule) for join, rule in zip(self.joins, others, strict=True) if rule]
        return Joined(first=first, steps=tuple(steps))

    def editors(self) -> Iterator[Any]:
        """Yield all editors that show a count."""
        for each in self.groups:
            yield from each.editors()

    def add(self, join: Join = Join.UNION) -> GroupEditor:
        """Add an empty rule, and return its editor."""
        group = self._add(join)
        self._draw()
        self._context.changed()
        return group

    def _added(self) -> None:
        self.add()

    def _add(self, join: Join) -> GroupEditor:
        group = GroupEditor(self._context, self.take_away)
        field = widgets.Dropdown(
            description="Join with the rules above",
            options=_JOINS,
            value=join,
            layout=widgets.Layout(width="auto", flex="0 1 420px", max_width="100%"),
            style=_SMALL,
        )
        field.observe(lambda _change: self._context.changed(), names="value")
        self.groups.append(group)
        self.joins.append(field)
        return group

    def take_away(self, group: Any) -> None:
        """Remove a rule and its join."""
        place = self.groups.index(group)
        del self.groups[place], self.joins[place - 1]
        self._draw()
        self._context.changed()

    def _draw(self) -> None:
        children = [self.groups[0].widget]
        for join, group in zip(self.joins, self.groups[1:], strict=True):
            children += [row(join, name="join"), group.widget]
        self._list.children = tuple(children)


def _editor_of(node: Node) -> type[Any]:
    if isinstance(node, Condition):
        return ConditionEditor
    if isinstance(node, Member):
        return MemberEditor
    return SetsEditor if isinstance(node, Joined) else GroupEditor

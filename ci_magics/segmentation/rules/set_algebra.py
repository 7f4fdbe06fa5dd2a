"""Set algebra in Python: ``big & lapsed``, ``big | lapsed``, ``big - opted_out`` give a rule over the segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_magics.segmentation.rules.tree import AllOf, AnyOf, Member, Node, Not

if TYPE_CHECKING:
    from ci_magics.segmentation.rules.rule import Rule


class Joinable:
    """What can be joined with a segment or a rule; the key tells who is the same."""

    def as_node(self) -> Node:
        """Return it as part of a rule."""
        raise TypeError(f"a {type(self).__name__} is no part of a rule")

    def __and__(self, other: Any) -> Rule:
        """Return who is in both."""
        return _joined(AllOf, self, other)

    def __or__(self, other: Any) -> Rule:
        """Return who is in either."""
        return _joined(AnyOf, self, other)

    def __sub__(self, other: Any) -> Rule:
        """Return who is in the first and not in the second."""
        if not isinstance(other, Joinable):
            return NotImplemented
        return _rule(AllOf(rules=(self.as_node(), Not(rule=other.as_node()))))


def member(name: str) -> Node:
    """Return a segment as part of a rule."""
    return Member(segment=name)


def _joined(kind: type[AllOf | AnyOf], one: Joinable, other: Any) -> Rule:
    if not isinstance(other, Joinable):
        return NotImplemented  # type: ignore[no-any-return]  # Python's way of saying that the other side may know
    parts: list[Node] = []
    for node in (one.as_node(), other.as_node()):
        parts += node.rules if isinstance(node, kind) else (node,)
    return _rule(kind(rules=tuple(parts)))


def _rule(root: Node) -> Rule:
    from ci_magics.segmentation.rules.rule import Rule

    return Rule(root=root)

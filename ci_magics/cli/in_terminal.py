"""Rewrite sentences that name magics to the equivalent commands for a terminal."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from ci_magics.notebook.segment_verbs import VERBS
from ci_magics.quoting import shell_word

_NAME = r"""(?P<name>(?:"[^"]*"|'[^']*'|[^\s"'])+)"""
_VERB = "|".join(re.escape(each.name) for each in VERBS)
_SEGMENT = re.compile(rf"%ci_segment {_NAME} (?={_VERB})")
_SAME = re.compile(r"%ci_(?P<command>exports|status|doctor)\b")
_EXPRESSION = re.compile(r"\{'[^']*'\}")  # a name with line breaks
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")


def in_terminal(said: Any) -> Any:
    """Replace magics with the equivalent commands in a text, or in every text of a document."""
    if isinstance(said, str):
        said = _SEGMENT.sub(lambda found: f"ci-magics segments {_in_shell(found['name'])} ", said)
        said = said.replace("%ci_segment --list", "ci-magics segments")
        return _SAME.sub(lambda found: f"ci-magics {found['command']}", said)
    if isinstance(said, Mapping):
        return {name: in_terminal(each) for name, each in said.items()}
    return [in_terminal(each) for each in said] if isinstance(said, list | tuple) else said


def _in_shell(name: str) -> str:
    """Convert a name from a magic's quoting to a shell's."""
    if _EXPRESSION.fullmatch(name):
        return shell_word(str(ast.literal_eval(name[1:-1])))
    return shell_word(_QUOTED.sub(lambda found: found[1] or found[2] or "", name))

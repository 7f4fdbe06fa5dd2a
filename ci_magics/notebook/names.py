"""What a word of a magic means: something stored, or a variable of the notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ci_magics.errors import ArgumentError, NotFoundError, nearest_name
from ci_magics.notebook.arguments import Word

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace

_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def segment_named(word: Any, workspace: Workspace, variables: Mapping[str, Any]) -> Any:
    """Return what to hand to the public functions as a segment.

    Quoted text is always a stored name. A bare word is a stored segment, else a variable that holds one.

    Raises
    ------
    ArgumentError
        A segment and a variable have the same name and differ.
    """
    from ci_magics.segmentation.segment import Segment
    from ci_magics.segmentation.sources import is_frame

    if not isinstance(word, Word):
        return word
    variable = variables.get(word.text)
    if word.quoted or not (isinstance(variable, Segment) or is_frame(variable)):
        return word.text
    record = workspace.segments.get(word.text)
    if record is None:
        return variable
    if isinstance(variable, Segment) and variable.id != record.id:
        raise ArgumentError(
            f"Both a stored segment and a variable are named {word.text}, and they differ.",
            f'Write "{word.text}" for the stored one, or ${word.text} for the variable.',
            code="ambiguous_name",
        )
    return word.text


def connection_named(word: Any, variables: Mapping[str, Any]) -> Any:
    """Return what to hand to the public functions as a connection."""
    from ci_magics.workspace.models import Connection

    if not isinstance(word, Word):
        return word
    variable = variables.get(word.text)
    return variable.name if not word.quoted and isinstance(variable, Connection) else word.text


def frame_named(word: Any, variables: Mapping[str, Any]) -> Any:
    """Return the frame that a variable holds.

    Raises
    ------
    NotFoundError
        There is no such variable.
    """
    from ci_magics.segmentation.sources import is_frame

    if not isinstance(word, Word):
        return word
    if word.text in variables:
        return variables[word.text]
    frames = [name for name, value in variables.items() if not name.startswith("_") and is_frame(value)]
    nearest = nearest_name(word.text, frames)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise NotFoundError(
        f"There is no variable '{word.text}'.{hint}",
        f"Frames of this notebook: {', '.join(frames) or 'none yet'}.",
        code="no_variable",
    )


def frames_of(sql: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook's frames that a query reads, by name."""
    from ci_magics.segmentation.sources import is_frame, referenced_tables

    named = {name: variables.get(name) for name in referenced_tables(sql)}
    return {name: value for name, value in named.items() if is_frame(value)}


def parameters_of(sql: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``$name`` in a query; those within quotes are text.

    Raises
    ------
    NotFoundError
        There is no such variable.
    """
    names = dict.fromkeys(_PARAMETER.findall(_LITERAL.sub("", sql)))
    for name in names:
        if name not in variables:
            nearest = nearest_name(name, [each for each in variables if not each.startswith("_")])
            hint = f" Did you mean ${nearest}?" if nearest else ""
            raise NotFoundError(f"There is no variable {name} for ${name}.{hint}", "Make it first.", code="no_variable")
    return {name: variables[name] for name in names}

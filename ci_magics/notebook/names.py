"""What a word of a magic means: something stored, or a variable of the notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ci_magics.errors import ArgumentError, NotFoundError, nearest_name
from ci_magics.notebook.words import Word
from ci_magics.segmentation.sources.frame_kinds import is_frame

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


def segment_named(word: Any, workspace: Workspace, variables: Mapping[str, Any]) -> Any:
    """Return what to hand to the public functions as a segment.

    Quoted text is always a stored name. A bare word is a stored segment, else a variable that holds one.

    Raises
    ------
    ArgumentError
        A segment and a variable have the same name and differ.
    """
    from ci_magics.segmentation.segment import Segment

    if not isinstance(word, Word):
        return word
    variable = variables.get(word.text)
    if word.quoted or not (isinstance(variable, Segment) or is_frame(variable)):
        return word.text
    record = workspace.segments.get(word.text)
    if record is None:
        return variable
    if isinstance(variable, Segment) and variable.id != record.id:
        raise _ambiguous("segment", word.text)
    return word.text


def connection_named(word: Any, workspace: Workspace, variables: Mapping[str, Any]) -> Any:
    """Return what to hand to the public functions as a connection, by the same rule as a segment.

    Raises
    ------
    ArgumentError
        A connection and a variable have the same name and differ, or the value is no connection.
    """
    from ci_magics.workspace.models import Connection

    if word is None or isinstance(word, Connection):
        return word
    if not isinstance(word, Word):
        raise ArgumentError(f"A {type(word).__name__} is not a connection.", "Write its name.", code="no_connection")
    variable = variables.get(word.text)
    if word.quoted or not isinstance(variable, Connection):
        return word.text
    stored = workspace.connections.get(word.text)
    if stored is not None and stored.id != variable.id:
        raise _ambiguous("connection", word.text)
    return variable.name


def _ambiguous(kind: str, name: str) -> ArgumentError:
    return ArgumentError(
        f"Both a stored {kind} and a variable are named {name}, and they differ.",
        f'Write "{name}" for the stored one, or ${name} for the variable.',
        code="ambiguous_name",
    )


def frame_named(word: Any, variables: Mapping[str, Any]) -> Any:
    """Return the frame that a variable holds, or the path of files that stands there itself.

    Raises
    ------
    NotFoundError
        There is no such variable, and it is no path.
    """
    if not isinstance(word, Word):
        return word
    if word.text in variables:
        return variables[word.text]
    from ci_magics.segmentation.sources.streams import is_path

    if is_path(word.text):
        return word.text
    frames = frame_names(variables)
    nearest = nearest_name(word.text, frames)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise NotFoundError(
        f"There is no variable '{word.text}'.{hint}",
        f"Frames of this notebook: {', '.join(frames) or 'none yet'}.",
        code="no_variable",
    )


def frame_names(variables: Mapping[str, Any]) -> list[str]:
    """Return the names of the variables that hold frames."""
    return [name for name, value in variables.items() if not name.startswith("_") and is_frame(value)]


def frames_of(sql: str, variables: Mapping[str, Any], segments: Sequence[str] = ()) -> dict[str, Any]:
    """Return the notebook's frames that a query reads, by the names it uses; files and segments are none of them.

    Raises
    ------
    NotFoundError
        A table's name is nearly the name of a frame.
    """
    from ci_magics.segmentation.sources.queries import referenced_tables
    from ci_magics.segmentation.sources.streams import is_path

    names = frame_names(variables)
    by_folded = {name.casefold(): name for name in reversed(names)}  # SQL does not tell cases apart
    found = {}
    for table in referenced_tables(sql):
        if table in segments or is_path(table):
            continue
        name = table if is_frame(variables.get(table)) else by_folded.get(table.casefold())
        if name is not None:
            found[table] = variables[name]
        elif nearest := nearest_name(table, names):
            raise NotFoundError(
                f"There is no frame '{table}'. Did you mean '{nearest}'?",
                f"Frames of this notebook: {', '.join(names)}.",
                code="no_variable",
            )
    return found


def parameters_of(sql: str, variables: Mapping[str, Any], *, database: Any = None) -> dict[str, Any]:
    """Return the values of ``$name`` in a query; those within quotes and comments, as its database has them, are text.

    Raises
    ------
    NotFoundError
        There is no such variable.
    """
    from ci_magics.segmentation.sources import databases
    from ci_magics.segmentation.sources import queries as sources

    names = sources.parameter_names(sql) if database is None else databases.parameter_names(sql, database)
    return _values([name for name in names if name.isidentifier()], variables)


def values_of(where: str | None, rule: str | None, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``$name`` in a condition and in a rule; see `parameters_of`."""
    from ci_magics.segmentation.parameters import names_in_condition
    from ci_magics.segmentation.rules.words import names_in_rule

    return _values([*names_in_condition(where or ""), *names_in_rule(rule or "")], variables)


def _values(names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    for name in names:
        if name not in variables:
            nearest = nearest_name(name, [each for each in variables if not each.startswith("_")])
            hint = f" Did you mean ${nearest}?" if nearest else ""
            raise NotFoundError(f"There is no variable {name} for ${name}.{hint}", "Make it first.", code="no_variable")
    return {name: variables[name] for name in names}

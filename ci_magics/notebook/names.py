"""Resolve the words of a magic to stored objects or notebook variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ci_magics.errors import ArgumentError, NotFoundError, nearest_name
from ci_magics.grammar.words import Word
from ci_magics.segmentation.sources.frame_kinds import is_frame

if TYPE_CHECKING:
    from ci_magics.workspace.store import Workspace


def segment_named(word: Any, workspace: Workspace, variables: Mapping[str, Any]) -> Any:
    """Resolve a word to a segment that the public functions accept.

    Quoted text is always a stored name. A bare word is a stored segment, else a variable that holds one.

    Parameters
    ----------
    word
        A word of the line, or an object that ``$name`` or ``{expression}`` produced.
    workspace
        Holds the stored segments.
    variables
        The notebook's variables.

    Raises
    ------
    ArgumentError
        A stored segment and a variable have the same name but differ.
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
    """Resolve a word to a connection that the public functions accept, by the same rule as `segment_named`.

    Parameters
    ----------
    word
        A word of the line, a connection, or None.
    workspace
        Holds the stored connections.
    variables
        The notebook's variables.

    Raises
    ------
    ArgumentError
        A stored connection and a variable have the same name but differ, or the value is not a connection.
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
    """Resolve a word to the frame in a variable, or to a path of files.

    Parameters
    ----------
    word
        A word of the line, or an object, which is returned unchanged.
    variables
        The notebook's variables.

    Raises
    ------
    NotFoundError
        The word is neither a variable nor a path.
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
    """Return the notebook's frames that a query reads, by the names that the query uses.

    Parameters
    ----------
    sql
        The query.
    variables
        The notebook's variables.
    segments
        Names that the query reads as segments; like files, they are not looked up as frames.

    Raises
    ------
    NotFoundError
        A table name is close to the name of a frame, which suggests a typo.
    """
    from ci_magics.segmentation.sources.queries import referenced_tables
    from ci_magics.segmentation.sources.streams import is_path

    names = frame_names(variables)
    by_folded = {name.casefold(): name for name in reversed(names)}  # SQL names are case-insensitive
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
    """Return the values of ``$name`` in a query. Text in quotes and comments is skipped.

    Parameters
    ----------
    sql
        The query.
    variables
        The notebook's variables.
    database
        The database whose quoting and comment syntax applies; None for DuckDB.

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
    """Return the values of ``$name`` in a condition and in a rule.

    Parameters
    ----------
    where
        The condition, if any.
    rule
        The rule, if any.
    variables
        The notebook's variables.

    Raises
    ------
    NotFoundError
        There is no such variable.
    """
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

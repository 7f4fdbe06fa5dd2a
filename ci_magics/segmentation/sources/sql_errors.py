"""Translate DuckDB's errors without its messages, which may quote data."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from ci_magics.advice import Opt, advise
from ci_magics.errors import SegmentError, nearest_name
from ci_magics.segmentation.columns import no_column
from ci_magics.segmentation.sources.slips import UNQUOTED, find_slip
from ci_magics.segmentation.text_position import characters_before, locate_in_text

_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:was )?not found|does not have a column named "([^"]+)"')
_CONVERSION = re.compile(r" to (?P<type>[A-Z][A-Z0-9_]*)(?: when casting from source column (?P<column>\w+))?$")
_POINTER = re.compile(r"\n(?P<head>LINE \d+: )(?P<line>.*)\n(?P<before> *)\^")
#: The number of characters after the position that are enough to find it in the query.
_COMPARED = 20
_MISSING_NAME = re.compile(r"(Table|Function) with name (\w{1,60})", re.IGNORECASE)


_NO_MEMORY = "Out of Memory Error"


def lacks_memory(error: Exception) -> bool:
    """Return whether memory ran out, according to DuckDB or to a message that Arrow passes on."""
    return isinstance(error, duckdb.OutOfMemoryException) or _NO_MEMORY in str(error)


def out_of_memory() -> SegmentError:
    """Return the error for data that does not fit in memory."""
    return SegmentError(
        "There is not enough memory for this: rows with addresses are never put on disk, so all that is sorted, joined "
        "or grouped at once must fit into memory.",
        "Choose fewer columns and filter the rows first, or give the machine or its container more memory.",
        code="out_of_memory",
    )


def condition_error(error: duckdb.Error, condition: str, columns: Sequence[str]) -> SegmentError:
    """Return the error for a condition that cannot be evaluated.

    Parameters
    ----------
    error
        DuckDB's exception.
    condition
        The condition.
    columns
        All columns, for suggestions.
    """
    if lacks_memory(error):
        return out_of_memory()
    if not condition.strip():
        return SegmentError(
            "The condition is empty.",
            advise("Leave out ", Opt("where"), " to take all profiles."),
            code="no_condition",
        )
    missing = _missing_column(error, condition, columns)
    slip = find_slip(condition, columns)
    if missing is not None and (slip is None or (slip.explanation == UNQUOTED and "Did you mean" in missing.sentence)):
        return missing
    if slip is not None:
        sentence = missing.sentence if missing else f"The condition cannot be used{_describe(error, condition)}"
        code = "no_column" if missing else type(error).__name__
        return SegmentError(sentence, advise(f"{slip.explanation}: ", Opt("where", slip.condition), "."), code=code)
    return SegmentError(
        f"The condition cannot be used{_describe(error, condition)}",
        advise("Write it in SQL, for example ", Opt("where", "TotalSpend > 500 and Country = 'NL'"), "."),
        code=type(error).__name__,
    )


def query_error(error: duckdb.Error, sql: str, columns: Sequence[str], frames: Sequence[str]) -> SegmentError:
    """Return the error for a query that cannot be run.

    Parameters
    ----------
    error
        DuckDB's exception.
    sql
        The query.
    columns
        All columns, for suggestions.
    frames
        The names of all tables, for suggestions.
    """
    if lacks_memory(error):
        return out_of_memory()
    return _missing_column(error, sql, columns) or SegmentError(
        f"The query cannot be run{_describe(error, sql, _table_hint(error, frames))}",
        "Check its names and its grammar.",
        code=type(error).__name__,
    )


def _describe(error: duckdb.Error, sql: str, hint: str = "") -> str:
    """Return position and reason, with a pointer if DuckDB reports the position."""
    why = f"{_why(error, sql)}.{hint}"
    position = _position(error, sql)
    if position is None:
        return f": {why}"
    place = locate_in_text(sql, position)
    return f" at {place.words}: {why}{place.excerpt}"


def _position(error: duckdb.Error, sql: str) -> int | None:
    """Return the position in a query that DuckDB points to.

    DuckDB shows the line including the text that it adds around a condition, and truncates long lines at both ends.
    """
    found = _POINTER.search(str(error))
    if found is None:
        return None
    shown = found.group("line")
    column = characters_before(shown, len(found.group("before")) - len(found.group("head")))
    pointed = shown[column:].removesuffix("...")
    for start in range(column + 1):
        position = sql.find(shown[start:column] + pointed[:_COMPARED])
        if position >= 0:
            return position + column - start
    return None


def _missing_column(error: duckdb.Error, sql: str, columns: Sequence[str]) -> SegmentError | None:
    found = _MISSING_COLUMN.search(str(error))
    if found is None or not isinstance(error, duckdb.BinderException):
        return None
    name = found.group(1) or found.group(2)
    if f'"{name}"' in sql and nearest_name(name, columns) is None:
        return SegmentError(
            "A text in double quotes is the name of a column in SQL, and there is no such column.",
            "Write a text in single quotes, for example Country = 'NL'.",
            code="no_column",
        )
    return no_column(columns, name)


def _table_hint(error: duckdb.Error, frames: Sequence[str]) -> str:
    found = _MISSING_NAME.search(str(error))
    nearest = nearest_name(found.group(2), frames) if found and found.group(1).lower() == "table" else None
    return f" Did you mean '{nearest}'?" if nearest else ""


def _why(error: duckdb.Error, sql: str) -> str:
    """Return the reason, in DuckDB's words if they cannot contain data or an address."""
    reason = str(error).partition(": ")[2].partition("\n")[0].rstrip("!.")
    if isinstance(error, duckdb.CatalogException) and (found := _MISSING_NAME.search(reason)):
        return f"there is no {found.group(1).lower()} '{found.group(2)}'"
    if isinstance(error, duckdb.ConversionException):
        return _not_converted(reason)
    if isinstance(error, duckdb.PermissionException):
        return "it may read only the frames of the notebook, not files, databases or URLs"
    if isinstance(error, duckdb.InvalidInputException | duckdb.OutOfRangeException):
        return "a function does not accept a value"
    of_the_query = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    return reason if reason and of_the_query and not _quotes_address(reason, sql) else "the database refused it"


def _quotes_address(message: str, sql: str) -> bool:
    """Return whether DuckDB's message repeats part of an address in the query."""
    addresses = re.findall(r"\S+@\S*", sql)
    return "@" in message or any(word in message for each in addresses for word in re.findall(r"\w{3,}", each))


def _not_converted(message: str) -> str:
    """Return the type that a value does not fit, without the value."""
    found = _CONVERSION.search(message)
    if found is None:
        return "a value does not fit its type"
    column = f" of the column {found.group('column')}" if found.group("column") else ""
    return f"a value{column} is not of type {found.group('type')}"

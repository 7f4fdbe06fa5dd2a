"""Find the e-mail column and the key column by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ci_magics.advice import COLUMN, Opt, advise
from ci_magics.errors import SegmentError, nearest_name, without_people

#: Names of e-mail columns in Customer Insights, Dataverse and common customer tables, normalized by `_fold`.
_EMAIL_NAMES = frozenset(
    {
        "email",
        "emails",
        "emailaddress",
        "emailaddress1",
        "primaryemail",
        "primaryemailaddress",
        "customeremail",
        "contactemail",
        "mail",
        "mailaddress",
        "workemail",
        "homeemail",
        "personalemail",
        "useremail",
        "emailid",
    }
)
#: Names of columns that identify a profile, best first.
_KEY_NAMES = ("customerid", "contactid", "profileid", "userid", "memberid", "clientid", "accountid", "personid", "id")
_SHOWN = 30
#: The name of the table in a condition.
PROFILES = "profiles"
#: A column by position: ``#1`` is the first one.
_POSITION = re.compile(r"#\s*\d")


def find_email_column(columns: Sequence[str], wanted: str | None) -> str:
    """Return the requested e-mail column, or the only column that is named like one.

    Parameters
    ----------
    columns
        All columns.
    wanted
        The requested column; None to find it by name.

    Raises
    ------
    SegmentError
        The requested column does not exist, or there is not exactly one column named like an e-mail column.
    """
    if wanted is not None:
        return require_column(columns, wanted)
    found = email_candidates(columns)
    if len(found) == 1:
        return found[0]
    if found:
        raise SegmentError(
            f"Several columns may hold the e-mail address: {list_columns(found)}.",
            advise("Name the right one: ", Opt("email", found[0]), "."),
            code="several_email_columns",
        )
    raise SegmentError(
        f"No column is named like an e-mail address. The columns are {list_columns(columns)}.",
        advise("Name the right one: ", Opt("email", COLUMN), "."),
        code="no_email_column",
    )


def email_candidates(columns: Sequence[str]) -> list[str]:
    """Return the columns that are named like an e-mail column."""
    return [column for column in columns if _fold(column) in _EMAIL_NAMES]


def require_column(columns: Sequence[str], name: str) -> str:
    """Return a column's name if it exists.

    Parameters
    ----------
    columns
        All columns.
    name
        The requested column.

    Raises
    ------
    SegmentError
        It does not exist; the message suggests the nearest name and lists the columns.
    """
    if name in columns:
        return name
    raise no_column(columns, name)


def no_column(columns: Sequence[str], name: str) -> SegmentError:
    """Return the error for a column that does not exist.

    Parameters
    ----------
    columns
        All columns.
    name
        The requested column.
    """
    nearest = nearest_name(name, columns)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return SegmentError(
        f"There is no column '{name}'.{hint}", f"The columns are {list_columns(columns)}.", code="no_column"
    )


def key_candidates(columns: Sequence[str]) -> list[str]:
    """Return the columns that are named like a key, best first."""
    by_name = {_fold(column): column for column in reversed(columns)}
    return [by_name[name] for name in _KEY_NAMES if name in by_name]


def same_key(one: str, other: str) -> bool:
    """Return whether two names mean the same key column: they differ only in case, spaces and punctuation.

    Parameters
    ----------
    one, other
        The names.
    """
    return one == other or (bool(_fold(one)) and _fold(one) == _fold(other))


def names_equal_in_sql(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two names that differ only in case, because SQL and most file readers treat them as one.

    Every check for duplicate column names calls this function.
    """
    seen: dict[str, str] = {}
    for name in names:
        folded = name.casefold()
        if folded in seen:
            return seen[folded], name
        seen[folded] = name
    return None


def mentions(text: str | None, column: str) -> bool:
    """Return whether a condition mentions a column.

    Parameters
    ----------
    text
        The condition, if any.
    column
        The column's name.
    """
    return text is not None and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text, re.IGNORECASE) is not None


def columns_in_sql(text: str, names: Sequence[str]) -> list[str]:
    """Return the columns that SQL over one table may use: those it mentions, or all if it can refer to all.

    Parameters
    ----------
    text
        A condition over the table `PROFILES`, or a query.
    names
        All columns of the table.
    """
    if any(mentions(text, word) for word in ("COLUMNS", PROFILES)) or _POSITION.search(text):
        return list(names)
    return [name for name in names if '"' in name or mentions(text, name)]


def list_columns(columns: Sequence[str]) -> str:
    """Return column names for a sentence, at most thirty."""
    names = ", ".join(map(without_people, columns[:_SHOWN])) or "none"
    return names if len(columns) <= _SHOWN else f"{names} and {len(columns) - _SHOWN} more"


def _fold(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())

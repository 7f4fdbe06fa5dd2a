"""Access to one kind of record in the workspace, by name."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_origin, get_type_hints

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, Select, Table, delete, func, insert, select, update

from ci_magics.advice import Advice
from ci_magics.discretion import kept
from ci_magics.display.displayable import Displayable, plain
from ci_magics.display.html_table import as_cell, titled
from ci_magics.display.html_table import table as html_table
from ci_magics.display.numbers import pluralize
from ci_magics.errors import not_found
from ci_magics.naming import require_text
from ci_magics.workspace.transactions import change, read_transaction

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Repository(Displayable, Generic[T]):
    """The rows of a table as values: iterable, by name, or as a DataFrame.

    Parameters
    ----------
    engine
        The database.
    table
        The table with the rows.
    kind
        The dataclass of the values; its fields are the table's columns.
    word
        What users call one of them.
    advice
        How to create or list them, for the error about an unknown name.
    order
        The column to sort by.
    displayed
        The fields that a notebook shows besides the name.
    read_from
        A view that this user reads instead of the table.
    """

    def __init__(
        self,
        engine: Engine,
        table: Table,
        kind: type[T],
        *,
        word: str,
        advice: str | Advice,
        order: str = "name",
        displayed: Sequence[str] = (),
        read_from: Table | None = None,
    ) -> None:
        self._engine = engine
        self._table = table
        self._source = table if read_from is None else read_from
        self._kind = kind
        self._word = word
        self._advice = advice
        self._order = order
        self._displayed = ("name", *displayed)
        self._columns = {column.name for column in table.columns}
        self._tuples = _tuples_of(kind)  # type: ignore[arg-type]  # a class is hashable

    def __iter__(self) -> Iterator[T]:
        return iter(self._select())

    def __len__(self) -> int:
        return len(self._select())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, name: str) -> T:
        found = self.get(name)
        if found is None:
            raise not_found(self._word, name, self.names(), self._advice)
        return found

    def get(self, name: str) -> T | None:
        """Return the value with a name, or None."""
        require_text(name)
        return next((each for each in self if each.name == name), None)  # type: ignore[attr-defined]  # all have names

    def where(self, **values: Any) -> list[T]:
        """Return the values whose columns equal the given values."""
        return self._select(**values)

    def where_in(self, column: str, values: Collection[Any]) -> list[T]:
        """Return the values whose column holds one of several values.

        Parameters
        ----------
        column
            The name of the column.
        values
            The values to look for.
        """
        return self._found(self._query({}).where(self._source.c[column].in_(values)))

    def having(self, column: str) -> list[T]:
        """Return the values whose column is not null."""
        return self._found(self._query({}).where(self._source.c[column].is_not(None)))

    def latest(self, count: int) -> list[T]:
        """Return the last values in sort order, the very last first."""
        return self._found(select(self._source).order_by(self._source.c[self._order].desc()).limit(count))

    def last_of_each(self, column: str, *, until: Any = None) -> list[T]:
        """Return the last value in sort order for each value of a column.

        Parameters
        ----------
        column
            The column to group by.
        until
            Rows that sort after this are ignored; none by default.
        """
        backwards = self._source.c[self._order].desc()
        rank = func.row_number().over(partition_by=self._source.c[column], order_by=backwards).label("rank")
        query = select(self._source, rank)
        ranked = (query if until is None else query.where(self._source.c[self._order] <= until)).subquery()
        columns = [ranked.c[each.name] for each in self._source.columns]
        return self._found(select(*columns).where(ranked.c.rank == 1))

    def names(self) -> list[str]:
        """Return all names, in sort order."""
        return [each.name for each in self]  # type: ignore[attr-defined]  # every kind has a name

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with one row for each value."""
        import pandas as pd

        return pd.DataFrame([self._row(each) for each in self], columns=self._field_names())

    def to_dict(self) -> dict[str, Any]:
        """Return the displayed fields of each value."""
        return {f"{self._word}s": [self._shown(each) for each in self]}

    def _repr_html_(self) -> str:
        (rows,) = self.to_dict().values()
        if not rows:
            return f"<div>{html.escape(f'No {self._word} yet. {self._advice}')}</div>"
        heads = list(dict.fromkeys(name for row in rows for name in row))
        return html_table(
            [titled(head) for head in heads], [[as_cell(row.get(head)) for head in heads] for row in rows]
        )

    def _shown(self, value: T) -> dict[str, Any]:
        return {name: plain(getattr(value, name)) for name in self._displayed}

    def __repr__(self) -> str:
        names = self.names()
        listed = ", ".join(f"'{name}'" for name in names)
        return f"{pluralize(len(names), self._word)}{': ' if names else ''}{listed}"

    def put(self, value: T) -> None:
        """Store a value, and replace the one with its id; use `change` for rows that others may change too."""
        change(self._engine, lambda database: self.put_in(database, value))

    def change(self, update: Callable[[T], T], **values: Any) -> list[T]:
        """Change values in one transaction, and return them.

        Parameters
        ----------
        update
            Returns the new value; called again if another process changed the row in between.
        **values
            Columns and the values that they must equal.
        """

        def work(database: SqlConnection) -> list[T]:
            found = [update(value) for value in self.rows_in(database, **values)]
            for value in found:
                self.put_in(database, value)
            return found

        return change(self._engine, work)

    def put_by_name(self, name: str, build: Callable[[T | None], T]) -> tuple[T | None, T]:
        """Store a value in place of the one with the same name, even if the ids differ.

        Parameters
        ----------
        name
            The name to replace.
        build
            Returns the new value, given the existing one; called again if another process changed the row in between.

        Returns
        -------
        tuple
            The replaced value, or None, and the new one.
        """

        def work(database: SqlConnection) -> tuple[T | None, T]:
            earlier = next(iter(self.rows_in(database, name=name)), None)
            value = build(earlier)
            if earlier is None:
                self.put_in(database, value)
            else:
                self.replace_in(database, earlier.id, value)  # type: ignore[attr-defined]  # every kind has an id
            return earlier, value

        return change(self._engine, work)

    def rows_in(self, database: SqlConnection, *, lock: bool = False, **values: Any) -> list[T]:
        """Return values within a transaction of the caller.

        Parameters
        ----------
        database
            The connection with the open transaction.
        lock
            Whether to lock the rows until the transaction ends.
        **values
            Columns and the values that they must equal.
        """
        query = self._query(values)
        return [
            self._value(dict(row)) for row in database.execute(query.with_for_update() if lock else query).mappings()
        ]

    def put_in(self, database: SqlConnection, value: T) -> None:
        """Store a value within a transaction of the caller.

        Parameters
        ----------
        database
            The connection with the open transaction.
        value
            The value; it replaces the one with its id.
        """
        row = self._row(value)
        changed = database.execute(update(self._table).where(self._table.c.id == row["id"]).values(row))
        if changed.rowcount == 0:
            database.execute(insert(self._table).values(row))

    def replace_in(self, database: SqlConnection, identity: str, value: T) -> None:
        """Replace the row with an id in one statement, so that the database sees the old and the new row together.

        Parameters
        ----------
        database
            The connection with the open transaction.
        identity
            The id of the row to replace.
        value
            The new value; its id may differ.
        """
        database.execute(update(self._table).where(self._table.c.id == identity).values(self._row(value)))

    def remove(self, identity: str) -> None:
        """Delete the row with an id."""
        change(self._engine, lambda database: self.remove_in(database, identity))

    def remove_in(self, database: SqlConnection, identity: str) -> None:
        """Delete a row within a transaction of the caller.

        Parameters
        ----------
        database
            The connection with the open transaction.
        identity
            The id of the row.
        """
        database.execute(delete(self._table).where(self._table.c.id == identity))

    def _select(self, **values: Any) -> list[T]:
        with read_transaction(self._engine) as database:
            return self.rows_in(database, **values)

    def _found(self, query: Select[Any]) -> list[T]:
        with read_transaction(self._engine) as database:
            return [self._value(dict(row)) for row in database.execute(query).mappings()]

    def _query(self, values: dict[str, Any]) -> Select[Any]:
        query = select(self._source).order_by(self._source.c[self._order])
        for column, value in values.items():
            query = query.where(self._source.c[column] == value)
        return query

    def _value(self, row: dict[str, Any]) -> T:
        return self._kind(**{name: _tuple(value) if name in self._tuples else value for name, value in row.items()})

    def _row(self, value: T) -> dict[str, Any]:
        row = {name: getattr(value, name) for name in self._field_names()}
        return {name: kept(list(item) if isinstance(item, tuple) else item) for name, item in row.items()}

    def _field_names(self) -> list[str]:
        return [each.name for each in fields(self._kind) if each.name in self._columns]  # type: ignore[arg-type]  # a dataclass


@functools.cache  # to resolve annotations takes longer than to open the workspace
def _tuples_of(kind: type) -> frozenset[str]:
    """Return the fields that hold tuples, which the database stores as lists."""
    return frozenset(name for name, hint in get_type_hints(kind).items() if get_origin(hint) is tuple)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

"""The append-only audit log: who did what when, with names, ids, and counts, and no personal data."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, insert, select

from ci_magics.clock import present
from ci_magics.discreet import discreet_methods
from ci_magics.discretion import without_addresses_and_hashes
from ci_magics.display.displayable import Displayable
from ci_magics.workspace.access import Verb
from ci_magics.workspace.tables import audit_entries
from ci_magics.workspace.transactions import change, read_transaction

if TYPE_CHECKING:
    import pandas as pd

Fact = str | int | float | bool | None | Sequence[str]


@dataclass(frozen=True)
class AuditEntry(Displayable):
    """One entry of the audit log.

    Parameters
    ----------
    at
        When, in UTC.
    user
        Who did it.
    verb
        The operation, as in `ci_magics.workspace.access.Verb`, in lower case.
    subject
        The name of the affected object.
    facts
        Names, ids, and counts.
    """

    number: int
    at: datetime
    user: str
    verb: str
    subject: str
    facts: dict[str, Fact]

    def __repr__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        details = f" ({facts})" if facts else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC {self.user}: {self.verb} '{self.subject}'{details}"


@discreet_methods
class AuditLog:
    """The operations in a workspace, in chronological order.

    Parameters
    ----------
    engine
        The workspace's database, which rejects changes and deletions of entries.
    user
        The current user.
    require_reader
        Raises an error if the current user may not read the log.
    """

    def __init__(self, engine: Engine, user: str, require_reader: Callable[[], None]) -> None:
        self._engine = engine
        self._user = user
        self._require_reader = require_reader

    def note(self, verb: Verb, subject: str, **facts: Fact) -> None:
        """Record an operation that was just done.

        Parameters
        ----------
        verb
            The operation.
        subject
            The name of the connection, segment, export, run, or audience.
        **facts
            Names, ids, and counts. Addresses and hashes are replaced: a user may have used one as a name.
        """
        row = {
            "id": str(uuid.uuid4()),
            "at": present(),
            "user": self._user,
            "verb": verb.name.lower(),
            "subject": without_addresses_and_hashes(subject),
            "facts": {name: _fact(value) for name, value in facts.items()},
        }
        change(self._engine, lambda database: database.execute(insert(audit_entries).values(row)))

    def since(self, moment: datetime | None = None) -> list[AuditEntry]:
        """Return the entries since a time, or all.

        Raises
        ------
        AccessError
            The current user may not read the log.
        """
        self._require_reader()
        columns = [audit_entries.c[name] for name in AuditEntry.__dataclass_fields__]
        query = select(*columns).order_by(audit_entries.c.number)
        if moment is not None:
            query = query.where(audit_entries.c.at >= moment)
        with read_transaction(self._engine) as database:
            return [AuditEntry(**row) for row in database.execute(query).mappings()]

    def to_frame(self, since: datetime | None = None) -> pd.DataFrame:
        """Return a DataFrame with one row for each entry; raises the errors of `since`."""
        import pandas as pd

        columns = list(AuditEntry.__dataclass_fields__)
        return pd.DataFrame([vars(each) for each in self.since(since)], columns=columns)

    def __iter__(self) -> Iterator[AuditEntry]:
        return iter(self.since())

    def __len__(self) -> int:
        return len(self.since())

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.since())) or "No entries yet."


def _fact(value: Fact) -> Fact | list[str]:
    if isinstance(value, str):
        return without_addresses_and_hashes(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return [without_addresses_and_hashes(each) for each in value]

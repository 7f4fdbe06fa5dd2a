"""Who did what when: names, ids and counts, never personal data, and only ever added to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, insert, select

from ci_magics.clock import present
from ci_magics.discreet import discreet_methods
from ci_magics.discretion import impersonal
from ci_magics.display.displayable import Displayable
from ci_magics.workspace.access import Verb
from ci_magics.workspace.tables import audit_entries
from ci_magics.workspace.transactions import at_one_moment, change

if TYPE_CHECKING:
    import pandas as pd

Fact = str | int | float | bool | None | Sequence[str]


@dataclass(frozen=True)
class AuditEntry(Displayable):
    """One thing that somebody did.

    Parameters
    ----------
    at
        When, in UTC.
    user
        Who.
    verb
        What, as in `ci_magics.workspace.access.Verb`, in lower case.
    subject
        To what, by name.
    facts
        Names, ids and counts.
    """

    number: int
    at: datetime
    user: str
    verb: str
    subject: str
    facts: dict[str, Fact]

    def __repr__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        said = f" ({facts})" if facts else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC {self.user}: {self.verb} '{self.subject}'{said}"


@discreet_methods
class AuditLog:
    """What was done in a workspace, in the order in which it was done.

    Parameters
    ----------
    engine
        The workspace's database, which refuses to change or delete an entry.
    user
        Who works here.
    require_reader
        Raises where the current user may not read it.
    """

    def __init__(self, engine: Engine, user: str, require_reader: Callable[[], None]) -> None:
        self._engine = engine
        self._user = user
        self._require_reader = require_reader

    def note(self, verb: Verb, subject: str, **facts: Fact) -> None:
        """Write down what was done just now.

        Parameters
        ----------
        verb
            What.
        subject
            To what: the name of a connection, segment, export, run or audience.
        facts
            Names, ids and counts. What looks like an address or a hash is replaced: a person may have given one as a
            name.
        """
        row = {
            "id": str(uuid.uuid4()),
            "at": present(),
            "user": self._user,
            "verb": verb.name.lower(),
            "subject": impersonal(subject),
            "facts": {name: _fact(value) for name, value in facts.items()},
        }
        change(self._engine, lambda database: database.execute(insert(audit_entries).values(row)))

    def since(self, moment: datetime | None = None) -> list[AuditEntry]:
        """Return what was done since a moment, or ever.

        Raises
        ------
        AccessError
            The current user may not read it.
        """
        self._require_reader()
        columns = [audit_entries.c[name] for name in AuditEntry.__dataclass_fields__]
        query = select(*columns).order_by(audit_entries.c.number)
        if moment is not None:
            query = query.where(audit_entries.c.at >= moment)
        with at_one_moment(self._engine) as database:
            return [AuditEntry(**row) for row in database.execute(query).mappings()]

    def to_frame(self, since: datetime | None = None) -> pd.DataFrame:
        """Return one row for each entry; see `since`."""
        import pandas as pd

        columns = list(AuditEntry.__dataclass_fields__)
        return pd.DataFrame([vars(each) for each in self.since(since)], columns=columns)

    def __iter__(self) -> Iterator[AuditEntry]:
        return iter(self.since())

    def __len__(self) -> int:
        return len(self.since())

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.since())) or "Nothing was done yet."


def _fact(value: Fact) -> Fact | list[str]:
    if isinstance(value, str):
        return impersonal(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return [impersonal(each) for each in value]

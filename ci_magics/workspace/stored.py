"""How the fields of records are stored: what their types do not say.

`models` and `export_models` annotate fields with it, and `tables` makes the database's tables of them. The database
library is not loaded here, because many commands need records and no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Stored:
    """How a field is stored.

    Parameters
    ----------
    length
        The maximum length of a text; None for any length.
    unique
        Whether no two rows have the same value.
    index
        Whether rows are looked up by it.
    part_of
        The column that it refers to, such as ``connections.id``; the row is deleted with the one that it refers to.
    server_default
        What the database inserts if a statement of an earlier version does not name the column.
    """

    length: int | None = None
    unique: bool = False
    index: bool = False
    part_of: str = ""
    server_default: str | None = None


#: Marks a field that is no column of the table.
NOT_STORED = "not stored"

#: An id made by `uuid`, or of a record with one.
Id = Annotated[str, Stored(36)]
#: A name: of a user, a segment, an export, and so on.
Name = Annotated[str, Stored(200)]
#: A name that no other row has.
UniqueName = Annotated[str, Stored(200, unique=True)]
#: One of a few words, such as an environment or a mode.
Word = Annotated[str, Stored(20)]
#: An id that Microsoft gave, as text.
MicrosoftId = Annotated[str, Stored(30)]

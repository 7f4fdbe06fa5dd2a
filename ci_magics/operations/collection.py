"""What all collections have in common: they are iterable, found by name, and shown as a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ci_magics.display.displayable import Displayable
from ci_magics.display.result_table import ResultTable
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Collection(Displayable, ABC, Generic[T]):
    """All objects of one kind in a workspace, by name. It reads the workspace whenever it is used.

    Parameters
    ----------
    workspace
        Workspace to use; None opens the default one at each use.
    """

    def __init__(self, workspace: WorkspaceLike | None = None) -> None:
        self._opened = workspace

    @abstractmethod
    def _all(self) -> Iterator[T]:
        """Yield every object that the current user may see, sorted by name."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return all names, sorted."""

    @abstractmethod
    def __getitem__(self, name: str) -> T:
        """Return one object by its name.

        Raises
        ------
        NotFoundError
            No object has this name; the error suggests the nearest one.
        """

    @abstractmethod
    def _overview(self) -> ResultTable[Any]:
        """Return the table that a notebook shows."""

    @property
    def _workspace(self) -> Workspace:
        return store_of(self._opened)

    def __iter__(self) -> Iterator[T]:
        return self._all()

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame with one row for each line."""
        return self._overview().to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data that stays the same when the same notebook runs again."""
        return self._overview().to_dict()

    def __repr__(self) -> str:
        return repr(self._overview())

    def _repr_html_(self) -> str:
        return self._overview()._repr_html_()

"""What was read of a segment of Customer Insights so far, so that an interrupted reading goes on from there.

On the disk are hashes and keys, matched already, and the address of the next page. No e-mail address is.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from ci_magics.clock import present
from ci_magics.errors import SegmentError, WorkspaceError
from ci_magics.matching.tally import Tally
from ci_magics.matching.tally_kept import named_again, read_back, written
from ci_magics.workspace.files import missing
from ci_magics.workspace.store import Workspace

_PREFIX = "reading-"
_STATE = ".json"
#: Addresses of pages do not live long, and a segment is evaluated every day.
KEPT = timedelta(hours=24)


class ReadingState(BaseModel):
    """How far a reading has come.

    Parameters
    ----------
    position
        Where it goes on, in the words of its route; nothing at the beginning.
    parts
        Names of the files with what was read.
    rows, lagging
        How many members were read, and how many of them have no profile yet.
    pages
        How many pages or files they came in.
    total
        How many there are by the service.
    finished
        Whether all were read.
    tally
        What is remembered of the addresses.
    """

    position: dict[str, Any] = {}
    parts: list[str] = []
    rows: int = 0
    lagging: int = 0
    pages: int = 0
    total: int | None = None
    finished: bool = False
    tally: dict[str, Any] = {}


class Reading:
    """A reading of one segment, as it was evaluated last, by one route.

    Parameters
    ----------
    workspace
        Where it is kept.
    identity
        What is read; another evaluation, route or column makes it another reading.
    schema
        The columns of matched profiles.
    """

    def __init__(self, workspace: Workspace, identity: dict[str, Any], schema: pa.Schema) -> None:
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
        self.schema = schema
        self._name = f"{_PREFIX}{digest[:32]}"
        self._files = workspace.spool
        self._locks = workspace.locks
        self._file_name = f"{self._name}{_STATE}"
        self._turn = threading.Lock()
        self.tally = Tally()
        self.state = ReadingState()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the reading for this process, with what an earlier one has read.

        Raises
        ------
        SegmentError
            Another kernel is reading the same.
        """
        token = str(uuid.uuid4())
        holder = self._locks.take(self._name, token)
        if holder is not None:
            raise SegmentError(
                f"This segment is being read already, by {holder.holder} since {holder.taken_at:%H:%M} UTC.",
                "Wait until that is done, then run it again.",
                code="reading_twice",
            )
        try:
            self._forget_old()
            self._recall()
            yield
        finally:
            self._locks.release(token)

    def keep(
        self,
        batches: Iterable[pa.RecordBatch],
        tally: Tally,
        position: Callable[[dict[str, Any]], dict[str, Any]],
        **changes: Any,
    ) -> None:
        """Keep matched profiles, and how far the reading is with them.

        Parameters
        ----------
        batches
            The profiles.
        tally
            What is remembered of their addresses; filled when the batches were taken.
        position
            Returns where the reading goes on now, given where it would have gone on before.
        changes
            Of the rest of the state; numbers of lagging profiles and of pages are added to what they were.
        """
        name = f"{self._name}-{uuid.uuid4().hex}"
        counter = _Counter(batches)
        self._files.write_parts(name, self.schema, counter)
        with self._turn:
            self.tally.merge(tally)
            state = self.state
            added = {each: getattr(state, each) + changes.pop(each, 0) for each in ("lagging", "pages")}
            parts = [*state.parts, name] if counter.rows else state.parts
            self.state = state.model_copy(
                update={
                    "parts": parts,
                    "rows": state.rows + counter.rows,
                    "tally": written(self.tally),
                    "position": position(state.position),
                    **added,
                    **changes,
                }
            )
            self._write()
        if not counter.rows:
            self._files.remove(name)

    def finish(self) -> None:
        """Note that all was read."""
        self.state = self.state.model_copy(update={"finished": True})
        self._write()

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Return all that was read, or some columns of it."""
        schema = pa.schema([self.schema.field(each) for each in columns or self.schema.names])
        for name in self.state.parts:
            for batch in self._files.batches(name, schema.names):
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()

    def remembered(self) -> Tally:
        """Return what is remembered of the addresses."""
        return named_again(self.tally)

    def clear(self) -> None:
        """Delete all that was read."""
        self._files.remove_all(self._name)
        self.tally, self.state = Tally(), ReadingState()

    def _recall(self) -> None:
        try:
            with self._files.reading(self._file_name) as file:
                state = ReadingState.model_validate_json(file.read())
            if not all(self._files.exists(name) for name in state.parts):
                raise missing()
            self.tally = read_back(state.tally) if state.tally else Tally()
            self.state = state
        except (WorkspaceError, ValidationError, KeyError, TypeError, ValueError):
            self.clear()  # nothing, or nothing usable: from the beginning

    def _write(self) -> None:
        with self._files.replacing(self._file_name) as file:
            file.write(self.state.model_dump_json().encode())

    def _forget_old(self) -> None:
        """Delete readings that nobody has gone on with for a day."""
        for name in self._files.names(_PREFIX, before=present() - KEPT):
            if name.endswith(_STATE):
                self._files.remove_all(name.removesuffix(_STATE))


class _Counter:
    """Batches that are counted while they pass by."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            if batch.num_rows:
                yield batch

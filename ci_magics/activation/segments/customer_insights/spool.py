"""Stores the members that were read from Customer Insights so far, so that an interrupted reading can resume.

The files hold hashes and keys, which are already matched, and the URL of the next page. They hold no e-mail address.
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
from ci_magics.matching.tally_document import restore_domain_names, tally_from_document, tally_to_document
from ci_magics.workspace.locks import Holder
from ci_magics.workspace.storage_errors import missing
from ci_magics.workspace.store import Workspace

_PREFIX = "reading-"
_STATE = ".json"
#: Page URLs expire, and segments are evaluated daily.
KEPT = timedelta(hours=24)


class ReadingState(BaseModel):
    """The progress of a reading.

    Parameters
    ----------
    position
        Where to continue, in the format of its route; empty at the beginning.
    parts
        Names of the files with the members that were read.
    rows, lagging
        Number of members that were read, and of those without a profile yet.
    pages
        Number of pages or files that were read.
    total
        Number of all members according to the service, if reported.
    finished
        Whether all members were read.
    tally
        Serialized statistics of the addresses.
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
    """A reading of one segment, from its last evaluation, by one route.

    Parameters
    ----------
    workspace
        Workspace that stores the files.
    identity
        What is read. Another evaluation, route, or column makes it another reading.
    schema
        Schema of matched profiles.
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
        """Lock the reading for this process, and load what an earlier process has read.

        Raises
        ------
        SegmentError
            Another process is reading the same segment.
        """

        def busy(holder: Holder) -> SegmentError:
            return SegmentError(
                f"This segment is being read already, by {holder.holder} since {holder.taken_at:%H:%M} UTC.",
                "Wait until that is done, then run it again.",
                code="reading_twice",
            )

        with self._locks.holding() as held:
            held.require(self._name, busy)
            self._forget_old()
            self._recall()
            yield

    def keep(
        self,
        batches: Iterable[pa.RecordBatch],
        tally: Tally,
        position: Callable[[dict[str, Any]], dict[str, Any]],
        **changes: Any,
    ) -> None:
        """Store matched profiles together with the progress of the reading.

        Parameters
        ----------
        batches
            The profiles.
        tally
            Statistics of their addresses, complete once the batches are consumed.
        position
            Maps the old position to the new one.
        changes
            Other fields of the state. ``lagging`` and ``pages`` are added to the current values, others replace them.
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
                    "tally": tally_to_document(self.tally),
                    "position": position(state.position),
                    **added,
                    **changes,
                }
            )
            self._write()
        if not counter.rows:
            self._files.remove(name)

    def finish(self) -> None:
        """Mark the reading as complete."""
        self.state = self.state.model_copy(update={"finished": True})
        self._write()

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Yield all profiles that were read, or some of their columns."""
        schema = pa.schema([self.schema.field(each) for each in columns or self.schema.names])
        for name in self.state.parts:
            for batch in self._files.batches(name, schema.names):
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()

    def remembered(self) -> Tally:
        """Return the statistics of the addresses."""
        return restore_domain_names(self.tally)

    def clear(self) -> None:
        """Delete everything that was read."""
        self._files.remove_all(self._name)
        self.tally, self.state = Tally(), ReadingState()

    def _recall(self) -> None:
        try:
            with self._files.reading(self._file_name) as file:
                state = ReadingState.model_validate_json(file.read())
            if not all(self._files.exists(name) for name in state.parts):
                raise missing()
            self.tally = tally_from_document(state.tally) if state.tally else Tally()
            self.state = state
        except (WorkspaceError, ValidationError, KeyError, TypeError, ValueError):
            self.clear()  # no files, or unusable ones: start over

    def _write(self) -> None:
        with self._files.replacing(self._file_name) as file:
            file.write(self.state.model_dump_json().encode())

    def _forget_old(self) -> None:
        """Delete readings that have not been continued for a day."""
        for name in self._files.names(_PREFIX, before=present() - KEPT):
            if name.endswith(_STATE):
                self._files.remove_all(name.removesuffix(_STATE))


class _Counter:
    """Count the rows of batches while they are consumed; skip empty batches."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            if batch.num_rows:
                yield batch

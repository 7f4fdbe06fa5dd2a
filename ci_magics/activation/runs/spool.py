"""The spool: private files with the hashes and keys of a push, written before the first request, deleted at its end."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa

from ci_magics.activation.segments.stored_segment import StoredProfiles
from ci_magics.errors import AccessError
from ci_magics.matching.hash_list import HashList
from ci_magics.matching.hashes import Hashes
from ci_magics.workspace.models import PushRecord, StepRecord
from ci_magics.workspace.store import Workspace

Reasons = dict[int, tuple[int | None, str]]
"""Why hashes were refused: Microsoft's code and name, by position."""

_WIDTH = 32


class Spool:
    """The files of one push.

    Parameters
    ----------
    workspace
        The workspace that stores the files.
    push
        The push that they belong to.
    """

    def __init__(self, workspace: Workspace, push: PushRecord) -> None:
        self._files = workspace.spool
        self._snapshots = workspace.snapshots
        self._push = push
        self._hashes = f"{push.id}-hashes.bin"

    def fill(self, adds: HashList, removes: HashList, segment_id: str) -> None:
        """Save the hashes to send, and link the segment's snapshot, which has their keys.

        Parameters
        ----------
        adds, removes
            Hashes to add and to remove. They get positions in this order: position 0 is the first hash to add.
        segment_id
            The id of the segment's snapshot.
        """
        parts = chain(adds.parts(), removes.parts())
        self._files.write_bytes(self._hashes, (np.ascontiguousarray(part).data for part in parts))
        self._files.link(f"{self._push.id}-profiles", self._snapshots, segment_id)

    def read(self, start: int, stop: int) -> Hashes:
        """Return hashes by position; hashes to add come before hashes to remove.

        Parameters
        ----------
        start, stop
            The range of positions, without ``stop``.

        Returns
        -------
        Hashes
            An array of shape ``(stop - start, 32)``.

        Raises
        ------
        WorkspaceError
            The file is missing or damaged.
        """
        found = self._files.read_bytes(self._hashes, start * _WIDTH, (stop - start) * _WIDTH)
        if len(found) != (stop - start) * _WIDTH:
            raise self._files.lost(self._hashes)
        return found.reshape(-1, _WIDTH)

    def profiles(self) -> StoredProfiles:
        """Return the profiles of the segment as they were when the push was planned."""
        name = f"{self._push.id}-profiles"
        return StoredProfiles(self._files, name, self._files.rows(name))

    def keep_reasons(self, step: StepRecord, reasons: Reasons) -> None:
        """Save which hashes of a step were rejected.

        Parameters
        ----------
        step
            The step.
        reasons
            Microsoft's code and name for each rejected hash, by position.
        """
        codes = [code for code, _name in reasons.values()]
        names = [name for _code, name in reasons.values()]
        table = pa.table(
            {
                "position": pa.array(list(reasons), pa.int64()),
                "code": pa.array(codes, pa.int64()),
                "name": pa.array(names, pa.string()),
            }
        )
        self._files.write(f"{step.id}-reasons", table)

    def reasons(self, step: StepRecord) -> Reasons:
        """Return which hashes of a step were rejected."""
        if not step.rejected:
            return {}
        rows = self._files.read(f"{step.id}-reasons").to_pydict()
        return dict(zip(rows["position"], zip(rows["code"], rows["name"], strict=True), strict=True))

    def keep_rejected(self, table: pa.Table) -> None:
        """Save the keys of rejected profiles, which remain after the end of the push."""
        if table.num_rows:
            self._files.write(f"rejected-{self._push.id}", table)

    def clear(self) -> None:
        """Delete everything except the keys of rejected profiles."""
        self._files.remove_all(f"{self._push.id}-")


def read_rejected(workspace: Workspace, run_id: str, pushes: int) -> list[pa.Table]:
    """Return the keys of a run's rejected profiles, one table for each audience that has some.

    If the database hides keys from viewers, they get an empty list; the counts are in the results.

    Parameters
    ----------
    workspace
        The workspace that stores the keys.
    run_id
        The id of the run.
    pushes
        Number of audiences in the run.
    """
    names = [f"rejected-{run_id}-{number}" for number in range(pushes)]
    there = [name for name in names if workspace.spool.exists(name)]
    try:
        return [workspace.spool.read(name) for name in there]
    except AccessError:
        return []

"""The spool: hashes and keys of a push, put aside before the first byte is sent and deleted when it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from ci_magics.matching.matched import Hashes
from ci_magics.workspace.models import PushRecord, StepRecord
from ci_magics.workspace.store import Workspace

Reasons = dict[int, tuple[int | None, str]]
"""Why hashes were refused: Microsoft's code and name, by position."""

#: How long the keys of refused profiles stay.
KEPT = timedelta(days=30)


class Spool:
    """The files of one push.

    Parameters
    ----------
    workspace
        Where they are.
    push
        Whose they are.
    """

    def __init__(self, workspace: Workspace, push: PushRecord) -> None:
        self._files = workspace.spool
        self._snapshots = workspace.snapshots
        self._push = push

    def fill(self, hashes: Hashes, segment_id: str) -> None:
        """Put aside what will be sent, and the keys it stands for."""
        packed = np.ascontiguousarray(hashes)
        column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(packed), [None, pa.py_buffer(packed)])
        self._files.write(f"{self._push.id}-hashes", pa.table({"hash": column}))
        self._files.link(f"{self._push.id}-profiles", self._snapshots, segment_id)

    def hashes(self) -> Hashes:
        """Return what is sent: what goes in, then what goes out."""
        column = self._files.read(f"{self._push.id}-hashes")["hash"].combine_chunks()
        packed = np.frombuffer(column.buffers()[1] or b"", dtype=np.uint8)
        return packed.reshape(-1, 32)[: len(column)]

    def profiles(self) -> pa.Table:
        """Return the profiles as they were when the push was planned."""
        return self._files.read(f"{self._push.id}-profiles")

    def keep_reasons(self, step: StepRecord, reasons: Reasons) -> None:
        """Write down which hashes of a step were refused."""
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
        """Return which hashes of a step were refused."""
        if not step.rejected:
            return {}
        rows = self._files.read(f"{step.id}-reasons").to_pydict()
        return dict(zip(rows["position"], zip(rows["code"], rows["name"], strict=True), strict=True))

    def keep_rejected(self, table: pa.Table) -> None:
        """Keep the keys of refused profiles beyond the end of the push."""
        if table.num_rows:
            self._files.write(f"rejected-{self._push.id}", table)

    def clear(self) -> None:
        """Delete everything but the keys of refused profiles."""
        self._files.remove_all(f"{self._push.id}-")


def read_rejected(workspace: Workspace, run_id: str, pushes: int) -> list[pa.Table]:
    """Return the keys of refused profiles of a run, one table for each audience that has some."""
    names = [f"rejected-{run_id}-{number}" for number in range(pushes)]
    return [workspace.spool.read(name) for name in names if workspace.spool.exists(name)]


def forget_old(workspace: Workspace, now: datetime) -> None:
    """Delete keys of refused profiles that are older than thirty days, and what finished runs have left behind."""
    workspace.spool.remove_before("rejected-", now - KEPT)
    for push in workspace.pushes.where(finished=True):
        Spool(workspace, push).clear()

"""Process an uploaded file: parse it, then change lists and members atomically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ci_magics.emulation import hashes
from ci_magics.emulation.advertising import bulk_file, list_rows
from ci_magics.emulation.advertising.bulk_file import Mask, Records
from ci_magics.emulation.advertising.lists import ItemError
from ci_magics.emulation.advertising.result_file import Answer
from ci_magics.emulation.advertising.unpacking import extract
from ci_magics.emulation.advertising.user_data import note_change
from ci_magics.emulation.call import Call
from ci_magics.emulation.hashes import Hashes
from ci_magics.emulation.injection import Injected
from ci_magics.emulation.state import Audience, World

LIST = "Customer List"
ITEM = "Customer List Item"
#: The columns that the result file repeats; never the member itself.
_ECHOED = ("Id", "Parent Id", "Audience", "Client Id")


@dataclass
class _Group:
    """A list's record and its items."""

    row: dict[str, str]
    items: int
    members: Hashes
    wrong: list[tuple[int | str, pa.Table]]


def read_file(name: str, content: bytes, injected: Injected) -> Callable[[World, Call], Answer]:
    """Parse a file without changing anything.

    Parameters
    ----------
    name
        The file's name; the extension selects zip, CSV or TSV.
    content
        The file's bytes.
    injected
        The injected fault.

    Returns
    -------
    callable
        Applies the file to the account of a call, and returns the content of the result file. Call it once, while
        holding the world's lock.

    Raises
    ------
    FileError
        The whole file is rejected.
    """
    records = bulk_file.parse(*extract(name, content))
    bulk_file.check_version(records)
    answer = Answer()
    groups = _groups(records, answer, injected)

    def apply(world: World, call: Call) -> Answer:
        for group in groups:
            _carry_out(world, call, group, answer, injected)
        return answer

    return apply


def _groups(records: Records, answer: Answer, injected: Injected) -> list[_Group]:
    """Assign the items to their lists; report rows that belong to none."""
    is_list, is_item = records.equal("Type", LIST), records.equal("Type", ITEM)
    _report_unknown_types(records, answer, ~(is_list | is_item | records.equal("Type", "Format Version")))
    refused = _refused(is_item, injected)
    without_list, too_early = is_item, np.zeros(len(is_item), dtype=np.bool_)
    groups: list[_Group] = []
    seen: set[str] = set()
    positions = np.flatnonzero(is_list)
    for position, row in zip(positions, records.rows(positions), strict=True):
        if row.get("Id") and row["Id"] in seen:
            answer.error(LIST, 4837, **echo(row))
            continue
        seen.add(row.get("Id", ""))
        mine = is_item & _belongs(records, row)
        without_list = without_list & ~mine
        early = mine & (np.arange(len(mine)) < position)
        too_early |= early
        groups.append(_group(records, row, np.flatnonzero(mine & ~early), refused, injected.detail("code", 8004)))
    for code, rows in ((8000, without_list), (4202, too_early)):
        answer.errors(ITEM, code, records.part(np.flatnonzero(rows)).columns(*_ECHOED))
    return groups


def _belongs(records: Records, row: dict[str, str]) -> Mask:
    """Return which items belong to a list: by Parent Id, or by Audience if they have no Parent Id."""
    mine = records.equal("Parent Id", row["Id"]) if row.get("Id") else np.zeros(records.table.num_rows, dtype=np.bool_)
    if row.get("Audience"):
        mine = mine | (records.equal("Parent Id", "") & records.equal("Audience", row["Audience"]))
    return mine


def _group(
    records: Records, row: dict[str, str], positions: npt.NDArray[np.intp], refused: Mask | None, code: int | str
) -> _Group:
    items = records.part(positions)
    texts, is_email = items.column("Text"), items.equal("Sub Type", "Email")
    is_hash = bulk_file.is_hash(texts)
    wrong: list[tuple[int | str, Mask]] = [(8002, ~is_email), (8004, is_email & ~is_hash)]
    good = is_email & is_hash
    if refused is not None:
        wrong.append((code, refused[positions] & good))
        good = good & ~refused[positions]
    members = bulk_file.unhexed(texts if good.all() else texts.filter(pa.array(good)))
    named = [(each, items.part(np.flatnonzero(rows)).columns(*_ECHOED)) for each, rows in wrong if rows.any()]
    return _Group(row, len(positions), hashes.distinct(members), named)


def _carry_out(world: World, call: Call, group: _Group, answer: Answer, injected: Injected) -> None:
    row = group.row
    if injected.fault == "list_error":
        answer.error(LIST, injected.detail("code", 4835), **echo(row))
        return
    try:
        list_rows.check_items(world, row, has_items=group.items > 0)
        audience = list_rows.apply(world, call, row)
    except ItemError as error:
        answer.error(LIST, error.code, **echo(row))
        return
    answer.success(LIST, **{**echo(row), "Id": audience.id, "Audience": audience.name})
    for code, table in group.wrong:
        answer.errors(ITEM, code, table)
    _change_members(world, audience, list_rows.action_of(row), group)


def _change_members(world: World, audience: Audience, action: str, group: _Group) -> None:
    if action == "Replace":
        audience.members.clear()
    if action == "Remove":
        audience.members.remove_many(group.members)
    else:
        audience.members.add_many(group.members)
    note_change(world, audience)


def _report_unknown_types(records: Records, answer: Answer, unknown: Mask) -> None:
    for row in records.rows(np.flatnonzero(unknown)):
        answer.error(row["Type"] or "Unknown", 4203, **echo(row))


def _refused(is_item: Mask, injected: Injected) -> Mask | None:
    """Return the rows that an injected fault rejects, counted among the file's items."""
    if injected.fault != "partial":
        return None
    refused = np.zeros(len(is_item), dtype=np.bool_)
    items = np.flatnonzero(is_item)
    refused[items[[index for index in injected.detail("indexes", [0]) if 0 <= index < len(items)]]] = True
    return refused


def echo(row: dict[str, str]) -> dict[str, str]:
    """Return the columns of a row that the result file repeats."""
    return {name: row.get(name, "") for name in _ECHOED}

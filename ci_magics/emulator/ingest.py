"""Carry out an uploaded file: lists first, then their members."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ci_magics.emulator import bulk_file
from ci_magics.emulator.advertising import find, new_list
from ci_magics.emulator.bulk_file import Records
from ci_magics.emulator.call import Call
from ci_magics.emulator.replies import Refusal
from ci_magics.emulator.result_file import Answer, FileError
from ci_magics.emulator.state import Audience, World
from ci_magics.emulator.user_data import ACTIONS, accepts_terms, change_members

LIST = "Customer List"
ITEM = "Customer List Item"
_HANDLED = pa.array(["Format Version", LIST, ITEM])


@dataclass
class _Target:
    """A list that the file names, and what is to happen to its members; no action when its record failed."""

    audience: Audience | None
    action: str
    row: dict[str, str]
    first_row: int


def ingest(world: World, call: Call, name: str, content: bytes) -> Answer:
    """Apply a file to the account of the call.

    Raises
    ------
    FileError
        The file as a whole is refused; nothing was changed.
    """
    records = bulk_file.parse(*bulk_file.extract(name, content))
    bulk_file.check_version(records)
    answer = Answer()
    _report_unknown_types(records, answer)
    targets = _targets(world, call, records, answer)
    for key, target in targets.items():
        _apply_items(world, records, answer, key, target)
    _report_orphans(records, answer, targets)
    return answer


def _report_unknown_types(records: Records, answer: Answer) -> None:
    unknown = pc.invert(pc.is_in(records.column("Type"), value_set=_HANDLED))
    for row in records.rows(unknown):
        answer.error(row["Type"] or "Unknown", 4203, **_echo(row))


def _targets(world: World, call: Call, records: Records, answer: Answer) -> dict[str, _Target]:
    mask = pc.equal(records.column("Type"), LIST)
    positions = pc.indices_nonzero(mask).to_pylist()
    targets: dict[str, _Target] = {}
    for position, row in zip(positions, records.rows(mask), strict=True):
        target = _Target(None, row.get("Action Type", ""), row, position)
        targets[row.get("Id") or row.get("Audience", "")] = target
        try:
            target.audience = _list_of(world, call, row)
        except Refusal as refusal:
            answer.error(LIST, refusal.reply.body["Code"], **_echo(row))
        else:
            if target.audience is None:
                answer.error(LIST, 8000, **_echo(row))
            else:
                answer.success(LIST, Id=target.audience.id, Audience=target.audience.name, **_client(row))
    return targets


def _list_of(world: World, call: Call, row: dict[str, str]) -> Audience | None:
    """Return the list a record is about; a negative id is a reference key for a new one."""
    identity = row.get("Id", "")
    if identity and not identity.startswith("-"):
        audience = find(world, call, identity)
        if audience and row.get("Status") == "Deleted":
            audience.deleted = True
            audience.members = set()
        return audience
    days = row.get("Membership Duration", "")
    return new_list(
        world,
        call,
        {
            "Type": "CustomerList",
            "Name": row.get("Audience"),
            "Description": row.get("Description") or None,
            "Scope": row.get("Scope") or "Account",
            "ParentId": row.get("Parent Id") or None,
            "MembershipDuration": int(days) if days.lstrip("-").isdigit() else None,
        },
    )


def _apply_items(world: World, records: Records, answer: Answer, key: str, target: _Target) -> None:
    items = _items_of(records, key, target)
    if items.num_rows == 0 and target.action != "Replace":
        return
    problem = _list_problem(world, target)
    if problem is not None:
        if problem:
            answer.error(LIST, problem, **_echo(target.row))
        return
    good = _good_items(Records(items), answer)
    members = set(bulk_file.raw_hashes(good))
    if target.audience is not None:
        change_members(world, target.audience, target.action or "Add", members)


def _items_of(records: Records, key: str, target: _Target) -> pa.Table:
    by_id = pc.equal(records.column("Parent Id"), key)
    by_name = pc.and_(
        pc.equal(records.column("Parent Id"), ""), pc.equal(records.column("Audience"), target.row.get("Audience", ""))
    )
    mine = pc.and_(pc.equal(records.column("Type"), ITEM), pc.or_(by_id, by_name))
    positions = pc.indices_nonzero(_known(mine))
    if not len(positions):
        return records.table.slice(0, 0)
    first, last = positions[0].as_py(), positions[-1].as_py()
    if first < target.first_row:
        raise FileError(4202)  # parents precede children
    if last - first + 1 == len(positions):
        return records.table.slice(first, len(positions))  # nothing between them: no need to copy
    return records.table.filter(mine)


def _known(mask: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a mask in which what is not known does not count."""
    return pc.fill_null(mask, False)


def _list_problem(world: World, target: _Target) -> int | None:
    """Return the code that keeps the members out, 0 when the list's own error was reported already."""
    if target.audience is None:
        return 0
    is_new = target.row.get("Id", "").startswith("-") or not target.row.get("Id")
    if target.action not in ACTIONS and not (is_new and not target.action):
        return 8001
    flag = {"True": True, "False": False, "": None}.get(target.row.get("Accept Customer Match Term", ""), False)
    return None if accepts_terms(world, flag) else 8003


def _good_items(items: Records, answer: Answer) -> pa.ChunkedArray:
    texts, kinds = items.column("Text"), items.column("Sub Type")
    is_email, is_hash = pc.equal(kinds, "Email"), bulk_file.is_hash(texts)
    for code, wrong in ((8002, pc.invert(is_email)), (8004, pc.and_(is_email, pc.invert(is_hash)))):
        for row in items.rows(wrong):
            answer.error(ITEM, code, **_echo(row))
    return texts.filter(pc.and_(is_email, is_hash))


def _report_orphans(records: Records, answer: Answer, targets: dict[str, _Target]) -> None:
    """Items without their list in the same file are not allowed."""
    keys = pa.array([key for key in targets if key], pa.string())
    names = pa.array([name for each in targets.values() if (name := each.row.get("Audience"))], pa.string())
    known = pc.or_(
        pc.is_in(records.column("Parent Id"), value_set=keys),
        pc.and_(pc.equal(records.column("Parent Id"), ""), pc.is_in(records.column("Audience"), value_set=names)),
    )
    orphans = pc.and_(pc.equal(records.column("Type"), ITEM), pc.invert(known))
    for row in records.rows(orphans):
        answer.error(ITEM, 8000, **_echo(row))


def _echo(row: dict[str, str]) -> dict[str, str]:
    """Return what the result file repeats of a row; never the member itself."""
    kept = {"Id": row.get("Id", ""), "Parent Id": row.get("Parent Id", ""), "Audience": row.get("Audience", "")}
    return {**kept, **_client(row)}


def _client(row: dict[str, str]) -> dict[str, str]:
    return {"Client Id": row.get("Client Id", "")}

"""Whole entities as CSV partitions at signed addresses: the answer to ``proxy=true``.

Partitions of a segment begin with a header row, those of other entities do not. A live client of the service reads them
this way. Like Azure Storage, the addresses have the signature in the query, and a request that also has an
Authorization header is rejected.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ci_magics.emulation.call import Call
from ci_magics.emulation.insights.replies import moment, storage_error
from ci_magics.emulation.invented import entities
from ci_magics.emulation.invented.drawing import Rows
from ci_magics.emulation.invented.entities import Entity
from ci_magics.emulation.replies import Reply
from ci_magics.emulation.state import HOUR, World

_LIFETIME = HOUR
_AT_ONCE = 20_000
_VERSION = "2020-10-02"


def listed(world: World, call: Call, entity: Entity, select: list[str]) -> Reply:
    """Return the addresses of an entity's partitions, and the headers that requests for them need.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    entity
        The entity.
    select
        The attributes to include.
    """
    expires = str(int(world.clock.now() + _LIFETIME))
    requests: list[dict[str, Any]] = []
    for number in range(world.settings.partitions):
        path = f"/storage/{world.insights.home}/{entity.name}/part-{number:05d}.csv"
        columns = ",".join(select)
        signature = _signature(world, path, columns, expires)
        query = f"se={quote(moment(float(expires)) or '', safe='')}&sp=r&e={expires}&c={quote(columns)}&sig={signature}"
        requests.append({"uri": f"{call.origin}{path}?{query}", "headers": {"x-ms-version": _VERSION}})
    return Reply({"httpRequests": requests})


def get_partition(world: World, call: Call) -> Reply:
    """Stream one partition."""
    if call.headers.get("Authorization"):
        raise storage_error(400, "InvalidAuthenticationInfo")
    if call.headers.get("x-ms-version") != _VERSION:
        raise storage_error(400, "MissingRequiredHeader")
    columns, expires = call.query.get("c", ""), call.query.get("e", "")
    expected = _signature(world, call.path, columns, expires)
    if not hmac.compare_digest(expected, call.query.get("sig", "").encode("ascii", "replace").decode()):
        raise storage_error(403, "AuthenticationFailed")
    if not expires.isdecimal() or int(expires) <= world.clock.now():
        raise storage_error(403, "AuthenticationFailed")
    entity = entities.find_entity(world, call.arguments["entity"])
    if entity is None:
        raise storage_error(404, "BlobNotFound")
    rows = _share(entity.rows(world), _number(world, call), world.settings.partitions)
    return Reply(_lines(entity, rows, columns.split(",")), content_type="text/csv; charset=utf-8")


def _number(world: World, call: Call) -> int:
    text = call.arguments["number"]
    if not text.isdecimal() or int(text) >= world.settings.partitions:
        raise storage_error(404, "BlobNotFound")
    return int(text)


def _share(rows: Rows, number: int, partitions: int) -> Rows:
    return rows[len(rows) * number // partitions : len(rows) * (number + 1) // partitions]


def _lines(entity: Entity, rows: Rows, columns: list[str]) -> Iterator[bytes]:
    if entity.has_header:
        yield ",".join(columns).encode() + b"\n"
    for start in range(0, len(rows), _AT_ONCE):
        frame = entity.frame(rows[start : start + _AT_ONCE], columns)
        yield frame.write_csv(include_header=False).encode()


def _signature(world: World, path: str, columns: str, expires: str) -> str:
    return hmac.new(world.subscription_key.encode(), f"{path}\n{columns}\n{expires}".encode(), "sha256").hexdigest()

"""Pagination: tokens, next links, and the encoding of a page."""

from __future__ import annotations

import base64
import hmac
import io
import json
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import polars as pl

from ci_magics.emulation.call import Call

FOREIGN = "https://pages.example.com"
_SIGNED = 12


def token_for(secret: str, scope: str, offset: int) -> str:
    """Return an opaque token for a page.

    Parameters
    ----------
    secret
        The signing key.
    scope
        The query that the page belongs to.
    offset
        The first row of the page.
    """
    text = f"{offset}:{_signature(secret, scope, offset)}"
    return base64.b64encode(text.encode()).decode()


def offset_of(secret: str, scope: str, token: str) -> int | None:
    """Return the offset of a token, or None if it was not issued for this query.

    Parameters
    ----------
    secret
        The signing key.
    scope
        The query that the page belongs to.
    token
        The token.
    """
    try:
        number, _, signature = base64.b64decode(token, validate=True).decode("ascii").partition(":")
        offset = int(number)
    except ValueError:
        return None
    return offset if hmac.compare_digest(signature, _signature(secret, scope, offset)) else None


def address(call: Call, name: str, value: str) -> str:
    """Return the address of this request with the paging option replaced; the others stay exactly as written.

    Parameters
    ----------
    call
        The request.
    name
        The paging option.
    value
        Its value.
    """
    dropped = ("$skip=", "$skiptoken=", "%24skip=", "%24skiptoken=")
    kept = [part for part in call.raw_query.split("&") if part and not part.startswith(dropped)]
    query = "&".join([*kept, f"{name}={quote(value, safe='')}"])
    return f"{call.origin}{call.path}?{query}"


def encoded(frame: pl.DataFrame, before: dict[str, Any], next_link: str | None, *, omit_nulls: bool) -> bytes:
    """Return a page as JSON bytes.

    Parameters
    ----------
    frame
        The rows.
    before
        The properties before the rows.
    next_link
        The address of the next page, if any.
    omit_nulls
        Whether to leave out null values.
    """
    written = io.BytesIO()
    frame.write_json(written)
    rows = written.getvalue()
    if omit_nulls:
        rows = _without_nulls(rows, frame)
    head = json.dumps(before)[:-1] + ("," if before else "")
    tail = "" if next_link is None else f',"@odata.nextLink":{json.dumps(next_link)}'
    return b"".join([head.encode(), b'"value":', rows, tail.encode(), b"}"])


def altered(call: Call, link: str | None) -> str | None:
    """Return the next link as changed by a fault: to the page itself, or to another host.

    Parameters
    ----------
    call
        The request.
    link
        The next link, if any.
    """
    if link is None:
        return None
    if call.fault == "repeated_page":
        return f"{call.origin}{call.path}?{call.raw_query}"
    return link.replace(call.origin, FOREIGN, 1) if call.fault == "foreign_next_link" else link


def without(names: Collection[str], body: bytes, call: Call) -> bytes:
    """Remove an attribute from some rows if a fault says so, as if the profile did not have it.

    Parameters
    ----------
    names
        The names of the attribute.
    body
        The page.
    call
        The request.
    """
    if call.fault != "no_email":
        return body
    for name in names:
        body = _left_out(name, body, call.fault_details.get("indexes", [0]))
    return body


def _left_out(name: str, body: bytes, rows: Collection[int]) -> bytes:
    place = -1

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal place
        place += 1
        return b"" if place in rows else match[0]

    pattern = rb',?"%s":(?:null|"(?:[^"\\]|\\.)*")' % name.encode()
    return re.sub(pattern, replaced, body).replace(b"{,", b"{")


def _without_nulls(rows: bytes, frame: pl.DataFrame) -> bytes:
    for name in [each for each in frame.columns if frame[each].null_count()]:
        empty = f'"{name}":null'.encode()
        rows = rows.replace(b"," + empty, b"").replace(b"{" + empty + b",", b"{").replace(b"{" + empty + b"}", b"{}")
    return rows


def _signature(secret: str, scope: str, offset: int) -> str:
    return hmac.new(secret.encode(), f"{scope}:{offset}".encode(), "sha256").hexdigest()[:_SIGNED]

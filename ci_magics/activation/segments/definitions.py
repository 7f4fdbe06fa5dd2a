"""Definitions of dynamic segments: what is stored so that a refresh can evaluate them again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict

from ci_magics.errors import names_somebody
from ci_magics.kept_address import has_own_creator, kept_address
from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import FOUND
from ci_magics.segmentation.sources.databases import Source
from ci_magics.segmentation.sources.files import absolute, is_path
from ci_magics.segmentation.sources.queries import referenced_tables

Kind = Literal["files", "sql", "database", "segments", "insights"]
Value = bool | int | float | dt.datetime | dt.date | str | None


@dataclass(frozen=True)
class SegmentRequest:
    """The options for making a segment, except its name and its source; see `ci_magics.segment`."""

    email: str | None = None
    key: str | None = None
    where: str | None = None
    rule: Rule | None = None
    frames: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    database: Source | None = field(default=None, repr=False)
    static: bool = False
    consent: ConsentChoice = FOUND
    encoding: str | None = None


class Definition(BaseModel):
    """How to make a dynamic segment without its notebook.

    Parameters
    ----------
    kind
        Type of source: ``files``, a query over files and stored segments (``sql``), a ``database``, stored ``segments``
        only, or a segment of Customer ``insights``.
    source
        Path, query, or name of the Customer Insights segment; None for stored segments.
    email, key, where, rule, consent, consent_yes
        As given in `ci_magics.segment`.
    parameters
        Values of ``$name`` in the query.
    database
        Part of the address that may be stored; see `kept_address`.
    encoding
        Encoding of text files, if given.
    instance, via
        Customer Insights instance, and the route to read it.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    source: str | None = None
    email: str | None = None
    key: str | None = None
    where: str | None = None
    rule: str | None = None
    consent: tuple[str, ...] = ()
    consent_yes: tuple[str, ...] = ()
    parameters: dict[str, Value] = {}
    database: str | None = None
    encoding: str | None = None
    instance: str | None = None
    via: str | None = None


def define(frame: Any, wanted: SegmentRequest) -> Definition | str:
    """Return the definition of a segment, or the reason why it cannot be evaluated again.

    A definition that contains an e-mail address is not stored, because no address is.

    Parameters
    ----------
    frame
        Source of the segment.
    wanted
        Further options of the segment.
    """
    defined = _define(frame, wanted)
    return "its definition contains an e-mail address" if _names_somebody(defined) else defined


def _names_somebody(defined: Definition | str) -> bool:
    if isinstance(defined, str):
        return False
    texts = (defined.source, defined.where, defined.rule, *defined.parameters.values())
    return any(isinstance(text, str) and names_somebody(text) for text in texts)


def _define(frame: Any, wanted: SegmentRequest) -> Definition | str:
    if wanted.static:
        return "it was created as a snapshot"
    rule = wanted.rule.text if wanted.rule else None
    asked: dict[str, Any] = {"email": wanted.email, "key": wanted.key, "where": wanted.where, "rule": rule}
    if wanted.consent.how == "chosen":
        asked |= {"consent": wanted.consent.columns, "consent_yes": wanted.consent.yes}
    if frame is None:
        return Definition(kind="segments", **asked)
    if is_path(frame):
        return Definition(kind="files", source=absolute(frame), encoding=wanted.encoding, **asked)
    if not isinstance(frame, str):
        return "it reads a frame of a notebook"
    if used := sorted(wanted.frames):
        return f"it reads {', '.join(used)} of a notebook"
    values = {name: _plain(value) for name, value in wanted.parameters.items()}
    odd = next((name for name, value in values.items() if not isinstance(value, Value)), None)
    if odd is not None:
        return f"the value of ${odd} cannot be stored"
    if wanted.database is not None:
        if isinstance(wanted.database, duckdb.DuckDBPyConnection) or has_own_creator(wanted.database):
            return "it reads a connection of a notebook"
        address = kept_address(wanted.database)
        return Definition(kind="database", source=frame, parameters=values, database=address, **asked)
    return Definition(kind="sql", source=frame, parameters=values, encoding=wanted.encoding, **asked)


def segments_used(definition: Definition) -> set[str]:
    """Return the names of stored segments that a query reads: its tables that are not files."""
    if definition.kind != "sql" or definition.source is None:
        return set()
    return {name for name in referenced_tables(definition.source) if not is_path(name)}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value

"""The options for making a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_magics.segmentation.consent.document import ConsentChoice
from ci_magics.segmentation.rules.rule import Rule
from ci_magics.segmentation.segment import FOUND
from ci_magics.segmentation.sources.databases import Source


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

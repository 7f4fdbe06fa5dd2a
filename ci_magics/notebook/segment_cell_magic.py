"""``%%ci_segment``: a segment from one SELECT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.names import frames_of, parameters_of
from ci_magics.notebook.shared_options import QUIET
from ci_magics.operations.declarations import declaration

OUTPUT = Flag("-o", "keep the result in this variable", value="NAME", variable=True)


def declare() -> Command:
    """Return the declaration: that of `ci_magics.segment` without what the cell says."""
    derived = declaration("segment").without("frame", "where", "rule", "static").command("%%ci_segment", OUTPUT, QUIET)
    return replace(
        derived,
        summary="Make a segment from one SELECT over frames, files, earlier segments or a database; $name is bound.",
        example='%%ci_segment "Big spenders" --key CustomerId\nSELECT * FROM customers WHERE TotalSpend > $least',
    )


def segment_from_sql(call: Call) -> Any:
    """Create a segment from the SELECT in the cell."""
    arguments = call.arguments
    if not arguments.words:
        raise ArgumentError("A segment needs a name.", 'For example: %%ci_segment "Big spenders".', code="no_name")
    name, database = text_of(arguments.words[0]), arguments.given("database")
    # A frame with the segment's own name is still read as the frame when the cell runs again.
    earlier = [each for each in ci.segments.names() if each != name]
    return call.carry_out(
        "segment",
        frame=call.cell,
        frames={} if database else frames_of(call.cell, call.variables, earlier),
        parameters=parameters_of(call.cell, call.variables, database=database),
    )


MAGIC = Magic("%%ci_segment", declare, segment_from_sql)

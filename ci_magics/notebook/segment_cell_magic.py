"""``%%ci_segment``: a segment from one SELECT."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.names import frames_of, parameters_of
from ci_magics.notebook.segment_verbs import ALLOWANCES
from ci_magics.notebook.shared_options import ENCODING, OUTPUT, QUIET, SEGMENT_CONSENT

COMMAND = Command(
    "%%ci_segment",
    "Make a segment from one SELECT over frames, files, earlier segments or a database; $name is bound.",
    '%%ci_segment "Big spenders" --key CustomerId\nSELECT * FROM customers WHERE TotalSpend > $least',
    (Positional("NAME", "what to call the segment", kind="segment"),),
    (
        Flag("--email", "column with the addresses", value="COL", kind="column"),
        Flag("--key", "column that identifies a profile", value="COL", kind="column"),
        *SEGMENT_CONSENT,
        ENCODING,
        Flag("--database", "address or engine of the database that runs the query", value="URL"),
        *ALLOWANCES,
        OUTPUT,
        QUIET,
    ),
)


def segment_from_sql(call: Call) -> Any:
    """Create a segment from the SELECT in the cell."""
    arguments = call.arguments
    if not arguments.words:
        raise ArgumentError("A segment needs a name.", 'For example: %%ci_segment "Big spenders".', code="no_name")
    name, database = text_of(arguments.words[0]), arguments.given("database")
    # A frame with the segment's own name is still read as the frame when the cell runs again.
    earlier = [each for each in ci.segments.names() if each != name]
    return ci.segment(
        name,
        call.cell,
        frames={} if database else frames_of(call.cell, call.variables, earlier),
        parameters=parameters_of(call.cell, call.variables, database=database),
        database=database,
        email=arguments.given("email"),
        key=arguments.given("key"),
        consent=arguments.all("consent"),
        consent_yes=arguments.all("consent_yes"),
        allow_empty=arguments.switch("allow_empty"),
        allow_shrink=arguments.switch("allow_shrink"),
        encoding=arguments.given("encoding"),
        show=call.say,
    )


MAGIC = Magic(COMMAND, segment_from_sql)

"""``%ci_segment``: create a segment from a frame or a rule, or change an existing one."""

from __future__ import annotations

from typing import Any

import ci_magics as ci
from ci_magics.errors import ArgumentError
from ci_magics.grammar.command import Command, Flag, Positional
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.insights_options import FROM_INSIGHTS, segment_from_insights
from ci_magics.notebook.names import frame_named, values_of
from ci_magics.notebook.segment_verbs import ALLOWANCES, VERBS, carry_out, verb_of
from ci_magics.notebook.shared_options import ENCODING, QUIET, SEGMENT_CONSENT

COMMAND = Command(
    "%ci_segment",
    "Make a segment from a frame of the notebook, or change one that exists; without arguments, show the form.",
    '%ci_segment "Big spenders" customers --where "TotalSpend > 500"',
    (
        Positional("NAME", "what to call the segment", kind="segment"),
        Positional("FRAME", "variable that holds the frame, or a path of files", kind="frame"),
    ),
    (
        Flag("--email", "column with the addresses", value="COL", kind="column"),
        Flag("--key", "column that identifies a profile", value="COL", kind="column"),
        *SEGMENT_CONSENT,
        ENCODING,
        Flag("--where", "condition in SQL over the columns; $name is bound", value="SQL", kind="condition"),
        Flag("--rule", "rule, e.g. \"Country is any of NL, BE and not 'Opted out'\"", value="TEXT", kind="rule"),
        *FROM_INSIGHTS,
        Flag("--static", "keep it as it is now, although a refresh could evaluate it again"),
        *ALLOWANCES,
        *VERBS,
        Flag("--list", "list the segments"),
        QUIET,
    ),
    notes="As a cell magic, %%ci_segment NAME, it takes one SELECT over the notebook's frames.",
)


def segment(call: Call) -> Any:
    """Create a segment, carry out a verb on one, or list them."""
    arguments = call.arguments
    verb = verb_of(arguments)
    if verb is not None:
        return carry_out(verb, text_of(arguments.words[0]), arguments, call.say)
    if not arguments.words and not arguments.options:
        from ci_magics.notebook.forms.restoring import notebook_variables, restored
        from ci_magics.notebook.forms.segment import SegmentForm

        return restored(SegmentForm, lambda: SegmentForm(variables=notebook_variables()))
    if "from_insights" in arguments.options:
        return segment_from_insights(call)
    if not arguments.words:
        from ci_magics.activation.segments.listing import list_segments

        return list_segments()
    if len(arguments.words) == 1 and "rule" not in arguments.options:
        raise ArgumentError(
            "A segment needs a frame, or a rule over earlier segments.",
            f"For example: {COMMAND.example}.",
            code="frame_missing",
        )
    return ci.segment(
        text_of(arguments.words[0]),
        frame_named(arguments.words[1], call.variables) if len(arguments.words) > 1 else None,
        email=arguments.given("email"),
        key=arguments.given("key"),
        encoding=arguments.given("encoding"),
        where=arguments.given("where"),
        rule=arguments.given("rule"),
        parameters=values_of(arguments.given("where"), arguments.given("rule"), call.variables),
        static=arguments.switch("static"),
        consent=arguments.all("consent"),
        consent_yes=arguments.all("consent_yes"),
        allow_empty=arguments.switch("allow_empty"),
        allow_shrink=arguments.switch("allow_shrink"),
        show=call.say,
    )


MAGIC = Magic(COMMAND, segment)

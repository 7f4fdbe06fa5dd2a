"""``ci-magics emulator``: the verbs of the noun, and ``serve``, which runs the endpoints until it is stopped."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from dataclasses import replace

from ci_magics.cli.command import DONE
from ci_magics.cli.operations import noun_command
from ci_magics.grammar.command import Arguments, Command, Flag

_DERIVED = noun_command("emulator")
_SERVE = Command(
    "ci-magics emulator serve",
    "Run Microsoft's endpoints on this machine until they are stopped.",
    "ci-magics emulator serve --port 8080",
    (),
    (
        Flag("--port", "port on 127.0.0.1; 0 selects a free one (0)", value="N", whole_number=True),
        Flag("--state", "keep the state there; without it, in memory only", value="DIR", kind="file"),
    ),
)


def _verbs() -> Mapping[str, Command]:
    return {**_DERIVED.verbs(), "serve": _SERVE}


def _work(verb: str, arguments: Arguments) -> int:
    return _serve(arguments) if verb == "serve" else _DERIVED.work(verb, arguments)


def _serve(arguments: Arguments) -> int:
    state = [] if arguments.given("state") is None else ["--state", arguments.given("state")]
    sys.argv = ["ci-magics emulator serve", "--port", str(arguments.given("port") or 0), *state]
    runpy.run_module("ci_magics.emulation", run_name="__main__")
    return DONE


COMMAND = replace(_DERIVED, verbs=_verbs, work=_work)

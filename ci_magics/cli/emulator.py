"""``ci-magics emulator``: run Microsoft's endpoints on this machine."""

from __future__ import annotations

import argparse
import runpy
import sys

from ci_magics.cli.command import DONE, Commands


def add(commands: Commands) -> None:
    """Add the command."""
    emulator = commands.add_parser("emulator", help="run Microsoft's endpoints on this machine")
    emulator.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    emulator.set_defaults(work=_serve)


def _serve(options: argparse.Namespace) -> int:
    sys.argv = ["ci-magics emulator", "--port", str(options.port)]
    runpy.run_module("ci_magics.emulator", run_name="__main__")
    return DONE

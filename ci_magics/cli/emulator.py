"""``ci-magics emulator``: run Microsoft's endpoints locally, or manage the workspace's own emulator."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable

from ci_magics.cli.command import DONE, Commands, add_command, answer

_VERBS = {
    "status": "say where the emulator of the workspace runs, and what it holds",
    "stop": "end its process; the next request starts it again, with all that it held",
    "reset": "remove its audiences, and what the workspace knows about them; for administrators",
}


def add(commands: Commands) -> None:
    """Add the command."""
    emulator = add_command(commands, "emulator", "run Microsoft's endpoints on this machine")
    verbs = "; ".join(f"{name}: {text}" for name, text in _VERBS.items())
    emulator.add_argument("verb", nargs="?", choices=tuple(_VERBS), help=f"{verbs}. Without it, serve until stopped")
    emulator.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    emulator.add_argument("--state", metavar="DIR", help="keep the state there; without it, in memory only")
    emulator.set_defaults(work=_work)


def _work(options: argparse.Namespace) -> int:
    if options.verb is None:
        return _serve(options)
    does: dict[str, Callable[[argparse.Namespace], int]] = {"status": _status, "stop": _stop, "reset": _reset}
    return does[options.verb](options)


def _serve(options: argparse.Namespace) -> int:
    state = [] if options.state is None else ["--state", options.state]
    sys.argv = ["ci-magics emulator", "--port", str(options.port), *state]
    runpy.run_module("ci_magics.emulation", run_name="__main__")
    return DONE


def _status(options: argparse.Namespace) -> int:
    from ci_magics.activation.audiences.emulator_view import emulator_status

    status = emulator_status()
    answer(options, status.document(), repr(status))
    return DONE


def _stop(options: argparse.Namespace) -> int:
    from ci_magics.activation.audiences.emulator_view import stop_emulator

    stopped = stop_emulator()
    text = "The emulator of this workspace has stopped." if stopped else "The emulator of this workspace did not run."
    answer(options, {"stopped": stopped}, text)
    return DONE


def _reset(options: argparse.Namespace) -> int:
    from ci_magics.activation.audiences.emulator_view import reset_emulator

    reset = reset_emulator()
    answer(options, reset.to_dict(), repr(reset))
    return DONE

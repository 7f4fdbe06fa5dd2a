"""``ci-magics refresh``: refresh once, for cron, Airflow, or a systemd timer."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.cli.command import TerminalCommand
from ci_magics.cli.operations import operation_command
from ci_magics.errors import CiError
from ci_magics.grammar.command import Arguments
from ci_magics.operations.declarations import Done


def _work(arguments: Arguments, carry: Callable[..., Done]) -> Done:
    from ci_magics.activation.exports.heartbeats import REFRESH, note_heartbeat
    from ci_magics.clock import present
    from ci_magics.workspace.store import open_workspace

    began = present()
    try:
        report = carry("refresh")
    except CiError as error:
        if arguments.switch("due_only") and error.code == "refresh_running":
            return Done("refresh", error)  # another refresh is already doing this
        raise
    note_heartbeat(open_workspace(), REFRESH, began)
    return report


COMMAND: TerminalCommand = operation_command("refresh", work=_work)

"""``%ci_exports``."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import CiError
from ci_magics.notebook.call import Call, Magic, text_of
from ci_magics.notebook.exports_command import COMMAND
from ci_magics.notebook.exports_verbs import carry_out


def exports(call: Call) -> Any:
    """Show the panel of saved exports, or carry out a verb."""
    if not call.arguments.words and not call.arguments.options:
        from ci_magics.notebook.forms.exports import ExportsForm
        from ci_magics.notebook.forms.restoring import restored

        return restored(ExportsForm)
    with call.progress() as progress:
        result = carry_out(call.arguments, progress, call.say)
    if call.arguments.words and text_of(call.arguments.words[0]).startswith("run"):
        _require_completed(result, call)
    return result


def _require_completed(result: Any, call: Call) -> None:
    """Raise an error, which stops the notebook, if one of several exports did not complete."""
    left = getattr(result, "not_completed", ())
    if left:
        call.say(repr(result))
        names = ", ".join(f"'{each.export}'" for each in left)
        raise CiError(f"Not completed: {names}.", "The table above says why.", code="not_completed")


MAGIC = Magic(COMMAND, exports)

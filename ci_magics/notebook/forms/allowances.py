"""Check boxes that override the guards of a segment, shown only after a guard has stopped saving."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import SegmentError
from ci_magics.notebook.forms.fields import checkbox, show

#: The guards of `ci_magics.segment`: error code -> the argument that overrides the guard.
_GUARDS = {"segment_empty": "allow_empty", "segment_shrinks": "allow_shrink"}


class Allowances:
    """Overrides for the guards that keep a segment from losing its profiles."""

    def __init__(self) -> None:
        self.allow_empty = checkbox("Save it even if it becomes empty", "allow-empty")
        self.allow_shrink = checkbox("Save it even if it loses more than half of its profiles", "allow-shrink")
        self.reset()

    def fields(self) -> dict[str, Any]:
        """Return the check boxes by the parameter names of the public function."""
        return {"allow_empty": self.allow_empty, "allow_shrink": self.allow_shrink}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments for the public function."""
        return {name: field.value for name, field in self.fields().items()}

    def reset(self) -> None:
        """Clear and hide both: an override applies to one definition only."""
        for each in self.fields().values():
            each.value = False
            show(each, False)

    def offer_override(self, stopped: SegmentError) -> SegmentError:
        """Show the check box for an error, and return the error in the form's words.

        Parameters
        ----------
        stopped
            Why the segment was not saved; returned unchanged if no check box matches.
        """
        name = _GUARDS.get(str(stopped.code))
        if name is None:
            return stopped
        field = self.fields()[name]
        show(field, True)
        return SegmentError(
            stopped.sentence, f"If that is right, check '{field.description}', then save again.", code=stopped.code
        )

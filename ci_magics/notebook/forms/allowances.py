"""The check boxes that let a segment lose its people, shown only after saving it was stopped for that."""

from __future__ import annotations

from typing import Any

from ci_magics.errors import SegmentError
from ci_magics.notebook.forms.fields import checkbox, show

#: The guards of `ci_magics.segment` by the code of their error: the argument that sets each aside.
_GUARDS = {"segment_empty": "allow_empty", "segment_shrinks": "allow_shrink"}


class Allowances:
    """What sets the guards aside that keep a segment from losing its people."""

    def __init__(self) -> None:
        self.allow_empty = checkbox("Save it although nobody is left in it", "allow-empty")
        self.allow_shrink = checkbox("Save it although less than half of its profiles are left", "allow-shrink")
        self.reset()

    def fields(self) -> dict[str, Any]:
        """Return the check boxes by the names of the public function's parameters."""
        return {"allow_empty": self.allow_empty, "allow_shrink": self.allow_shrink}

    def arguments(self) -> dict[str, Any]:
        """Return what the public function takes."""
        return {name: field.value for name, field in self.fields().items()}

    def reset(self) -> None:
        """Hide both: what was allowed for one definition is not allowed for another."""
        for each in self.fields().values():
            each.value = False
            show(each, False)

    def offered(self, stopped: SegmentError) -> SegmentError:
        """Show the check box that fits an error, and return the error as the form says it.

        Parameters
        ----------
        stopped
            Why the segment was not saved; returned as it is when no check box fits.
        """
        name = _GUARDS.get(str(stopped.code))
        if name is None:
            return stopped
        field = self.fields()[name]
        show(field, True)
        return SegmentError(
            stopped.sentence, f"If that is right, check '{field.description}', then save again.", code=stopped.code
        )

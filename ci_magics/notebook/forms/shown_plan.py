"""The plan that the export form shows: it is read and confirmed, then pushed; no other plan is."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.activation.plan import Plan
from ci_magics.notebook.forms.fields import button, checkbox, page, show


class ShownPlan:
    """A plan with the box that confirms it and the button that pushes it.

    Parameters
    ----------
    push
        Called when the button is pressed.
    """

    def __init__(self, push: Callable[..., None]) -> None:
        self.plan: Plan | None = None
        self.view = page("plan")
        self.confirm = checkbox("I have read the plan", "confirm")
        self.push_button = button("Push", "push", push, style="primary", hint="Send what the plan says")
        self.confirm.observe(lambda _change: self.allow(), names="value")

    def put(self, plan: Plan) -> bool:
        """Show a plan; tells whether anything of it would be sent."""
        self.plan = plan
        self.view.value = plan._repr_html_()
        sends = not all(each.stopping for each in plan.audiences)
        self._offer(sends)
        return sends

    def forget(self) -> None:
        """Take the plan back, because it does not fit the choices any more or was carried out."""
        self.plan = None
        self.view.value = ""
        self.confirm.value = False
        self._offer(False)

    def allow(self) -> None:
        """Let only a plan be pushed that was confirmed."""
        self.push_button.disabled = self.plan is None or not self.confirm.value

    def _offer(self, visible: bool) -> None:
        show(self.confirm, visible)
        show(self.push_button, visible)
        self.allow()

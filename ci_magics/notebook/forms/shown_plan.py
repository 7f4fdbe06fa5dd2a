"""The plan that the export form shows: it is read and confirmed, then pushed; no other plan is."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.activation.plan import Plan
from ci_magics.notebook.forms.fields import button, checkbox, page, show

_SEND = "Send what the plan says"


class ShownPlan:
    """A plan with the box that confirms it and the button that pushes it.

    Parameters
    ----------
    push
        Called when the button is pressed.
    worded
        Returns a text in the words of the form.
    """

    def __init__(self, push: Callable[..., None], worded: Callable[[str], str]) -> None:
        self._worded = worded
        self.plan: Plan | None = None
        self.view = page("plan")
        self.confirm = checkbox("I have read the plan", "confirm")
        self.push_button = button("Push", "push", push, style="primary", hint=_SEND)
        self.confirm.observe(lambda _change: self.allow(), names="value")

    def put(self, plan: Plan) -> bool:
        """Show a plan; tells whether anything of it would be sent."""
        self.plan = plan
        self.view.value = self._worded(plan._repr_html_())
        blocked = plan.verdict.blocked
        show(self.confirm, not blocked)
        show(self.push_button, True)
        self.push_button.tooltip = self._worded(f"Blocked: {plan.verdict.reason}") if blocked else _SEND
        self.allow()
        return not blocked

    def forget(self) -> None:
        """Take the plan back, because it does not fit the choices any more or was carried out."""
        self.plan = None
        self.view.value = ""
        self.confirm.value = False
        self.push_button.tooltip = _SEND
        show(self.confirm, False)
        show(self.push_button, False)
        self.allow()

    def allow(self) -> None:
        """Let only a plan be pushed that was confirmed and that nothing blocks."""
        self.push_button.disabled = self.plan is None or self.plan.verdict.blocked or not self.confirm.value

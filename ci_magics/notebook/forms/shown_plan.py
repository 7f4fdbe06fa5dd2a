"""The plan in the export form: only the plan that is shown and confirmed can be pushed."""

from __future__ import annotations

from collections.abc import Callable

from ci_magics.activation.plan import Plan
from ci_magics.notebook.forms.fields import button, checkbox, page, show

_SEND = "Send what the plan says"


class ShownPlan:
    """A plan with its confirmation box and push button.

    Parameters
    ----------
    push
        Called when the button is pressed.
    worded
        Rewords a text for the form.
    """

    def __init__(self, push: Callable[..., None], worded: Callable[[str], str]) -> None:
        self._worded = worded
        self.plan: Plan | None = None
        self.view = page("plan")
        self.confirm = checkbox("I have read the plan", "confirm")
        self.push_button = button("Push", "push", push, style="primary", hint=_SEND)
        self.confirm.observe(lambda _change: self.allow(), names="value")

    def put(self, plan: Plan) -> bool:
        """Show a plan; returns whether it would send anything."""
        self.plan = plan
        self.view.value = self._worded(plan._repr_html_())
        blocked = plan.verdict.blocked
        show(self.confirm, not blocked)
        show(self.push_button, True)
        self.push_button.tooltip = self._worded(f"Blocked: {plan.verdict.reason}") if blocked else _SEND
        self.allow()
        return not blocked

    def forget(self) -> None:
        """Remove the plan, because the choices changed or it was carried out."""
        self.plan = None
        self.view.value = ""
        self.confirm.value = False
        self.push_button.tooltip = _SEND
        show(self.confirm, False)
        show(self.push_button, False)
        self.allow()

    def allow(self) -> None:
        """Enable the button if the plan is confirmed and not blocked."""
        self.push_button.disabled = self.plan is None or self.plan.verdict.blocked or not self.confirm.value

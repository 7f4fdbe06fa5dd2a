"""Show a pending sign-in: address, code, and a cancel button."""

from __future__ import annotations

import html

from ci_magics.microsoft.signin_prompt import SignInPrompt
from ci_magics.notebook.forms.code_text import copyable
from ci_magics.notebook.forms.fields import button, page, show


class SignInView:
    """A sign-in that waits for the user; hidden otherwise."""

    def __init__(self) -> None:
        self._prompt: SignInPrompt | None = None
        self.view = page("sign-in")
        self.cancel_button = button("Cancel sign-in", "cancel", lambda _event: None)
        show(self.cancel_button, False)

    def begin(self, prompt: SignInPrompt) -> str:
        """Show the address and the code, in large type with a copy button; returns a sentence for the status line."""
        self._prompt = prompt
        show(self.cancel_button, True)
        if not prompt.code:
            return f"{prompt} Waiting for you …"
        address = html.escape(prompt.address)
        link = f"<a href='{address}' target='_blank' rel='noopener'>{address}</a>"
        self.view.value = f"<div>1. Open {link}</div>{copyable('2. Enter this code', prompt.code, large=True)}"
        return f"Enter the code {prompt.code} on the page {prompt.address}. Waiting for you …"

    def cancel(self) -> bool:
        """Cancel a pending sign-in; returns whether there was one."""
        if self._prompt is None:
            return False
        self._prompt.cancel()
        return True

    def end(self) -> None:
        """Hide the view."""
        self._prompt = None
        self.view.value = ""
        show(self.cancel_button, False)

"""What a person must see to sign in: a sentence, for whoever shows more its parts, and a way to give up."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ci_magics.errors import SignInError


class SignInPrompt(str):
    """A sentence that says where to sign in and with which code.

    It is a text like all others that are shown; a form shows its parts instead.
    """

    __slots__ = ("_canceled", "_flow")

    _flow: MutableMapping[str, Any]
    _canceled: bool

    @classmethod
    def for_code(cls, flow: MutableMapping[str, Any]) -> SignInPrompt:
        """Return the prompt for MSAL's device flow."""
        prompt = cls(f"To sign in, open {flow['verification_uri']} and enter the code {flow['user_code']}.")
        prompt._flow, prompt._canceled = flow, False
        return prompt

    @property
    def address(self) -> str:
        """The page on which the code is entered."""
        return str(self._flow["verification_uri"])

    @property
    def code(self) -> str:
        """The code."""
        return str(self._flow["user_code"])

    def cancel(self) -> None:
        """Give up, from another thread: MSAL asks no further once its flow has expired."""
        self._canceled = True
        self._flow["expires_at"] = 0

    def require_going_on(self) -> None:
        """Refuse to go on when it was canceled.

        Raises
        ------
        SignInError
            It was.
        """
        if self._canceled:
            raise SignInError("The sign-in was canceled.", "Sign in again when you like.", code="sign_in_canceled")

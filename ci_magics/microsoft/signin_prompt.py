"""The sign-in prompt: a sentence, its parts for a form, and a way to cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from ci_magics.errors import SignInError
from ci_magics.microsoft.answers import said

T = TypeVar("T")

#: Seconds between checks for a cancellation.
_LOOK = 0.2


class SignInPrompt(str):
    """A sentence that says where to sign in, and with which code if one is required.

    It can be shown like any text; a form shows its parts instead.
    """

    __slots__ = ("_canceled", "_flow")

    _flow: MutableMapping[str, Any]
    _canceled: bool

    @classmethod
    def for_code(cls, flow: MutableMapping[str, Any]) -> SignInPrompt:
        """Return the prompt for MSAL's device code flow.

        Parameters
        ----------
        flow
            The flow that MSAL started; `cancel` changes it.
        """
        page, code = said(flow["verification_uri"]), said(flow["user_code"])
        prompt = cls(f"To sign in, open {page} and enter the code {code}.")
        prompt._flow, prompt._canceled = flow, False
        return prompt

    @classmethod
    def for_browser(cls) -> SignInPrompt:
        """Return the prompt for this machine's browser, which requires no code."""
        prompt = cls("Sign in with the browser window that opens now.")
        prompt._flow, prompt._canceled = {}, False
        return prompt

    @property
    def address(self) -> str:
        """The page on which to enter the code; empty for a browser sign-in."""
        return said(self._flow.get("verification_uri"))

    @property
    def code(self) -> str:
        """The code; empty if none is required."""
        return said(self._flow.get("user_code"))

    def cancel(self) -> None:
        """Cancel from another thread: MSAL stops polling once its flow has expired."""
        self._canceled = True
        self._flow["expires_at"] = 0

    def require_going_on(self) -> None:
        """Check that the sign-in was not canceled.

        Raises
        ------
        SignInError
            The user canceled it.
        """
        if self._canceled:
            raise SignInError("The sign-in was canceled.", "Sign in again when you like.", code="sign_in_canceled")

    def wait_for(self, work: Callable[[], T]) -> T:
        """Run a function that waits for the user and cannot be interrupted, and return its result.

        After a cancellation, the function keeps running in its own thread until it times out.

        Parameters
        ----------
        work
            The function to run.

        Raises
        ------
        SignInError
            The user canceled the sign-in.
        """
        coming: Future[T] = Future()
        threading.Thread(target=_settle, args=(coming, work), daemon=True).start()
        try:
            while not wait([coming], _LOOK).done:
                self.require_going_on()
        except KeyboardInterrupt:
            self.cancel()
            raise
        self.require_going_on()
        return coming.result()


def _settle(coming: Future[T], work: Callable[[], T]) -> None:
    try:
        coming.set_result(work())
    except Exception as error:  # noqa: BLE001 - the waiting thread raises it
        coming.set_exception(error)

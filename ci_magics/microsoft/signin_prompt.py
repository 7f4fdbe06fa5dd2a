"""What a person must see to sign in: a sentence, its parts for a display that shows more, and a way to give up."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from ci_magics.errors import SignInError
from ci_magics.microsoft.said import said

T = TypeVar("T")

#: Seconds between two looks at whether the person has given up.
_LOOK = 0.2


class SignInPrompt(str):
    """A sentence that says where to sign in, and with which code where one is asked for.

    It is a text like all others that are shown; a form shows its parts instead.
    """

    __slots__ = ("_canceled", "_flow")

    _flow: MutableMapping[str, Any]
    _canceled: bool

    @classmethod
    def for_code(cls, flow: MutableMapping[str, Any]) -> SignInPrompt:
        """Return the prompt for MSAL's device flow."""
        page, code = said(flow["verification_uri"]), said(flow["user_code"])
        prompt = cls(f"To sign in, open {page} and enter the code {code}.")
        prompt._flow, prompt._canceled = flow, False
        return prompt

    @classmethod
    def for_browser(cls) -> SignInPrompt:
        """Return the prompt for the browser of this machine, which asks for no code."""
        prompt = cls("Sign in with the browser window that opens now.")
        prompt._flow, prompt._canceled = {}, False
        return prompt

    @property
    def address(self) -> str:
        """The page on which the code is entered; empty where a browser has opened it."""
        return said(self._flow.get("verification_uri"))

    @property
    def code(self) -> str:
        """The code; empty where none is asked for."""
        return said(self._flow.get("user_code"))

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

    def wait_for(self, work: Callable[[], T]) -> T:
        """Return what comes of something that waits for the person and cannot be interrupted itself.

        It goes on in its own thread after the person has given up, until its own time is over.

        Raises
        ------
        SignInError
            The person has given up.
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

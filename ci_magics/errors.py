"""Errors that users see: one sentence, the next step, and the details that support asks for."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from typing import Any

from ci_magics.advice import Advice, advise, joined
from ci_magics.discretion import names_somebody as names_somebody
from ci_magics.discretion import without_addresses as without_addresses
from ci_magics.discretion import without_people as without_people
from ci_magics.unquoted import type_of


class CiError(Exception):
    """Base class of every error of ci-magics.

    Parameters
    ----------
    sentence
        What happened, in one sentence a marketing analyst understands. Never contains an e-mail address, a hash, a
        token, or a provider's raw body.
    next_step
        What to do about it; `advise` puts operations into it, which every front end words in its own language.
    code
        The provider's error code, or our own short name for the case.
    tracking_id
        The TrackingId that Microsoft's support asks for.
    error_name
        Microsoft's symbolic name for the code, such as ``DuplicateAudienceName``; empty if Microsoft sent none.
    """

    #: Whether a notebook shows one line instead of the stack.
    short: bool = True

    def __init__(
        self,
        sentence: str,
        next_step: str | Advice = "",
        *,
        code: int | str | None = None,
        tracking_id: str | None = None,
        error_name: str = "",
    ) -> None:
        self.sentence = without_addresses(sentence)
        self.advice = advise(next_step).mapped(without_addresses)
        super().__init__(self.sentence)
        self.code = code
        self.tracking_id = tracking_id
        self.error_name = error_name

    @property
    def next_step(self) -> str:
        """What to do about it, in the language of the current reader."""
        return str(self.advice)

    def __str__(self) -> str:
        return str(self._whole())

    def stored(self) -> str:
        """Return the error as a text to store; `ci_magics.advice.worded` words it when it is shown."""
        return self._whole().stored()

    def _whole(self) -> Advice:
        marks = []
        if self.code is not None:
            marks.append(f"code {self.code}")
        if self.error_name:
            marks.append(self.error_name)
        if self.tracking_id:
            marks.append(f"TrackingId {self.tracking_id}")
        return joined([self.sentence, self.advice, f"({', '.join(marks)})" if marks else ""])

    def document(self) -> dict[str, Any]:
        """Return the error as a dictionary, for JSON output: in words, and the operations of the next step as data."""
        return {
            "error": self.sentence,
            "next_step": self.next_step or None,
            "operations": self.advice.documents(),
            "code": None if self.code is None else str(self.code),
            "error_name": self.error_name or None,
            "tracking_id": self.tracking_id,
        }

    def _render_traceback_(self) -> list[str]:
        """Show one line instead of a stack in a notebook (IPython's hook for exceptions)."""
        if self.short and not _shows_full_traceback():
            return [f"{type(self).__name__}: {self}"]
        return [without_addresses(line) for error in _chain(self) for line in _lines(error)]


class ArgumentError(CiError):
    """A magic or function got an unknown option, value, or combination."""


class NotFoundError(CiError):
    """A segment, column, connection, audience, or run does not exist."""


class SegmentError(CiError):
    """A segment cannot be built or used."""


class ConsentError(CiError):
    """A consent is missing, so nothing was sent."""


class ConnectionSetupError(CiError):
    """A connection is incomplete, inconsistent, or belongs to another user."""


class AccessError(CiError):
    """The current user may not do this, or not with this connection."""


class SignInError(CiError):
    """Sign-in to Microsoft failed or is required first."""


class ExportRefusedError(CiError):
    """A guard stopped the export before anything was sent."""


class ExportStoppedError(CiError):
    """The user stopped an export; it can be resumed."""


class ServiceError(CiError):
    """Microsoft returned an error."""


class OutcomeUnknownError(ServiceError):
    """A request was sent but no usable response came back: it may or may not have been carried out."""


class UnreachableError(ServiceError):
    """A service was unreachable, so nothing was sent; the request can be retried."""


class SignInUnreachableError(SignInError):
    """Microsoft's sign-in was unreachable or its response unusable; who is signed in remains unknown."""


class WorkspaceError(CiError):
    """The workspace cannot be read or written."""


def quoted_list(names: Iterable[str]) -> str:
    """Return quoted names, separated by commas, for use in a sentence."""
    return ", ".join(f"'{name}'" for name in names)


def refuse_address(name: str) -> None:
    """Reject an e-mail address used as a name: names are stored, shown, and sent.

    Raises
    ------
    ArgumentError
        The name contains an e-mail address.
    """
    if names_somebody(name):
        raise ArgumentError("A name may not be an e-mail address.", "Choose another one.", code="address_as_name")


def _shows_full_traceback() -> bool:
    """Return whether ``%tb`` is running; IPython uses the same hook for it."""
    return any(
        frame.f_code.co_name == "tb" and frame.f_globals.get("__name__") == "IPython.core.magics.execution"
        for frame, _line in traceback.walk_stack(None)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error, preceded by its causes."""
    chain = [error]
    while chain[0].__cause__ is not None and chain[0].__cause__ not in chain:
        chain.insert(0, chain[0].__cause__)
    return chain


def _lines(error: BaseException) -> list[str]:
    """Return an error's stack, without messages of other libraries, which may quote data."""
    message = f": {error}" if isinstance(error, CiError) else ""
    return [*traceback.format_tb(error.__traceback__), f"{type_of(error)}{message}"]


def not_found(kind: str, name: str, known: Iterable[str], next_step: str | Advice) -> NotFoundError:
    """Build the error for a name that does not exist, and suggest the closest name that does.

    Parameters
    ----------
    kind
        The word for what is missing, for example ``segment``.
    name
        What the user typed.
    known
        The names that exist.
    next_step
        How to list or create one.
    """
    nearest = nearest_name(name, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return NotFoundError(f"There is no {kind} '{name}'.{hint}", next_step, code="not_found")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the existing name that is most similar, ignoring case, or None if none is close.

    Parameters
    ----------
    name
        What the user typed.
    known
        The names that exist.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None

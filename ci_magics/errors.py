"""The errors a person sees: one sentence, what to do next, and what support will ask for."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable

from ci_magics.discretion import names_somebody as names_somebody
from ci_magics.discretion import without_addresses as without_addresses
from ci_magics.discretion import without_people as without_people
from ci_magics.unquoted import type_of


class CiError(Exception):
    """Base of every error raised by ci-magics.

    Parameters
    ----------
    sentence
        What happened, in one sentence a marketing analyst understands. Never holds an e-mail address, a hash,
        a token or a provider's raw body.
    next_step
        What to do about it.
    code
        The provider's error code, or our own short name for the case.
    tracking_id
        The TrackingId that Microsoft's support asks for.
    error_name
        Microsoft's symbolic name for the code, such as ``DuplicateAudienceName``; empty where it gave none.
    """

    #: Whether a notebook shows one line instead of the stack.
    short: bool = True

    def __init__(
        self,
        sentence: str,
        next_step: str = "",
        *,
        code: int | str | None = None,
        tracking_id: str | None = None,
        error_name: str = "",
    ) -> None:
        self.sentence = without_addresses(sentence)
        self.next_step = without_addresses(next_step)
        super().__init__(self.sentence)
        self.code = code
        self.tracking_id = tracking_id
        self.error_name = error_name

    def __str__(self) -> str:
        marks = []
        if self.code is not None:
            marks.append(f"code {self.code}")
        if self.error_name:
            marks.append(self.error_name)
        if self.tracking_id:
            marks.append(f"TrackingId {self.tracking_id}")
        parts = [self.sentence, self.next_step, f"({', '.join(marks)})" if marks else ""]
        return " ".join(part for part in parts if part)

    def document(self) -> dict[str, str | None]:
        """Return the error as a document, for programs."""
        return {
            "error": self.sentence,
            "next_step": self.next_step or None,
            "code": None if self.code is None else str(self.code),
            "error_name": self.error_name or None,
            "tracking_id": self.tracking_id,
        }

    def _render_traceback_(self) -> list[str]:
        """Show one line in a notebook instead of a stack (IPython's hook for exceptions)."""
        if self.short and not _asked_for_all():
            return [f"{type(self).__name__}: {self}"]
        return [without_addresses(line) for error in _chain(self) for line in _lines(error)]


class ArgumentError(CiError):
    """A magic or function was called with an option, value or combination it does not know."""


class NotFoundError(CiError):
    """A name does not exist: a segment, column, connection, audience or run."""


class SegmentError(CiError):
    """A segment cannot be built or used as it is."""


class ConsentError(CiError):
    """A consent is missing, so nothing was sent."""


class ConnectionSetupError(CiError):
    """A connection is incomplete, contradicts itself or belongs to somebody else."""


class AccessError(CiError):
    """Somebody may not do this, or not through this connection."""


class SignInError(CiError):
    """Signing in to Microsoft failed or is needed first."""


class ExportRefusedError(CiError):
    """A guard stopped the export before anything was sent."""


class ExportStoppedError(CiError):
    """The person stopped an export; it can be finished later."""


class ServiceError(CiError):
    """Microsoft answered with an error."""


class OutcomeUnknownError(ServiceError):
    """A request went out and no usable answer came back: it may or may not have been carried out."""


class UnreachableError(ServiceError):
    """A service could not be reached, so that nothing was sent to it; the request can be sent again."""


class SignInUnreachableError(SignInError):
    """Microsoft's sign-in could not be reached, or gave no usable answer: it says nothing about who is signed in."""


class WorkspaceError(CiError):
    """The workspace cannot be read or written."""


def quoted_list(names: Iterable[str]) -> str:
    """Return names as a list within a sentence."""
    return ", ".join(f"'{name}'" for name in names)


def refuse_address(name: str) -> None:
    """Refuse an e-mail address in the place of a name: names are kept, shown and sent.

    Raises
    ------
    ArgumentError
        It names somebody.
    """
    if names_somebody(name):
        raise ArgumentError("A name may not be an e-mail address.", "Choose another one.", code="address_as_name")


def _asked_for_all() -> bool:
    """Tell whether ``%tb`` is running, for which IPython asks by the same hook."""
    return any(
        frame.f_code.co_name == "tb" and frame.f_globals.get("__name__") == "IPython.core.magics.execution"
        for frame, _line in traceback.walk_stack(None)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error after what caused it."""
    chain = [error]
    while chain[0].__cause__ is not None and chain[0].__cause__ not in chain:
        chain.insert(0, chain[0].__cause__)
    return chain


def _lines(error: BaseException) -> list[str]:
    """Return an error's stack. The words of another library are left out: they may quote a value of the data."""
    said = f": {error}" if isinstance(error, CiError) else ""
    return [*traceback.format_tb(error.__traceback__), f"{type_of(error)}{said}"]


def not_found(kind: str, name: str, known: Iterable[str], next_step: str) -> NotFoundError:
    """Build the error for a name that does not exist, with the nearest name that does.

    Parameters
    ----------
    kind
        The word for what was looked for, for example ``segment``.
    name
        What the person wrote.
    known
        The names that exist.
    next_step
        How to list or make one.
    """
    nearest = nearest_name(name, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return NotFoundError(f"There is no {kind} '{name}'.{hint}", next_step, code="not_found")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the existing name most like ``name``, ignoring case, or None when nothing is near."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None

"""Forget a person: add the person to the suppression list, remove them from audiences, then erase stored data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.connections.emulator_process import settle_emulator
from ci_magics.activation.erasure.person import find_person
from ci_magics.activation.erasure.removal import TakenOut, require_no_open_run, take_out
from ci_magics.activation.erasure.stored_data import erase
from ci_magics.display.displayable import Displayable
from ci_magics.display.output import announce
from ci_magics.errors import quoted_list
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Opened, store_of


@dataclass(frozen=True)
class Forgotten(Displayable):
    """Result of a request to forget a person. It contains no personal data.

    Parameters
    ----------
    audiences
        Result for each audience that was filled from this workspace.
    segments
        Segments that the person was deleted from.
    erased
        Whether the stored data is erased. False while the person may still be in an audience.
    """

    audiences: tuple[TakenOut, ...]
    segments: tuple[str, ...]
    erased: bool

    def __repr__(self) -> str:
        lines = ["On the suppression list: no export sends this person again."]
        lines += [f"  {each}" for each in self.audiences]
        if self.erased:
            lines += [f"Deleted from what is stored here: {quoted_list(self.segments) or 'no segment held it'}."]
        else:
            lines += ["Nothing stored here is deleted yet, so that it can be tried again: run it once more."]
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Return the result as JSON-compatible data."""
        return {
            "audiences": [vars(each) for each in self.audiences],
            "segments": list(self.segments),
            "erased": self.erased,
        }


def forget(
    *,
    key: str | None = None,
    key_column: str | None = None,
    sha256: str | None = None,
    address: str | None = None,
    workspace: Opened | None = None,
    show: Callable[[str], None] = announce,
) -> Forgotten:
    """Forget a person: add the hashes to the suppression list, send Remove, then erase all stored data.

    Remove goes to every audience that was filled from this workspace, with the normalization that it was filled with.
    If the source of a dynamic segment still contains the person, a refresh reads them again; the suppression list still
    keeps them from being sent.

    Parameters
    ----------
    key
        Key of the person in segments. Give exactly one of ``key``, ``sha256``, and ``address``.
    key_column
        Key column, if segments with different key columns have the same key.
    sha256
        Hash of the address, 64 hexadecimal digits, with either normalization.
    address
        The address. Take it only from a hidden prompt or another secret input, never from a command line.
    workspace
        Workspace to use; None opens the default one.
    show
        Called with each message for the user, such as a sign-in code.

    Raises
    ------
    AccessError
        The current user is not an administrator.
    ExportRefusedError
        An unfinished run still holds the person's hashes. The person is on the suppression list by then.
    NotFoundError
        No segment has the key.
    """
    workspace = store_of(workspace)
    require(workspace, Verb.FORGET_PERSON)
    person = find_person(workspace, key=key, key_column=key_column, sha256=sha256, address=address)
    workspace.forgotten.add(list(person.hashes))
    require_no_open_run(workspace, person)
    audiences = tuple(take_out(workspace, record, person, show) for record in list(workspace.audiences))
    done = all(each.done for each in audiences)
    segments = erase(workspace, person) if done else ()
    if any(each.environment == "emulator" for each in audiences):
        settle_emulator(workspace)
    workspace.audit.note(
        Verb.FORGET_PERSON, "a person", audiences=len(audiences), segments=len(segments), completed=done
    )
    return Forgotten(audiences, segments, done)

"""Forget a person: suppressed first, then taken out of every audience, and only then out of everything stored here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_magics.activation.connections.emulator_process import settle_emulator
from ci_magics.activation.erasure.person import find_person
from ci_magics.activation.erasure.removal import TakenOut, require_no_open_run, take_out
from ci_magics.activation.erasure.stored_data import erase
from ci_magics.display.displayable import Displayable
from ci_magics.display.output import tell
from ci_magics.errors import quoted_list
from ci_magics.workspace.access import Verb, require
from ci_magics.workspace.store import Workspace, open_workspace


@dataclass(frozen=True)
class Forgotten(Displayable):
    """What became of a request to be forgotten. It names nobody.

    Parameters
    ----------
    audiences
        What became of each audience that was filled from here.
    segments
        Those that the person was deleted from.
    erased
        Whether everything stored here is deleted; not while the person may still be in an audience.
    """

    audiences: tuple[TakenOut, ...]
    segments: tuple[str, ...]
    erased: bool

    def __repr__(self) -> str:
        lines = ["On the suppression list: nobody sends this person any more."]
        lines += [f"  {each}" for each in self.audiences]
        if self.erased:
            lines += [f"Deleted from what is stored here: {quoted_list(self.segments) or 'no segment held it'}."]
        else:
            lines += ["Nothing stored here is deleted yet, so that it can be tried again: run it once more."]
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Return it as a document, for programs."""
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
    workspace: Workspace | None = None,
    show: Callable[[str], None] = tell,
) -> Forgotten:
    """Forget a person: the hashes go to the suppression list, Remove is sent, then everything stored is deleted.

    Remove goes to every audience that was filled from here, under the normalization that it was filled with. A source
    that a segment reads again keeps the person until the person is deleted there; the suppression list holds as well
    then.

    Parameters
    ----------
    key
        What identifies the person in segments.
    key_column
        Which key, where segments have different ones of the same value.
    sha256
        Instead of that a hash of the address, under either rule.
    address
        Instead of both the address itself; only from a hidden prompt or another secret place, never from a command.
    workspace
        Where; the default one unless given.
    show
        Called with each sentence the person at the keyboard must see, such as a sign-in code.

    Raises
    ------
    AccessError
        The current user is no administrator.
    ExportRefusedError
        A run that was not finished still needs the person's hashes; the person is on the suppression list by then.
    NotFoundError
        No segment has the key.
    """
    workspace = workspace or open_workspace()
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

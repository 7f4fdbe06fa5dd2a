"""``ci.emulator``: the emulator of a workspace, which stands in for Microsoft's services."""

from __future__ import annotations

from typing import Annotated, Any

from ci_magics.activation.audiences import emulator_view
from ci_magics.activation.audiences.emulator_view import EmulatorReset, EmulatorStatus
from ci_magics.activation.connections.emulator_process import control_emulator
from ci_magics.display.displayable import Displayable
from ci_magics.errors import refuse_address
from ci_magics.grammar.operation import operation
from ci_magics.grammar.option import Option
from ci_magics.workspace.access import Verb
from ci_magics.workspace.store import Workspace, WorkspaceLike, store_of


class Emulator(Displayable):
    """The emulator of a workspace. The next request starts it, if it does not run.

    Parameters
    ----------
    workspace
        Workspace to use; None opens the default one at each use.

    Examples
    --------
    >>> ci.emulator.control("clock", {"advance_hours": 48})  # doctest: +SKIP
    """

    def __init__(self, workspace: WorkspaceLike | None = None) -> None:
        self._opened = workspace

    @property
    def _workspace(self) -> Workspace:
        return store_of(self._opened)

    @operation(Verb.SHOW_STATUS, changes=False)
    def status(self) -> EmulatorStatus:
        """Return the state of the emulator without starting it."""
        return emulator_view.emulator_status(self._workspace)

    @operation(Verb.RUN_EXPORT)
    def stop(self) -> bool:
        """End the process of the emulator; its state stays, and the next request starts it again.

        Returns
        -------
        bool
            Whether it was running.
        """
        return emulator_view.stop_emulator(self._workspace)

    @operation(Verb.DELETE_AUDIENCE)
    def reset(self) -> EmulatorReset:
        """Reset the emulator: delete its audiences, and restore its settings and clock. For administrators.

        The workspace's records of these audiences are deleted too, so that the next export creates the audiences
        instead of reporting them as deleted. Connections, segments, exports and the history of runs stay.

        Raises
        ------
        AccessError
            The current user is not an administrator.
        ConnectionSetupError
            ``CI_MAGICS_EMULATOR`` names another emulator.
        ExportRefusedError
            A run is sending to it.
        """
        return emulator_view.reset_emulator(self._workspace)

    @operation(Verb.SHOW_STATUS, example="clock")
    def control(
        self,
        call: Annotated[str, Option("control call, such as clock or faults", value="CALL")],
        body: Annotated[Any, Option("JSON to send; without it, only read", kind="json", value="JSON")] = None,
    ) -> Any:
        """Send a control call to the emulator, to inspect or change it in demonstrations.

        Parameters
        ----------
        call
            The control call, such as ``clock`` or ``faults``.
        body
            The JSON body to send; None only reads.

        Raises
        ------
        ArgumentError
            The call is an e-mail address.
        AccessError
            A viewer may only read; ``reset``, which deletes every audience, is for administrators.
        ConnectionSetupError
            The emulator refused the call.
        """
        refuse_address(call)
        return control_emulator(self._workspace, call, body)

    def to_dict(self) -> dict[str, Any]:
        """Return the state without the URL and the process id, which differ each time."""
        return self.status().to_dict()

    def __repr__(self) -> str:
        return repr(self.status())


#: The emulator of the default workspace.
emulator = Emulator()

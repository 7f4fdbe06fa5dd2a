"""Remove all members of a Customer Match list, with a bulk file that replaces them with nobody."""

from __future__ import annotations

from pathlib import Path

from ci_magics.activation.connections.services import Services
from ci_magics.matching.hashes import EMPTY
from ci_magics.microsoft.bulk import failed_upload, list_error
from ci_magics.microsoft.upload_file import write_upload_file
from ci_magics.workspace.store import Workspace


def take_everybody_out(workspace: Workspace, services: Services, audience_id: str) -> None:
    """Empty a list and wait until it is done. The operation is idempotent.

    Parameters
    ----------
    workspace
        The workspace with a private folder for the file.
    services
        The clients, signed in.
    audience_id
        Microsoft's id of the list.

    Raises
    ------
    ServiceError
        Microsoft refused, or the file did not arrive.
    OutcomeUnknownError
        It is unknown whether the list was emptied.
    """
    with workspace.rooms.for_a_while() as folder:
        path = folder / "upload.zip"
        # The file has no items: no personal data is sent, and no terms need to be accepted.
        write_upload_file(path, EMPTY, audience_id=audience_id, action="Replace", accept_terms=False)
        request_id, status = services.bulk.deliver(lambda: _send(services, path))
    if not status.readable:
        raise failed_upload(status)
    if status.status != "Completed":
        for error in services.bulk.errors(request_id, status):
            raise list_error(error, status)


def _send(services: Services, path: Path) -> str:
    ticket = services.bulk.request_upload()
    services.bulk.upload(ticket, path)
    return ticket.request_id

"""Send hashes to one audience and learn what became of each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ci_magics.activation.progress import Progress, Reporter
from ci_magics.activation.services import Services
from ci_magics.errors import CiError, OutcomeUnknownError, ServiceError
from ci_magics.matching.matched import Hashes
from ci_magics.microsoft.advertising import MAX_ITEMS, Action, Applied
from ci_magics.microsoft.bulk import UploadStatus
from ci_magics.microsoft.faults import Fault, service_error
from ci_magics.microsoft.result_file import RowError
from ci_magics.microsoft.upload_file import UploadFile, write_upload_files

ACCEPTED, REJECTED, UNKNOWN, UNSENT = 0, 1, 2, 3


@dataclass
class Outcome:
    """What became of the hashes of one action, by their position.

    Parameters
    ----------
    hashes
        What was to be sent.
    states
        `ACCEPTED`, `REJECTED`, `UNKNOWN` or `UNSENT`, one for each hash.
    reasons
        Microsoft's code and name for what was rejected, by position.
    error
        What stopped the sending, if anything.
    """

    hashes: Hashes
    states: npt.NDArray[np.int8] = field(init=False)
    reasons: dict[int, tuple[int | None, str]] = field(default_factory=dict)
    tracking_ids: list[str] = field(default_factory=list)
    error: CiError | None = None

    def __post_init__(self) -> None:
        self.states = np.full(len(self.hashes), UNSENT, dtype=np.int8)

    def having(self, state: int) -> Hashes:
        """Return the hashes in a state."""
        chosen: Hashes = self.hashes[self.states == state]
        return chosen

    def count(self, state: int) -> int:
        """Return how many hashes are in a state."""
        return int((self.states == state).sum())

    def note(self, tracking_id: str | None) -> None:
        """Keep a TrackingId."""
        if tracking_id:
            self.tracking_ids.append(tracking_id)

    def reject(self, position: int, code: int | None, name: str) -> None:
        """Note that one hash was refused."""
        self.states[position] = REJECTED
        self.reasons[position] = (code, name)


def send_by_calls(services: Services, audience_id: str, action: Action, hashes: Hashes, *, report: Reporter) -> Outcome:
    """Send hashes in calls of up to 1,000; stops at the first call that fails."""
    outcome = Outcome(hashes)
    for start in range(0, len(hashes), MAX_ITEMS):
        stop = min(start + MAX_ITEMS, len(hashes))
        report(Progress(_step(action), start, len(hashes)))
        try:
            texts = [row.tobytes().hex() for row in hashes[start:stop]]
            applied = services.advertising.apply(audience_id, action, texts, accept_terms=True)
        except OutcomeUnknownError as error:
            outcome.states[start:stop] = UNKNOWN
            outcome.error = error
            break
        except CiError as error:
            outcome.error = error
            break
        _read_applied(outcome, applied, start, stop)
    report(Progress(_step(action), len(hashes), len(hashes)))
    return outcome


def send_by_files(services: Services, audience_id: str, action: Action, hashes: Hashes, *, report: Reporter) -> Outcome:
    """Send hashes in bulk files; stops at the first file that fails."""
    outcome = Outcome(hashes)
    with tempfile.TemporaryDirectory(prefix="ci-magics-") as folder:
        files: Iterator[UploadFile] = write_upload_files(
            hashes, audience_id=audience_id, action=action, accept_terms=True, directory=Path(folder)
        )
        report(Progress("Writing the upload file", 0, len(hashes)))
        for file in files:
            try:
                _send_file(services, file, outcome, report)
            except CiError as error:
                outcome.error = error
            file.path.unlink()
            if outcome.error:
                break
    return outcome


def _send_file(services: Services, file: UploadFile, outcome: Outcome, report: Reporter) -> None:
    for _attempt in range(2):
        report(Progress("Uploading", file.start, len(outcome.hashes)))
        ticket = services.bulk.request_upload()
        outcome.note(ticket.tracking_id)
        outcome.note(services.bulk.upload(ticket, file.path))
        outcome.states[file.start : file.stop] = UNKNOWN  # until Microsoft has said what became of them
        status = services.bulk.wait(ticket.request_id, lambda now: report(_waiting(now, outcome, file)))
        outcome.note(status.tracking_id)
        if status.status != "PendingFileUpload":
            break
        outcome.states[file.start : file.stop] = UNSENT  # the file never arrived: once more, to a new address
    else:
        raise ServiceError("The upload did not arrive.", "Check the network and run it again.", code="upload_lost")
    _read_status(services, file, ticket.request_id, status, outcome)


def _read_status(services: Services, file: UploadFile, request_id: str, status: UploadStatus, outcome: Outcome) -> None:
    if not status.readable:
        raise _upload_failed(status)
    errors = list(services.bulk.errors(request_id, status)) if status.status != "Completed" else []
    outcome.states[file.start : file.stop] = ACCEPTED
    for error in errors:
        if error.about == "item" and error.position is not None and file.start <= error.position < file.stop:
            outcome.reject(error.position, error.code, error.error_code)
        else:
            _reject_file(file, error, status, outcome)


def _reject_file(file: UploadFile, error: RowError, status: UploadStatus, outcome: Outcome) -> None:
    """Note an error about the list itself: none of its items was taken."""
    outcome.states[file.start : file.stop] = REJECTED
    for position in range(file.start, file.stop):
        outcome.reasons[position] = (error.code, error.error_code)
    outcome.error = service_error(
        [Fault(error.code, error.error_code)], status=200, tracking_id=status.tracking_id, operation="the upload"
    )


def _read_applied(outcome: Outcome, applied: Applied, start: int, stop: int) -> None:
    outcome.note(applied.tracking_id)
    outcome.states[start:stop] = ACCEPTED
    for fault in applied.faults:
        if fault.index is not None and 0 <= fault.index < stop - start:
            outcome.reject(start + fault.index, fault.code, fault.error_code)
            continue
        # An error that names no item of the call means that the call as a whole was refused.
        outcome.states[start:stop] = REJECTED
        outcome.reasons |= dict.fromkeys(range(start, stop), (fault.code, fault.error_code))


def _upload_failed(status: UploadStatus) -> CiError:
    if status.faults:
        return service_error(status.faults, status=200, tracking_id=status.tracking_id, operation="the upload")
    return OutcomeUnknownError(
        f"Microsoft Advertising ended the upload with the status {status.status}.",
        "Run the export again: sending the same rows twice does no harm.",
        code=status.status,
        tracking_id=status.tracking_id,
    )


def _waiting(status: UploadStatus, outcome: Outcome, file: UploadFile) -> Progress:
    done = file.start + (file.stop - file.start) * status.percent // 100
    return Progress(f"Microsoft Advertising is working on it ({status.status})", done, len(outcome.hashes))


def _step(action: Action) -> str:
    return "Adding" if action == "Add" else "Removing"

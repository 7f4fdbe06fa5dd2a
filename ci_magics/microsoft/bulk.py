"""Bulk uploads: request a URL, upload a file, poll the status, read the row errors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests

from ci_magics.errors import CiError, ConnectionSetupError, OutcomeUnknownError, ServiceError
from ci_magics.microsoft.codes import ADVERTISING
from ci_magics.microsoft.faults import ADVERTISING_NAME, Fault, read_errors, service_error, symbol, whole
from ci_magics.microsoft.http import Conversation, Permit, always
from ci_magics.microsoft.result_file import MAX_RESULT_BYTES, RowError, read_result
from ci_magics.microsoft.retries import poll

BULK = "/Bulk/v13"

_NOT_ARRIVED = "PendingFileUpload"
_UNFINISHED = frozenset({_NOT_ARRIVED, "FileUploaded", "InProgress"})
_READABLE = frozenset({"Completed", "CompletedWithErrors"})
_ALREADY_USED = 3224
_OPERATION = "the upload"
_UPLOAD_TIMEOUT = (10.0, 600.0)  # seconds to connect, and to wait for a byte of the response


@dataclass(frozen=True)
class UploadTicket:
    """Permission to upload one file, valid for 15 minutes (page "GetBulkUploadUrl")."""

    request_id: str
    upload_url: str
    tracking_id: str | None


@dataclass(frozen=True)
class UploadStatus:
    """The processing status of an uploaded file (page "GetBulkUploadStatus")."""

    status: str
    percent: int
    result_url: str | None
    faults: tuple[Fault, ...]
    tracking_id: str | None

    @property
    def finished(self) -> bool:
        """Whether the status is final."""
        return self.status not in _UNFINISHED

    @property
    def arrived(self) -> bool:
        """Whether Microsoft has the file."""
        return self.status != _NOT_ARRIVED

    @property
    def readable(self) -> bool:
        """Whether Microsoft processed the rows, so that a result file describes them."""
        return self.status in _READABLE


class Bulk:
    """The bulk service's operations for one account.

    Parameters
    ----------
    conversation
        Sends the requests.
    account_id
        The id of the account.
    folder
        Returns a private folder for result files; by default the system's temporary folder.
    """

    def __init__(self, conversation: Conversation, account_id: str, folder: Callable[[], Path] | None = None) -> None:
        self._account_id = account_id
        self._folder = folder or (lambda: Path(tempfile.gettempdir()))
        self._conversation = conversation
        self._endpoints = conversation.service.endpoints
        self._base = self._endpoints.bulk + BULK

    def request_upload(self) -> UploadTicket:
        """Request an upload URL (GetBulkUploadUrl).

        Raises
        ------
        ConnectionSetupError
            The URL is not Microsoft's, so no file is sent to it.
        """
        answer = self._conversation.call(
            "GetBulkUploadUrl",
            "POST",
            f"{self._base}/BulkUploadUrl/Query",
            {"ResponseMode": "ErrorsOnly", "AccountId": self._account_id},
        )
        url = str(answer.body.get("UploadUrl") or "")
        if not self._endpoints.allows_upload_to(url):
            raise ConnectionSetupError(
                "The upload address that was handed out is not one of Microsoft Advertising's, so nothing was sent.",
                "Check the network for something that changes answers on the way.",
                code="foreign_upload_url",
                tracking_id=answer.tracking_id,
            )
        return UploadTicket(str(answer.body.get("RequestId") or ""), url, answer.tracking_id)

    def upload(self, ticket: UploadTicket, path: Path, permit: Permit = always) -> str | None:
        """Upload a file and return the TrackingId.

        A lost response is not an error here: `status` shows whether the file arrived. The upload is retried if
        Microsoft only asks to wait or to sign in again, because only an accepted file uses up the URL.

        Parameters
        ----------
        ticket
            The URL from `request_upload`.
        path
            The zip file to upload.
        permit
            Called right before each attempt; see `Permit`.

        Returns
        -------
        str or None
            The TrackingId, if Microsoft sent one.

        Raises
        ------
        ServiceError
            Microsoft refused the file.
        """
        try:
            return self._conversation.exchange(
                _OPERATION,
                lambda: self._post(ticket, path),
                repeatable=False,
                needs="nothing",
                permit=permit,
            ).tracking_id
        except OutcomeUnknownError as unknown:
            return unknown.tracking_id
        except ServiceError as error:
            if error.code != _ALREADY_USED:
                raise
            return error.tracking_id

    def _post(self, ticket: UploadTicket, path: Path) -> requests.Response:
        """Upload a file once, with both forms of credentials that Microsoft's documentation and SDK use.

        The name contains the request id, as in the SDK: users reported that uploads of one name disturb each other.
        """
        headers = self._conversation.headers()
        headers["AccountId"] = headers["CustomerAccountId"]
        headers["AuthenticationToken"] = headers["Authorization"].removeprefix("Bearer ")
        with path.open("rb") as content:
            return self._conversation.session.post(
                ticket.upload_url,
                headers=headers,
                files={"file": (f"upload_{ticket.request_id}{path.suffix}", content)},
                timeout=_UPLOAD_TIMEOUT,
                allow_redirects=False,
                stream=True,
            )

    def status(self, request_id: str) -> UploadStatus:
        """Return the status of an upload (GetBulkUploadStatus).

        Parameters
        ----------
        request_id
            The id from the upload ticket.
        """
        answer = self._conversation.call(
            "GetBulkUploadStatus",
            "POST",
            f"{self._base}/BulkUploadStatus/Query",
            {"RequestId": request_id},
        )
        body = answer.body
        return UploadStatus(
            status=symbol(body.get("RequestStatus")),
            percent=whole(body.get("PercentComplete")) or 0,
            result_url=str(body.get("ResultFileUrl") or "") or None,
            faults=tuple(read_errors(body.get("Errors"))),
            tracking_id=answer.tracking_id,
        )

    def wait(self, request_id: str, on_status: Callable[[UploadStatus], None] | None = None) -> UploadStatus:
        """Poll until an upload is finished or is known not to have arrived; can be interrupted.

        Parameters
        ----------
        request_id
            The id from the upload ticket.
        on_status
            Called with each status, for progress.

        Returns
        -------
        UploadStatus
            The final status, or ``PendingFileUpload`` if the file did not arrive.
        """
        return poll(
            lambda: self.status(request_id),
            lambda status: status.finished or not status.arrived,
            self._conversation.clock,
            on_status or (lambda _status: None),
        )

    def deliver(
        self, send: Callable[[], str], on_status: Callable[[UploadStatus], None] | None = None
    ) -> tuple[str, UploadStatus]:
        """Send a file and wait until it is processed; if it does not arrive, send it once more to a new URL.

        Parameters
        ----------
        send
            Requests an upload URL, uploads the file, and returns the id from the upload ticket.
        on_status
            Called with each status, for progress.

        Returns
        -------
        tuple of str and UploadStatus
            The id of the upload that arrived, and its final status.

        Raises
        ------
        ServiceError
            Microsoft refused the file, or it arrived neither time.
        """
        for _attempt in range(2):
            request_id = send()
            status = self.wait(request_id, on_status)
            if status.arrived:
                return request_id, status
        lost = ADVERTISING["upload_lost"]
        raise ServiceError(lost.sentence(ADVERTISING_NAME, _OPERATION), lost.next_step, code="upload_lost")

    def errors(self, request_id: str, status: UploadStatus) -> Iterator[RowError]:
        """Yield the row errors of a finished upload; if the result URL has expired, request a new one.

        Parameters
        ----------
        request_id
            The id from the upload ticket.
        status
            The final status of the upload.

        Raises
        ------
        OutcomeUnknownError
            The result file cannot be fetched or read.
        """
        with tempfile.TemporaryFile(dir=self._folder()) as result:
            # If the URL of the status has expired, ask for a new one.
            for url in (status.result_url, None):
                address = url or self.status(request_id).result_url
                if address and self._download(address, result):
                    result.seek(0)
                    yield from _errors_of(status, result)
                    return
        raise OutcomeUnknownError(
            "The result file of the upload cannot be fetched, so it is not known which rows were accepted.",
            "Run the export again: sending the same rows twice does no harm.",
            code="result_missing",
            tracking_id=status.tracking_id,
        )

    def _download(self, url: str, target: BinaryIO) -> bool:
        """Fetch a result file without credentials; return whether it is available and below the size limit."""
        if not url.startswith("https://") and not self._endpoints.allows_upload_to(url):
            return False
        target.seek(0)
        target.truncate()
        try:
            with self._conversation.session.get(url, stream=True, timeout=_UPLOAD_TIMEOUT) as response:
                return response.status_code == 200 and _copy(response, target)
        except requests.RequestException:
            return False


def list_error(error: RowError, status: UploadStatus) -> CiError:
    """Return the error for an upload that was rejected because of its list.

    Parameters
    ----------
    error
        The row of the result file that names the list.
    status
        The final status of the upload, for its TrackingId.
    """
    return _upload_error([Fault(error.code, error.error_code)], status)


def failed_upload(status: UploadStatus) -> CiError:
    """Return the error for an upload whose rows were not processed.

    Parameters
    ----------
    status
        The final status of the upload.
    """
    if status.faults:
        return _upload_error(status.faults, status)
    return OutcomeUnknownError(
        f"Microsoft Advertising ended the upload with the status {status.status}.",
        "Sending the same profiles again does no harm.",
        code=status.status,
        tracking_id=status.tracking_id,
    )


def _upload_error(faults: Sequence[Fault], status: UploadStatus) -> CiError:
    return service_error(faults, status=200, tracking_id=status.tracking_id, operation=_OPERATION)


def _copy(response: requests.Response, target: BinaryIO) -> bool:
    received = 0
    for block in response.iter_content(1 << 20):
        received += len(block)
        if received > MAX_RESULT_BYTES:
            return False
        target.write(block)
    return True


def _errors_of(status: UploadStatus, result: BinaryIO) -> Iterator[RowError]:
    """Yield the row errors; raise if the status reports errors but the result names none."""
    named = False
    for error in read_result(result):
        named = True
        yield error
    if status.status == "CompletedWithErrors" and not named:
        raise OutcomeUnknownError(
            "Microsoft Advertising refused some rows of the upload without naming them.",
            "Run the export again: sending the same rows twice does no harm.",
            code="errors_unnamed",
            tracking_id=status.tracking_id,
        )

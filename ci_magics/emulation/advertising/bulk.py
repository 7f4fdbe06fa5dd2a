"""The Bulk service: get an upload address, upload, poll the status, and download the result."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from functools import partial

from tornado.log import app_log

from ci_magics.emulation.advertising.checks import check_access, check_account, check_token
from ci_magics.emulation.advertising.result_file import MAX_FILE_BYTES, Answer, FileError, write_result
from ci_magics.emulation.call import Call, long_id
from ci_magics.emulation.injection import Injected
from ci_magics.emulation.replies import Refusal, Reply, ad_api_fault, api_fault_detail, operation_error, upload_fault
from ci_magics.emulation.state import UNIVERSAL_DEVELOPER_TOKEN, Upload, World

UPLOAD_SECONDS = 15 * 60.0
RESULT_SECONDS = 5 * 60.0
MAX_CONCURRENT = 5
_RUNNING = ("FileUploaded", "InProgress")


def get_upload_url(world: World, call: Call) -> Reply:
    """Answer GetBulkUploadUrl: an address that is valid once, for 15 minutes."""
    check_account(world, call)
    body = call.json()
    if long_id(body.get("AccountId"), "AccountId") != call.account_id:
        raise api_fault_detail(1102)
    mode = body.get("ResponseMode", "ErrorsOnly")
    if mode not in ("ErrorsOnly", "ErrorsAndResults"):
        raise api_fault_detail(201, "ResponseMode")
    if sum(each.status in _RUNNING for each in world.uploads.values()) >= MAX_CONCURRENT:
        raise api_fault_detail(4204)
    upload = Upload(
        request_id=str(uuid.uuid4()),
        account_id=call.account_id,
        customer_id=call.customer_id,
        user_id=call.user_id,
        errors_only=mode == "ErrorsOnly",
        expires=world.clock.now() + UPLOAD_SECONDS,
    )
    world.uploads[upload.request_id] = upload
    url = f"{call.origin}/Bulk/v13/UploadFile/{upload.request_id}"
    return Reply({"RequestId": upload.request_id, "UploadUrl": url})


def accept_file(world: World, call: Call, injected: Injected) -> tuple[Reply, Callable[[], None]]:
    """Accept an uploaded file.

    Parameters
    ----------
    world
        The emulator's state.
    call
        The request.
    injected
        The injected fault.

    Returns
    -------
    tuple
        The reply, and a function that processes the file, to be called outside the event loop.
    """
    upload = _checked_upload(world, call)
    if not call.files:
        raise upload_fault(3221, upload.request_id)
    if len(call.files) > 1:
        raise upload_fault(3222, upload.request_id)
    file = call.files[0]
    if not file.name.lower().endswith((".zip", ".csv", ".tsv")):
        raise upload_fault(3223, upload.request_id)
    if len(file.content) > MAX_FILE_BYTES:
        raise upload_fault(3225, upload.request_id)
    if world.storage:
        world.storage.keep_upload(upload.request_id, file.content)
    upload.used, upload.status, upload.file_name = True, "FileUploaded", file.name
    upload.injected = {"fault": injected.fault, "details": injected.details}
    return Reply({"TrackingId": None, "RequestId": upload.request_id}), partial(carry_out, world, upload, file.content)


def carry_out(world: World, upload: Upload, content: bytes) -> None:
    """Process an accepted file; its changes and its result take effect atomically.

    Parameters
    ----------
    world
        The emulator's state.
    upload
        The upload.
    content
        The file's bytes.
    """
    injected = Injected(**upload.injected)
    upload.status, upload.percent = "InProgress", 10
    try:
        apply = _read(upload, content, injected)
        with world.changing():
            if world.uploads.get(upload.request_id) is upload:  # else the world was reset meanwhile
                _finish(upload, apply(world, _caller(upload)), injected)
    except FileError as error:
        _fail(world, upload, error)
    except Exception as error:  # noqa: BLE001 - a waiting client must learn of any failure
        app_log.error("%s while reading an uploaded file", type(error).__name__)
        _fail(world, upload, FileError(0))
    if world.storage:
        world.storage.drop_upload(upload.request_id)


def _read(upload: Upload, content: bytes, injected: Injected) -> Callable[[World, Call], Answer]:
    """Parse a file; returns a function that applies it to the account of a call."""
    from ci_magics.emulation.advertising.ingest import read_file  # slow to import, and not needed at startup

    if injected.status:
        raise FileError(injected.detail("code", None), injected.status)
    return read_file(upload.file_name, content, injected)


def _caller(upload: Upload) -> Call:
    """Return a call with the identity of the upload's caller, as far as lists need it."""
    call = Call("POST", "", {}, {}, b"", "")
    call.account_id, call.customer_id, call.user_id = upload.account_id, upload.customer_id, upload.user_id
    return call


def _finish(upload: Upload, answer: Answer, injected: Injected) -> None:
    reordered = injected.fault == "reordered_result" or injected.detail("reordered", False)
    upload.result = write_result(answer, errors_only=upload.errors_only, reordered=reordered)
    upload.percent = 100
    upload.status = "CompletedWithErrors" if answer.failed else "Completed"


def _fail(world: World, upload: Upload, error: FileError) -> None:
    with world.changing():
        upload.percent, upload.status = 0, error.status
        upload.errors = None if error.code is None else [operation_error(error.code)]


def get_upload_status(world: World, call: Call) -> Reply:
    """Answer GetBulkUploadStatus, with a new result address each time."""
    check_account(world, call)
    upload = world.uploads.get(str(call.json().get("RequestId")))
    if upload is None or upload.account_id != call.account_id or upload.user_id != call.user_id:
        raise api_fault_detail(4201)
    if upload.status == "PendingFileUpload" and upload.expires <= world.clock.now():
        upload.status = "Expired"
    url = None
    if upload.status in ("Completed", "CompletedWithErrors"):
        upload.result_token = upload.result_token or secrets.token_urlsafe(16)
        upload.result_expires = world.clock.now() + RESULT_SECONDS
        url = f"{call.origin}/Bulk/v13/ResultFile/{upload.request_id}/{upload.result_token}.zip"
    return Reply(
        {
            "Errors": upload.errors,
            "ForwardCompatibilityMap": None,
            "PercentComplete": upload.percent,
            "RequestStatus": upload.status,
            "ResultFileUrl": url,
        }
    )


def get_result_file(world: World, call: Call) -> Reply:
    """Answer a result address, which needs no sign-in."""
    upload = world.uploads.get(call.arguments["request_id"])
    known = upload is not None and upload.result_token and upload.result_token == call.arguments["token"]
    if upload is None or not known:
        return Reply({"Message": "Not found."}, 404)
    if upload.result_expires <= world.clock.now():
        return Reply({"Message": "The address has expired."}, 403)
    return Reply(upload.result, content_type="application/zip")


def _checked_upload(world: World, call: Call) -> Upload:
    upload = world.uploads.get(call.arguments["request_id"])
    if upload is None:
        raise upload_fault(3220, None)
    _check_upload_headers(world, call, upload)
    if upload.used:
        raise upload_fault(3224, upload.request_id)
    if upload.expires <= world.clock.now():
        raise upload_fault(3226, upload.request_id)
    return upload


def _check_upload_headers(world: World, call: Call, upload: Upload) -> None:
    """Require a sign-in in either of the two forms that Microsoft's documentation and SDK use."""
    authorization = call.headers.get("Authorization") or ""
    bearer = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
    value = bearer or call.headers.get("AuthenticationToken") or ""
    accounts = {call.headers.get(name) for name in ("AccountId", "CustomerAccountId")} - {None}
    account = accounts.pop() or "" if len(accounts) == 1 else ""
    try:
        if call.headers.get("DeveloperToken") != UNIVERSAL_DEVELOPER_TOKEN:
            raise ad_api_fault(105)
        call.user_id = check_token(world, value).user_id
        check_access(world, call.headers.get("CustomerId") or "", account)
    except Refusal as refusal:
        code = refusal.reply.body["Errors"][0]["Code"]
        raise upload_fault(code, upload.request_id) from None
    if account != upload.account_id or call.user_id != upload.user_id:
        raise upload_fault(106, upload.request_id)

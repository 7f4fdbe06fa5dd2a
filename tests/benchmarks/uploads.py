"""Two ways from the same hashes to a list that Microsoft has taken in: ours, and the official SDK's."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bingads.authorization import AuthorizationData, OAuthTokens, OAuthWebAuthCodeGrant
from bingads.v13.bulk import (
    BulkCustomerList,
    BulkCustomerListItem,
    BulkFileWriter,
    BulkServiceManager,
    FileUploadParameters,
)
from openapi_client.models.campaign import CustomerList

from ci_magics.activation.connect import connect
from ci_magics.activation.connections.services import open_services
from ci_magics.microsoft.upload_file import Hashes, write_upload_file
from ci_magics.workspace.store import open_workspace


@dataclass(frozen=True)
class Account:
    """Where to upload to: an emulator's address, its tokens, and the number of a list."""

    base_url: str
    access_token: str
    refresh_token: str
    developer_token: str
    audience_id: str
    folder: str


def hashes(count: int) -> Hashes:
    """Return so many hashes."""
    digests = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(count))
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def our_zip(audience_id: str, count: int) -> Callable[[], int]:
    """Our upload file, from hashes to the finished zip."""
    items = hashes(count)
    folder = Path(tempfile.mkdtemp())

    def work() -> int:
        path = folder / "upload.zip"
        write_upload_file(path, items, audience_id=audience_id, action="Add", accept_terms=True)
        return path.stat().st_size

    return work


def sdk_zip(audience_id: str, count: int) -> Callable[[], int]:
    """The SDK's upload file: its writer, and the zip that it makes before it uploads."""
    texts = [row.tobytes().hex() for row in hashes(count)]
    folder = Path(tempfile.mkdtemp())

    def work() -> int:
        _write(folder / "upload.csv", texts, audience_id)
        # As BulkServiceManager does with a file that is no zip.
        with zipfile.ZipFile(folder / "upload.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "upload.csv", "upload.csv")
        return (folder / "upload.zip").stat().st_size

    return work


def our_upload(account: Account, count: int) -> Callable[[], int]:
    """Our whole upload: file, zip, upload, waiting until it is taken in."""
    items = hashes(count)
    folder = Path(account.folder)
    workspace = open_workspace(folder / "workspace")
    connection = connect("C", customer_id="222", account_id="111", agree=True, accept_terms=True, workspace=workspace)
    bulk = open_services(workspace, connection, show=print).bulk

    def work() -> int:
        path = folder / "ours.zip"
        write_upload_file(path, items, audience_id=account.audience_id, action="Add", accept_terms=True)
        ticket = bulk.request_upload()
        bulk.upload(ticket, path)
        status = bulk.wait(ticket.request_id).status
        if status != "Completed":
            raise SystemExit(f"The upload ended with {status}.")
        return path.stat().st_size

    return work


def sdk_upload(account: Account, count: int) -> Callable[[], int]:
    """The SDK's whole upload."""
    texts = [row.tobytes().hex() for row in hashes(count)]
    folder = Path(account.folder)
    tokens = OAuthTokens(account.access_token, 3600, account.refresh_token)
    grant = OAuthWebAuthCodeGrant("client-id", "secret", "http://localhost/cb", oauth_tokens=tokens)
    authorization = AuthorizationData(
        account_id="111", customer_id="222", developer_token=account.developer_token, authentication=grant
    )
    manager = BulkServiceManager(
        authorization,
        poll_interval_in_milliseconds=200,
        location=account.base_url,
        working_directory=account.folder,
    )

    def work() -> int:
        path = folder / "sdk.csv"
        _write(path, texts, account.audience_id)
        size = path.stat().st_size
        manager.upload_file(
            FileUploadParameters(
                upload_file_path=str(path),
                result_file_directory=account.folder,
                result_file_name="sdk-result.csv",
                overwrite_result_file=True,
                response_mode="ErrorsOnly",
            )
        )
        return size

    return work


def _write(path: Path, texts: list[str], audience_id: str) -> None:
    with BulkFileWriter(str(path)) as writer:
        customers: Any = CustomerList(id=audience_id, name="list", type="CustomerList")
        writer.write_entity(BulkCustomerList(customer_list=customers, action_type="Add"))
        for text in texts:
            writer.write_entity(BulkCustomerListItem(parent_id=audience_id, sub_type="Email", text=text))

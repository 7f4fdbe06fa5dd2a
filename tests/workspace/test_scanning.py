"""The scanner finds what it looks for: a scan that cannot fail would prove nothing."""

from __future__ import annotations

import base64
import gzip
import io
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from scanning import Scanner, as_bytes, relay_to

SECRET = "zq7person"
EMAIL = f"{SECRET}1@contoso.com"


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", data)
    return file.getvalue()


WAYS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "URL": lambda text: quote(text).encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big": lambda text: text.encode("utf-16-be"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 shifted by one": lambda text: base64.b64encode(b"x" + text.encode()),
    "base64 shifted by two": lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()),
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "zip": lambda text: zipped(b"a,b\n" + text.encode()),
    "gzip": lambda text: gzip.compress(text.encode()),
    "zip in gzip": lambda text: gzip.compress(zipped(text.encode())),
}


@pytest.mark.parametrize("way", WAYS)
def test_address_is_found_in_every_encoding(way: str, tmp_path: Path) -> None:
    scanner = Scanner({"address": SECRET})
    packed = WAYS[way](EMAIL)
    data = packed if "zip" in way else b"before " + packed + b" after"
    assert scanner.found(data) == {"address"}
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file.bin").write_bytes(data)
    (tmp_path / "innocent.bin").write_bytes(WAYS[way]("nobody@contoso.com"))
    assert scanner.found_in_folder(tmp_path) == {"below/file.bin": {"address"}}


def test_tokens_are_found_and_other_text_is_not() -> None:
    scanner = Scanner({"token": "aB3_-xYz90QwErTy", "address": SECRET})
    assert scanner.found(b"Bearer aB3_-xYz90QwErTy") == {"token"}
    assert scanner.found(b"Bearer aB3_-xYz90QwErTz, j\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2@contoso.com") == set()


def test_addresses_in_databases_tables_and_names_are_found(tmp_path: Path) -> None:
    scanner = Scanner({"address": SECRET})
    with sqlite3.connect(tmp_path / "x.sqlite") as database:
        database.execute("CREATE TABLE people (mail TEXT)")
        database.execute("INSERT INTO people VALUES (?)", (EMAIL,))
    database.close()
    pq.write_table(pa.table({"mail": [EMAIL] * 3}), tmp_path / "x.parquet", compression="none")
    (tmp_path / f"{EMAIL}.txt").touch()
    assert set(scanner.found_in_folder(tmp_path)) == {"x.sqlite", "x.parquet", f"{EMAIL}.txt"}
    assert scanner.found(as_bytes([(1, None, memoryview(EMAIL.encode()))])) == {"address"}
    assert scanner.found(as_bytes([({"facts": [EMAIL]},)])) == {"address"}


def test_relay_remembers_issued_tokens(emulator: object) -> None:
    url = emulator.base_url  # type: ignore[attr-defined]
    with relay_to(url) as relay:
        form = {"grant_type": "refresh_token", "refresh_token": emulator.refresh_token, "client_id": "x"}  # type: ignore[attr-defined]
        session = requests.Session()
        session.trust_env = False
        answer = session.post(f"{relay.base_url}/common/oauth2/v2.0/token", data=form).json()
        assert answer["access_token"] in relay.tokens
        assert answer["refresh_token"] in relay.tokens

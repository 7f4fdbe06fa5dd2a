"""Search for secrets: in files, rows and packed members, in every encoding in which they could hide."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

_SHA256 = re.compile("[0-9a-f]{64}")

#: The secrets in a response of a sign-in service.
TOKENS = ("access_token", "refresh_token", "id_token", "code", "device_code")


def spellings(text: str) -> set[bytes]:
    """Return the encodings of a text: UTF-8, UTF-16, hexadecimal, base64, and URL encoding.

    A lower-case text is also searched in upper case; others, such as tokens, are case-sensitive. A SHA-256 value can
    also be its 32 bytes.
    """
    found = {bytes.fromhex(text)} if _SHA256.fullmatch(text) else set()
    for variant in {text, text.upper()} if text.islower() else {text}:
        plain = variant.encode()
        found |= {plain, variant.encode("utf-16-le"), variant.encode("utf-16-be"), plain.hex().encode()}
        found |= {
            plain.hex().upper().encode(),
            quote(variant, safe="").encode(),
            quote(variant, safe="").lower().encode(),
        }
        found |= set(_in_base64(plain))
    return found


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield the letters that do not depend on what precedes and follows the text."""
    for before in range(3):
        packed = base64.b64encode(bytes(before) + plain)
        start, stop = -(-before * 8 // 6), (before + len(plain)) * 8 // 6
        yield packed[start:stop]
        yield packed[start:stop].replace(b"+", b"-").replace(b"/", b"_")


@dataclass
class Scanner:
    """Knows the secrets to search for.

    Parameters
    ----------
    secrets
        By a word that stands for them in messages.
    """

    secrets: dict[str, str]
    looked_at: int = 0
    _spelled: dict[str, set[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self._spelled = {word: spellings(text) for word, text in self.secrets.items()}

    def found(self, data: bytes) -> set[str]:
        """Return the words of the secrets in some bytes, also inside archives."""
        self.looked_at += len(data)
        hits = {word for word, spelled in self._spelled.items() if any(each in data for each in spelled)}
        for member in _members(data):
            hits |= self.found(member)
        return hits

    def found_in_folder(self, folder: Path) -> dict[str, set[str]]:
        """Return the files below a folder in which something was found, also in their names."""
        hits = {}
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            hits[name] = self.found(name.encode()) | (self.found(path.read_bytes()) if path.is_file() else set())
        return {name: words for name, words in hits.items() if words}


def _members(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:1] == b"\x78":
        try:
            yield zlib.decompress(data)
        except zlib.error:
            return  # it only starts like one


def as_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows of a database as they would be printed, and bytes as they are."""
    return b"\n".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for row in rows for value in row
    )


@dataclass
class Relay:
    """Forwards requests to the emulator, and records every token that it issues."""

    base_url: str
    tokens: set[str] = field(default_factory=set)

    def remember(self, path: str, body: bytes, location: str) -> None:
        """Look for tokens in a response."""
        self.tokens |= {
            value for values in parse_qs(urlsplit(location).query).values() for value in values if len(value) > 20
        }
        if "/token" in path or "/devicecode" in path:
            answer = json.loads(body)
            self.tokens |= {answer[name] for name in TOKENS if answer.get(name)}


@contextmanager
def relay_to(base_url: str, change: Callable[[bytes], bytes] = bytes) -> Iterator[Relay]:
    """Run a relay on this machine, which can change responses."""
    host = urlsplit(base_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            pass

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            try:
                answer = connection.getresponse()
                said = answer.read()
            except (http.client.HTTPException, OSError):
                self.close_connection = True  # the emulator closed the connection
                return
            finally:
                connection.close()
            relay.remember(self.path, said, answer.getheader("Location") or "")
            said = change(said)
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one  # noqa: N815 - the names that the server looks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    relay = Relay(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

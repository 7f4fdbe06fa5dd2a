"""Look for what must not be there: in files, rows and packed members, in every spelling in which it might hide."""

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

#: What is a secret in an answer of a sign-in service.
TOKENS = ("access_token", "refresh_token", "id_token", "code", "device_code")


def spellings(text: str) -> set[bytes]:
    """Return how a text may be written: plain, in two bytes a letter, as hexadecimal digits, in base64, in a URL.

    A text in small letters may be written in capitals as well; in others, such as tokens, case counts. A SHA-256 value
    may be its 32 bytes as well.
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
    """Yield the letters that are the same whatever stands before and after it."""
    for before in range(3):
        packed = base64.b64encode(bytes(before) + plain)
        start, stop = -(-before * 8 // 6), (before + len(plain)) * 8 // 6
        yield packed[start:stop]
        yield packed[start:stop].replace(b"+", b"-").replace(b"/", b"_")


@dataclass
class Scanner:
    """Knows what must not be there.

    Parameters
    ----------
    secrets
        By a word that may be said in place of them.
    """

    secrets: dict[str, str]
    looked_at: int = 0
    _spelled: dict[str, set[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self._spelled = {word: spellings(text) for word, text in self.secrets.items()}

    def found(self, data: bytes) -> set[str]:
        """Return the words of those that are in some bytes, packed ones unpacked."""
        self.looked_at += len(data)
        hits = {word for word, spelled in self._spelled.items() if any(each in data for each in spelled)}
        for member in _members(data):
            hits |= self.found(member)
        return hits

    def found_in_folder(self, folder: Path) -> dict[str, set[str]]:
        """Return the files below a folder in which something was found, their names included."""
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
            return  # it only began like one


def as_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows of a database as they would be printed, and its bytes as they are."""
    return b"\n".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for row in rows for value in row
    )


@dataclass
class Relay:
    """Stands between a client and the emulator, and remembers every token that was handed out."""

    base_url: str
    tokens: set[str] = field(default_factory=set)

    def remember(self, path: str, body: bytes, location: str) -> None:
        """Look for tokens in an answer."""
        self.tokens |= {
            value for values in parse_qs(urlsplit(location).query).values() for value in values if len(value) > 20
        }
        if "/token" in path or "/devicecode" in path:
            answer = json.loads(body)
            self.tokens |= {answer[name] for name in TOKENS if answer.get(name)}


@contextmanager
def relay_to(base_url: str, change: Callable[[bytes], bytes] = bytes) -> Iterator[Relay]:
    """Run a relay on this machine, which may change what is answered."""
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
                self.close_connection = True  # the emulator hung up, and so do we
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

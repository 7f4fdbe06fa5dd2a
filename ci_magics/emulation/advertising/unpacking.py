"""Extract the text of an uploaded file from its zip archive, if any, with protection against zip bombs."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from isal import igzip_lib, isal_zlib

from ci_magics.emulation.advertising.result_file import MAX_FILE_BYTES, FileError

MAX_EXPANDED_BYTES = 2_000_000_000
_UTMOST_RATIO = 1_100  # deflate compresses at most 1,032 to 1
_ENCRYPTED = 1


def extract(name: str, content: bytes) -> tuple[bytes, str]:
    """Return the text of an uploaded file and its column separator.

    Parameters
    ----------
    name
        The file's name.
    content
        The file's bytes.

    Raises
    ------
    FileError
        The file is too large, or is not an archive of exactly one member.
    """
    if len(content) > MAX_FILE_BYTES:
        raise FileError(3225, "UploadFileRowCountExceeded")
    if not name.lower().endswith(".zip"):
        return content, _separator(name)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            member = _only_member(archive)
            return _expand(archive, member, content), _separator(member.filename)
    except (zipfile.BadZipFile, struct.error, isal_zlib.IsalError, EOFError):  # type: ignore[misc]  # the stub does not say that it is one
        raise FileError(3223, "UploadFileFormatNotSupported") from None


def _separator(name: str) -> str:
    return "\t" if name.lower().endswith(".tsv") else ","


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) != 1:
        raise FileError(3222, "UploadFileFormatNotSupported")
    member = members[0]
    if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile
    if member.file_size > MAX_EXPANDED_BYTES or member.file_size > (member.compress_size + 100) * _UTMOST_RATIO:
        raise FileError(3225, "UploadFileRowCountExceeded")
    return member


def _expand(archive: zipfile.ZipFile, member: zipfile.ZipInfo, content: bytes) -> bytes:
    """Return a member's text. ISA-L takes a quarter of zlib's time."""
    if member.compress_type == zipfile.ZIP_STORED:
        return archive.read(member)
    name_length, extra_length = struct.unpack_from("<2H", content, member.header_offset + 26)
    start = member.header_offset + 30 + name_length + extra_length
    deflated = memoryview(content)[start : start + member.compress_size]
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    text: bytes = inflater.decompress(deflated, max_length=member.file_size + 1)  # the declared size may be wrong
    if len(text) != member.file_size or zlib.crc32(text) != member.CRC:
        raise zipfile.BadZipFile
    return text

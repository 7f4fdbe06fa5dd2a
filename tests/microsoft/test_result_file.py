"""Result files in every form that Microsoft may send."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.errors import OutcomeUnknownError
from ci_magics.microsoft.result_file import RowError, read_result

PLAIN = (
    "Type,Status,Id,Parent Id,Client Id,Name,Error,Error Number\r\n"
    "Format Version,,,,,6.0,,\r\n"
    "Customer List,,5,,list,,,\r\n"
    "Customer List Item Error,,,5,000000007,,EmailMustBeHashed,8004\r\n"
)
ITEM = RowError("item", 7, 8004, "EmailMustBeHashed")


def read(text: str | bytes, *, zipped: bool = True) -> list[RowError]:
    content = text if isinstance(text, bytes) else text.encode()
    return list(read_result(io.BytesIO(archive(content) if zipped else content)))


def archive(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("result.csv", content)
    return target.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_result_can_be_zipped_and_can_have_a_byte_order_mark(zipped: bool, mark: str) -> None:
    assert read(mark + PLAIN, zipped=zipped) == [ITEM]


@given(st.permutations(["Type", "Client Id", "Error", "Error Number", *(f"Column {n}" for n in range(200))]))
def test_columns_are_found_by_name(columns: list[str]) -> None:
    known = {"Type": "Customer List Item Error", "Client Id": "7", "Error": "EmailMustBeHashed", "Error Number": "8004"}
    text = f"\ufeff{','.join(columns)}\r\n{','.join(known.get(name, '') for name in columns)}\r\n"
    assert read(text) == [ITEM]


def test_error_of_the_list_is_read() -> None:
    text = "Type,Client Id,Error,Error Number\r\nCustomer List Error,list,InvalidAudienceId,4835\r\n"
    assert read(text) == [RowError("list", None, 4835, "InvalidAudienceId")]


def test_error_of_an_unknown_record_counts_against_the_list() -> None:
    assert read("Type,Client Id\r\nUnknown Error,5\r\n")[0].about == "list"


@pytest.mark.parametrize(
    ("number", "code"), [("", None), ("x", None), (" 8004 ", 8004), ("\u00b2", None), ("9" * 5000, None)]
)
def test_error_number_can_be_missing_or_invalid(number: str, code: int | None) -> None:
    text = f"Type,Client Id,Error Number\r\nCustomer List Item Error,7,{number}\r\n"
    assert read(text) == [RowError("item", 7, code, "")]


def test_messages_of_the_provider_are_dropped() -> None:
    text = "Type,Client Id,Error\r\nCustomer List Item Error,7,ada@contoso.com is bad\r\n"
    assert read(text)[0].error_code == ""


def test_row_of_several_lines_is_one_row() -> None:
    text = 'Type,Client Id,Error\r\n"Customer List Item Error",7,"a\r\nb"\r\nCustomer List Item Error,8,\r\n'
    assert [error.position for error in read(text)] == [7, 8]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"<html>502</html>", b"Kind,Error\r\nx,y\r\n", b"PK\3\4half"]
)
def test_file_of_another_kind_leaves_the_outcome_unknown(content: bytes) -> None:
    for zipped in (True, False):
        with pytest.raises(OutcomeUnknownError) as caught:
            read(content, zipped=zipped)
        assert caught.value.code == "result_unreadable"


def test_empty_archive_leaves_the_outcome_unknown() -> None:
    target = io.BytesIO()
    zipfile.ZipFile(target, "w").close()
    with pytest.raises(OutcomeUnknownError):
        read(target.getvalue(), zipped=False)


def test_archive_that_expands_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_magics.microsoft.result_file.MAX_EXPANDED_BYTES", 100)
    with pytest.raises(OutcomeUnknownError):
        read(PLAIN)


@given(st.integers(0, len(archive(PLAIN.encode())) - 1), st.integers(1, 255))
def test_damage_is_detected_or_harmless(place: int, change: int) -> None:
    damaged = bytearray(archive(PLAIN.encode()))
    damaged[place] ^= change
    try:
        assert list(read_result(io.BytesIO(bytes(damaged)))) == [ITEM]
    except OutcomeUnknownError as error:
        assert error.code == "result_unreadable"  # noqa: PT017 - either outcome is right

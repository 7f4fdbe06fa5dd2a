"""Output of commands and magics on consoles with limited encodings, and into closed pipes."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import contoso
import pandas as pd
import pytest

import ci_magics as ci
from ci_magics.cli import main
from ci_magics.display.output import adapt_streams, unwritten, write

if TYPE_CHECKING:
    from conftest import RunningEmulator

PROGRAM = Path(sys.executable).with_name("ci-magics")
NAME = "Zürich 東京 ✓ \N{GRINNING FACE}"
COMMANDS = [
    ["--help"],
    ["status"],
    ["doctor"],
    ["notifications"],
    ["emulator", "status"],
    ["exports"],
    ["exports", "--help"],
    ["exports", "show", NAME],
    ["exports", "run", NAME],
    ["exports", "show", "nobody's"],
    ["segments"],
    ["segments", "refresh", NAME],
    ["refresh"],
    ["roles"],
    ["audit"],
    ["audit", "--csv"],
    ["audit", "--json"],
    ["purge", "--dry-run"],
    ["forget", "--key", "9999"],
]


@pytest.fixture
def full_workspace(emulator: RunningEmulator) -> None:
    """Fill a workspace with names that few encodings support."""
    assert emulator.audiences() == {}
    contoso.connect()
    people = pd.DataFrame({"CustomerId": ["1", "2"], "EMail": ["jan@contoso.com", "ann@contoso.com"]})
    segment = ci.segment(NAME, people)
    ci.exports.save(NAME, segment, to=contoso.NAME)


@contextmanager
def console(encoding: str) -> Iterator[io.BytesIO]:
    """Print to a console with an encoding, as Python opens it."""
    screen = io.BytesIO()
    output = io.TextIOWrapper(screen, encoding=encoding, write_through=True)
    errors = io.TextIOWrapper(screen, encoding=encoding, errors="backslashreplace", write_through=True)
    with redirect_stdout(output), redirect_stderr(errors):
        yield screen
    for stream in (output, errors):
        stream.detach()


def ended(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as done:
        return int(done.code or 0)


@pytest.mark.slow
@pytest.mark.usefixtures("full_workspace")
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "shift_jis"])
def test_every_command_prints_everything_in_any_encoding(encoding: str) -> None:
    with console(encoding) as screen:
        statuses = {" ".join(arguments): ended(arguments) for arguments in COMMANDS}
        said = screen.getvalue().decode(encoding)
    failed = {f"exports show {NAME}", "exports show nobody's"} & {name for name, each in statuses.items() if each}
    assert failed == {"exports show nobody's"}
    assert "unexpected" not in said
    assert "Encode" not in said
    assert {statuses[name] for name in ("status", "doctor", "exports", f"exports run {NAME}", "audit --json")} == {0}


def test_symbols_have_replacements_and_other_characters_are_escaped() -> None:
    with console("ascii") as screen:
        adapt_streams()
        write("✓ 3 … Zürich")
        assert screen.getvalue() == b"ok 3 ... Z\\xfcrich"


def test_supported_characters_are_printed_unchanged() -> None:
    with console("utf-8") as screen:
        adapt_streams()
        write("✓ Zürich 東京 \ud83d")
        assert screen.getvalue() == "✓ Zürich 東京 \\ud83d".encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("full_workspace")
def test_process_in_another_encoding_succeeds(environment: dict[str, str]) -> None:
    done = subprocess.run([PROGRAM, "exports"], capture_output=True, check=False, env={**os.environ, **environment})
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"Z" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True], ids=["output", "output and errors"])
@pytest.mark.usefixtures("full_workspace")
def test_closed_pipe_does_not_affect_the_work(emulator: RunningEmulator, both: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    where = {"stdout": writing, "stderr": writing if both else subprocess.PIPE}
    done = subprocess.run([PROGRAM, "exports", "run", NAME], check=False, **where)
    os.close(writing)
    assert done.returncode == 0
    assert b"rror" not in (done.stderr or b"")
    assert len(emulator.members(NAME)) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("full_workspace")
def test_work_is_done_without_any_output(emulator: RunningEmulator) -> None:
    line = f"'{PROGRAM}' exports run '{NAME}' <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", line], check=False).returncode == 0  # noqa: S607
    assert len(emulator.members(NAME)) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("full_workspace")
def test_output_cut_off_by_a_full_disk_exits_with_3() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([PROGRAM, "audit", "--csv"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3
    assert done.stderr.decode() == (
        "The work is done, but its output could not be written completely: is the disk full?\n"
    )


def test_error_of_another_library_is_one_line_without_its_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise LookupError("jan@contoso.com")

    monkeypatch.setattr("ci_magics.activation.runs.status.status", fail)
    assert main(["status"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("fail failed unexpectedly (LookupError). ")
    assert "contoso" not in said.err


def test_closed_file_is_not_an_error() -> None:
    closed = io.StringIO()
    closed.close()
    unwritten.clear()
    with redirect_stdout(closed):
        write("nobody reads it")
    assert unwritten == {"stdout"}


@pytest.mark.parametrize("typed", [b"", b"\n", b"\xff\xfe\n"])
def test_undecodable_address_is_refused(
    typed: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))
    assert main(["forget", "--address"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("full_workspace")
def test_ipython_terminal_shows_results_in_its_encoding(tmp_path: Path) -> None:
    lines = f'%load_ext ci_magics\n%ci_status\n%ci_exports show "{NAME}"\n%ci_doctor\nexit\n'
    here = {**os.environ, "PYTHONIOENCODING": "cp1252", "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", "--no-banner", "--simple-prompt"],
        input=lines.encode("ascii", "replace"),
        capture_output=True,
        check=False,
        env=here,
    )
    assert b"ok versions" in done.stdout
    assert b"UnicodeEncodeError" not in done.stdout + done.stderr


SCRIPT = """
import pandas as pd
import ci_magics as ci
people = pd.DataFrame({"CustomerId": range(2_000), "EMail": [f"p{n}@contoso.com" for n in range(1_999)] + ["odd"]})
print(ci.connect("Script", customer_id="222", account_id="111", agree=True, accept_terms=True))
print(ci.segment("All of them", people), ci.segment("\\N{CHECK MARK}", people, key="CustomerId").rows)
ci.segments.delete("\\N{CHECK MARK}")
print(ci.preview("All of them"))
plan = ci.plan("All of them", to="Script", ignore_consent=True)
print(plan, plan.apply(), ci.status(), ci.doctor(), ci.exports.overview(), ci.segments.history("All of them"))
try:
    ci.export("nobody's", to="Script")
except ci.CiError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("emulator")
def test_script_prints_results_and_errors_in_any_encoding(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=False, env={**os.environ, **environment}
    )
    assert (done.stderr.decode(), done.returncode) == ("", 0)
    assert b"2,000 profiles" in done.stdout
    assert b"There is no segment 'nobody's'" in done.stdout


def test_errors_use_only_common_characters() -> None:
    package = Path(ci.__file__).parent
    odd = [
        f"{path.name}:{each.lineno}"
        for path in package.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("Error")
        for each in ast.walk(call)
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and not each.value.isascii()
    ]
    assert odd == []

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import requests

from ci_magics.cli import main

PROGRAM = Path(sys.executable).with_name("ci-magics")


def written(folder: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# A heading"))
    nbformat.write(notebook, folder / "tiny.ipynb")
    return folder / "tiny.ipynb"


@contextmanager
def emulator(*options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [PROGRAM, "emulator", "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["notebook"], ["emulator", "serve", "--port", "many"], ["--nonsense"]]
)
def test_invalid_arguments_exit_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--help" in said.err or "Write --port N" in said.err


@pytest.mark.parametrize("arguments", [["--help"], ["notebook", "--help"], ["emulator", "--help"]])
def test_help_exits_with_status_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert f"ci-magics {' '.join(arguments[:-1])}".strip() in capsys.readouterr().out


def test_program_is_installed_and_returns_the_status() -> None:
    for arguments, status in ((["--help"], 0), (["notebook", "no-such.ipynb"], 1), (["nonsense"], 2)):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, check=False)
        assert done.returncode == status


def test_notebook_is_executed_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "x = 2\nprint('two', x)", "x * 21", "y = x", "from pathlib import Path\nPath.cwd().name")
    before = file.read_bytes()
    assert main(["notebook", str(file)]) == 0
    said = capsys.readouterr()
    assert said.out == (
        ">>> x = 2\n>>> print('two', x)\n\ntwo 2\n\n>>> x * 21\n\n42\n\n>>> y = x\n\n"
        f">>> from pathlib import Path\n>>> Path.cwd().name\n\n{tmp_path.name!r}\n"
    )
    assert said.err == ""
    assert file.read_bytes() == before


def test_failed_cell_exits_with_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "1 + 1", "raise ValueError('jan@contoso.com of 0612345678')", "print('never')")
    assert main(["notebook", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(">>> 1 + 1\n\n2\n\n>>> raise")
    assert "\nnever" not in said.out
    assert said.err.startswith("A cell of tiny.ipynb failed: ValueError. Open it in JupyterLab.")
    assert "contoso" not in said.err
    assert "0612345678" not in said.err


@pytest.mark.usefixtures("workspace")
def test_error_of_ci_magics_is_printed_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "%load_ext ci_magics", "%ci_preview Nothing")
    assert main(["notebook", str(file)]) == 1
    assert "failed: There is no segment 'Nothing'." in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "no JSON", "{}", "[]", '{"cells": 5, "nbformat": 4}'])
def test_invalid_notebook_exits_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    file = tmp_path / "x.ipynb"
    if content is not None:
        file.write_text(content, "utf-8")
    assert main(["notebook", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "x.ipynb" in said.err


def test_folder_is_not_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebook", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("There is no notebook")


def test_emulator_prints_its_address_first() -> None:
    with emulator() as process:
        assert process.stdout is not None
        known = json.loads(process.stdout.readline())
        assert known["base_url"].startswith("http://127.0.0.1:")
        assert {"access_token", "developer_token", "customer_id", "account_id", "control_token"} <= set(known)
        answer = requests.get(
            f"{known['base_url']}/_emulator/audiences", headers={"X-Control-Token": known["control_token"]}, timeout=20
        )
        assert (answer.status_code, answer.json()) == (200, [])
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_emulator_uses_the_given_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with emulator("--port", str(port)) as process:
            assert process.wait(timeout=20) == 1
            assert process.stderr is not None
            assert f"cannot listen on port {port}" in process.stderr.read()
    with emulator("--port", str(port)) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["base_url"] == f"http://127.0.0.1:{port}"

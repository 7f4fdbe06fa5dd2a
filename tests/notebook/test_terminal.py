"""IPython in a terminal, driven through a pseudo-terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from conftest import RunningEmulator

pytestmark = pytest.mark.slow

_PATIENCE = 90


@pytest.fixture
def terminal(emulator: RunningEmulator, tmp_path: Path) -> Iterator[pexpect.spawn]:
    assert emulator.audiences() == {}
    places = {"CI_MAGICS_WORKSPACE": str(tmp_path / "workspace"), "IPYTHONDIR": str(tmp_path / "ipython")}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--colors=nocolor", "--simple-prompt", "--no-banner", "--no-confirm-exit"],
        env={**os.environ, **places, "TERM": "dumb"},
        encoding="utf-8",
        timeout=_PATIENCE,
        dimensions=(50, 160),
        use_poll=True,  # select() knows no file numbers above 1023
    )
    child.expect_exact("In [1]: ")
    yield child
    child.close(force=True)


def say(terminal: pexpect.spawn, line: str) -> str:
    """Type a line, and return the output before the next prompt."""
    terminal.sendline(line)
    terminal.expect(r"In \[\d+\]: ")
    return str(terminal.before)


def test_complete_export_in_a_terminal(terminal: pexpect.spawn) -> None:
    assert "Error" not in say(terminal, "%load_ext ci_magics")
    say(terminal, "from ci_magics.sample import customers as sample; customers = sample(500)")
    say(terminal, '%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms --quiet')
    assert "profiles, e-mail in EMail" in say(terminal, '%ci_segment Dutch customers --where "MarketingConsent"')
    shown = say(terminal, '%ci_export Dutch --to "Contoso EU"')
    assert "Export Completed" in shown
    assert "<table" not in shown
    assert "a terminal: no forms here." in say(terminal, "%ci_doctor")


def test_error_is_one_line_in_a_terminal(terminal: pexpect.spawn) -> None:
    say(terminal, "%load_ext ci_magics")
    shown = say(terminal, "%ci_preview Nothing")
    assert "NotFoundError: There is no segment 'Nothing'." in shown
    assert "Traceback" not in shown

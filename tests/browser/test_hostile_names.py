"""Names that look like code: the cell that the side panel inserts runs the export of exactly that name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from playwright.sync_api import expect

import ci_magics as ci
from ci_magics.quoting import magic_quoted

if TYPE_CHECKING:
    from conftest import Lab

    from tests.conftest import RunningEmulator

NAMES = [
    *('a "b"', "it's", "both \" and '", "back\\slash", "{1/0}", "$HOME", "%time 1", "!touch hacked", "# no comment"),
    *("</script><script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", "`window.hacked=1`"),
    *("${window.hacked=1}", "\u200fאב\u200e", 'x"\nimport os; os.abort()', "a\u2028!touch hacked", "a\u202eb"),
]
ACTIVE = "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source"


def test_panel_inserts_only_the_name(
    tmp_path: Path,
    start_lab: Callable[..., AbstractContextManager[Lab]],
    emulator_process: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
    workspace = ci.open_workspace().store
    ci.connect("EU", customer_id="222", account_id="111", agree=True, accept_terms=True)
    ci.segment("All", pd.DataFrame({"Id": ["1"], "EMail": ["a@fabrikam.com"]}))
    export = ci.exports.save("Weekly", "All", to="EU", ignore_consent=True)
    for name in NAMES:  # some of them are from before the rule for names
        workspace.exports.put(replace(export, id=str(uuid.uuid4()), name=name))  # type: ignore[type-var]
    folder = tmp_path / "lab"
    folder.mkdir()
    places = {"CI_MAGICS_EMULATOR": emulator_process.base_url, "CI_MAGICS_WORKSPACE": str(workspace.folder)}
    with start_lab(folder, **places) as lab:
        page = lab.open("names", "1")
        page.get_by_role("menuitem", name="View", exact=True).first.click()
        page.locator(".lm-Menu-item", has_text="Customer Match exports").last.click()
        panel = page.get_by_role("region", name="Customer Match")
        expect(panel.get_by_role("heading", name="Exports")).to_be_visible()
        buttons = panel.get_by_role("button", name="Run in notebook")
        expect(buttons).to_have_count(len(NAMES) + 1)
        listed = [each.name for each in workspace.exports]
        for number in range(buttons.count()):
            label = buttons.nth(number).get_attribute("aria-label") or ""
            name = label.removeprefix("Run in notebook: ")
            assert name in listed
            buttons.nth(number).click()
            wanted = f"%ci_exports run {magic_quoted(name)}"
            page.wait_for_function(f"wanted => ({ACTIVE})().endsWith(wanted)", arg=wanted)
            assert page.evaluate(ACTIVE).splitlines()[-1] == wanted
        assert page.evaluate("() => window.hacked") is None
        assert page.problems == []  # type: ignore[attr-defined]
        assert not list(tmp_path.rglob("hacked"))

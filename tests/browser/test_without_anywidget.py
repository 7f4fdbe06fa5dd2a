"""A page that cannot load the script of a form shows the default status line."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import Lab


def test_status_is_shown(
    start_lab: Callable[..., AbstractContextManager[Lab]], tmp_path: Path, screenshots: Path
) -> None:
    config = tmp_path / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "page_config.json").write_text(json.dumps({"disabledExtensions": {"anywidget": True}}))
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with start_lab(folder, JUPYTER_CONFIG_DIR=str(config)) as lab:
        page = lab.open("plain", "%load_ext ci_magics", "%ci_export")
        lab.run_all(page)
        form = page.locator(".ci-form")
        expect(form).to_have_count(1)
        expect(form.locator(".ci-in-page [role=status]")).to_have_count(0)
        expect(form.locator(".ci-status")).to_be_visible()
        expect(form.locator(".ci-status")).to_contain_text("There is no segment yet.")
        page.screenshot(path=screenshots / "without-anywidget.png")

"""Coverage in light and dark themes, and in an untrusted notebook."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from conftest import Lab

SETUP = """%load_ext ci_magics
import ci_magics as ci
from ci_magics.sample import customers as sample
customers = sample(8_000)
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms
%ci_segment "Loyal customers" customers --where "TotalSpend > 100" --quiet
run = %ci_export "Loyal customers" --to "Contoso EU" --ignore-consent
ci.emulator.control("clock", {"advance_hours": 48})
%ci_segment "Loyal customers" customers --where "TotalSpend > 110" --quiet
%ci_segment "Bought twice in the Netherlands" customers --where "Country = 'NL' AND Orders >= 2" --quiet
%ci_segment "Lapsed" customers --where "LastPurchase < DATE '2025-06-01'" --quiet"""
ONE = '%ci_preview "Loyal customers" --to "Contoso EU"'
THREE = '%ci_preview "Loyal customers" "Bought twice in the Netherlands" "Lapsed" --to "Contoso EU"'
THEMES = ("JupyterLab Light", "JupyterLab Dark")
_LOADED = "each => each.complete && each.naturalWidth > 0"
_OUTPUT = ".jp-OutputArea-output img"


@pytest.fixture(scope="module")
def opened(lab: Lab) -> Iterator[Page]:
    page = lab.open("coverage", SETUP, ONE, THREE)
    page.set_viewport_size({"width": 1200, "height": 2600})
    lab.run_all(page)
    expect(page.locator(_OUTPUT)).to_have_count(3)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    yield page
    show(page, THEMES[0])
    page.close()


def show(page: Page, theme: str) -> None:
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)


def expect_picture(image: Locator, words: str) -> None:
    image.scroll_into_view_if_needed()
    expect(image).to_be_visible()
    expect(image).to_have_attribute("alt", re.compile(words))
    image.page.wait_for_function(_LOADED, arg=image.element_handle())
    width, height = image.evaluate("each => [each.naturalWidth, each.naturalHeight]")
    box = image.bounding_box()
    assert box is not None
    assert box["width"] <= width
    assert abs(box["width"] / box["height"] - width / height) < 0.05


@pytest.mark.parametrize("theme", THEMES)
def test_pictures_and_alt_texts_are_shown(opened: Page, theme: str, screenshots: Path) -> None:
    show(opened, theme)
    one, comparison, overlap = opened.locator(_OUTPUT).all()
    for image, words in (
        (one, "^Coverage of Loyal customers: profiles .* Expected match: .* Against the audience: unchanged"),
        (comparison, "^Coverage by segment. Loyal customers: profiles"),
        (overlap, "^Overlap of segments. .*'Loyal customers' and 'Lapsed' share [0-9,]+ hashes"),
    ):
        expect_picture(image, words)
    for name, image in (("one", one), ("three", comparison)):
        output = image.locator("xpath=ancestor::div[contains(@class, 'jp-OutputArea-output')]")
        output.screenshot(path=screenshots / f"coverage-{name}-{theme.split()[-1].lower()}.png")
    opened.screenshot(path=screenshots / f"coverage-page-{theme.split()[-1].lower()}.png")
    assert opened.problems == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", THEMES)
def test_coverage_is_accessible(opened: Page, theme: str) -> None:
    show(opened, theme)
    violations = Axe().run(opened, context=".jp-RenderedHTML").response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations] == []


def test_untrusted_notebook_shows_coverage(opened: Page, lab: Lab, screenshots: Path) -> None:
    written = lab.folder / "coverage.ipynb"
    opened.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert "image/svg+xml" in written.read_text("utf-8")
    copy = lab.folder / "copied.ipynb"
    shutil.copy(written, copy)
    document = json.loads(copy.read_text("utf-8"))
    document["cells"][0]["source"] += "\n# changed by somebody else"  # a changed cell has no signature
    copy.write_text(json.dumps(document), "utf-8")
    page = lab.browser.new_page(viewport={"width": 1200, "height": 1000})
    page.goto(f"{lab.base_url}/lab/tree/copied.ipynb?reset")
    expect(page.locator(_OUTPUT)).to_have_count(3)
    trusted = "() => [...window.jupyterapp.shell.currentWidget.content.widgets].map(cell => cell.model.trusted)"
    assert not any(page.evaluate(trusted))
    expect_picture(page.locator(_OUTPUT).first, "^Coverage of Loyal customers: profiles")
    expect(page.locator("table").first).to_contain_text("no address")
    page.screenshot(path=screenshots / "coverage-untrusted.png")
    page.close()


def test_notebook_7_shows_coverage(lab: Lab, screenshots: Path) -> None:
    page = lab.open("seven", "1 + 1")
    page.close()
    cells = [nbformat.v4.new_code_cell(cell) for cell in (SETUP, ONE, "%ci_export")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lab.folder / "seven.ipynb")
    page = lab.browser.new_page(viewport={"width": 1200, "height": 1600})
    page.goto(f"{lab.base_url}/notebooks/seven.ipynb")
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=60_000,
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    image = page.locator(_OUTPUT).first
    expect(image).to_be_visible()
    expect_picture(image, "^Coverage of Loyal customers: profiles")
    expect(page.locator(".ci-form")).to_be_visible()
    page.screenshot(path=screenshots / "notebook-7.png")
    page.close()

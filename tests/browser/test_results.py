"""Every result in JupyterLab: none widens its cell, in a narrow or a wide window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect
from results import results

if TYPE_CHECKING:
    from conftest import Lab, RunningEmulator

NAME = 'Everybody in <b>Germany</b> & "Austria" who bought_more_than_twice_since_last_summer_and_came_back'
#: Two results in each output: JupyterLab shows at most 50 outputs of a cell.
SHOW = """import json
from IPython.display import HTML, display
shown = [f"<h4 data-kind='{kind}'>{kind}</h4>{page}" for kind, page in json.load(open("results.json")).items()]
for two in zip(shown[::2], [*shown[1::2], ""]):
    display(HTML("".join(two)))"""
THEMES = ("JupyterLab Light", "JupyterLab Dark")
WIDTHS = (600, 1200)
_OUTPUT = ".jp-OutputArea-output"
_TOO_WIDE = """outputs => outputs.flatMap(output => {
  const kind = output.querySelector('[data-kind]').dataset.kind;
  const right = output.getBoundingClientRect().right + 1;
  const scrolls = each => each !== output && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX);
  const inside = each => {
    for (let up = each.parentElement; up !== output; up = up.parentElement) if (scrolls(up)) return true;
    return false;
  };
  const wide = [...output.querySelectorAll('*')]
    .filter(each => !inside(each) && each.getBoundingClientRect().right > right);
  return output.scrollWidth > output.clientWidth + 1 || wide.length
    ? [`${kind}: ${output.scrollWidth} of ${output.clientWidth}, ${wide.map(each => each.tagName)}`] : [];
})"""


@pytest.fixture(scope="module")
def opened(lab: Lab, emulator_process: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    emulator_process.control("POST", "/reset")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI_MAGICS_EMULATOR", emulator_process.base_url)
        patch.setenv("CI_MAGICS_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
        pages = {kind: result._repr_html_() for kind, result in results(NAME).items()}
    (lab.folder / "results.json").write_text(json.dumps(pages), "utf-8")
    page = lab.open("results", SHOW)
    lab.run_all(page)
    expect(page.locator(f"{_OUTPUT} [data-kind]")).to_have_count(len(pages))
    yield page
    page.close()


def widen(page: Page, width: int) -> None:
    """Resize the window so that an output has the given width, and wait for JupyterLab's layout."""
    output = page.locator(_OUTPUT).first.element_handle()
    beside = output.evaluate("each => innerWidth - each.clientWidth")
    page.set_viewport_size({"width": width + beside, "height": 1000})
    page.wait_for_function("([each, width]) => Math.abs(each.clientWidth - width) < 20", arg=[output, width])


@pytest.mark.parametrize("width", WIDTHS)
def test_no_result_is_wider_than_its_cell(opened: Page, width: int, screenshots: Path) -> None:
    widen(opened, width)
    assert opened.locator(_OUTPUT).evaluate_all(_TOO_WIDE) == []
    opened.screenshot(path=screenshots / f"results-{width}.png")

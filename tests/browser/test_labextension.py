"""The launcher card, the commands and the side panel, in JupyterLab and in Notebook 7."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from conftest import Lab

    from tests.conftest import RunningEmulator

VIEWPORT = {"width": 1200, "height": 900}
THEMES = ("JupyterLab Light", "JupyterLab Dark")
DONE = re.compile("^Big spenders: Completed, [0-9]+ accepted, 0 rejected.$")
CONNECTED = """%load_ext ci_magics
from ci_magics.sample import customers as sample
customers = sample(5_000)
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms
%ci_segment "Everybody" customers --quiet"""
EXPORT = '%ci_export "All of them" --to "Contoso EU" --ignore-consent'
NUMBERED = """import os, pathlib
_ = pathlib.Path("kernel.pid").write_text(str(os.getpid()))"""
ACTIVE_CELL = """text => {
  const source = window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.source;
  return new RegExp(`^${text}$`).test(source);
}"""


FITS = """each => each.scrollWidth <= each.clientWidth
  && each.getBoundingClientRect().width > 0 && each.getBoundingClientRect().right <= innerWidth"""


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory,
    start_lab: Callable[..., AbstractContextManager[Lab]],
    emulator_process: RunningEmulator,
) -> Iterator[Lab]:
    """JupyterLab with an empty workspace, and an emulator that outlives its kernels."""
    folder = tmp_path_factory.mktemp("panel")
    with start_lab(folder, CI_MAGICS_EMULATOR=emulator_process.base_url) as running:
        yield running


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    context = lab.browser.new_context(viewport=VIEWPORT)
    yield context.new_page()
    context.close()


@pytest.fixture
def delayed_call(emulator_process: RunningEmulator) -> Iterator[None]:
    """Delay the fifth call to the emulator for a minute."""
    delayed_call = {"operation": "ApplyCustomerListUserData", "call": 5, "fault": "117"}
    emulator_process.control("POST", "/faults", [delayed_call])
    yield
    emulator_process.control("POST", "/faults", [])


def menu(page: Page, *names: str) -> None:
    """Choose an item of the menu bar."""
    page.get_by_role("menuitem", name=names[0], exact=True).first.click()
    for name in names[1:-1]:
        page.locator(".lm-Menu-item", has_text=name).first.hover()
    page.locator(".lm-Menu-item", has_text=names[-1]).last.click()


def panel_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Customer Match")


def open_panel(page: Page) -> Locator:
    menu(page, "View", "Customer Match exports")
    panel = panel_of(page)
    expect(panel.get_by_role("heading", name="Runs")).to_be_visible()
    return panel


def run_command(page: Page, command: str) -> None:
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill(command)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(command)
    page.keyboard.press("Enter")


def run_all(page: Page) -> None:
    """Run all cells without waiting for them."""
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")


def expect_accessible(page: Page) -> None:
    violations = Axe().run(page, context=".ci-magics-panel").response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations] == []


def test_launcher_card_leads_to_a_run_in_the_panel(lab: Lab, page: Page, screenshots: Path) -> None:
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard", has_text="Customer Match")).to_be_visible()
    panel = open_panel(page)
    expect(panel).to_contain_text("First, a connection to Microsoft Advertising.")
    expect(panel).to_contain_text("Nothing was exported yet.")
    expect_accessible(page)
    panel.get_by_role("button", name="Insert a connection cell").click()
    expect(panel.get_by_role("status")).to_have_text("Open a notebook first: the cell goes below its active one.")
    page.screenshot(path=screenshots / "panel-empty.png")

    page.locator(".jp-LauncherCard", has_text="Customer Match").click()
    lab.wait_for_kernel(page)
    run_all(page)
    expect(panel.get_by_role("status")).to_have_text(DONE)
    item = panel.get_by_role("listitem")
    expect(item.get_by_role("heading", name="Big spenders")).to_be_visible()
    expect(item).to_contain_text("EMULATOR: nothing left this machine")
    item.locator("summary").click()
    expect(item.locator("details")).to_contain_text(re.compile("Big spenders: Completed, [0-9]+ added"))
    box = panel.bounding_box()
    assert box is not None
    assert box["width"] > 200
    page.screenshot(path=screenshots / "panel-lab.png")


def test_notebook_7_has_the_panel(lab: Lab, page: Page, screenshots: Path) -> None:
    page.goto(f"{lab.base_url}/tree")
    with page.context.expect_page() as opened:
        menu(page, "File", "New", "Customer Match notebook")
    notebook = opened.value
    lab.wait_for_kernel(notebook)
    panel = open_panel(notebook)
    panel.get_by_role("button", name="Refresh").click()
    run_all(notebook)
    expect(panel.get_by_role("status")).to_have_text(DONE)
    menu(notebook, "Edit", "Insert Customer Match cell", "Export form")
    notebook.wait_for_function(ACTIVE_CELL, arg="%ci_export")
    notebook.screenshot(path=screenshots / "panel-notebook-7.png")


def test_saved_export_is_run_in_the_notebook(lab: Lab, screenshots: Path) -> None:
    page = lab.open("saved", CONNECTED, '%ci_export "Everybody" --to "Contoso EU" --ignore-consent --save "Weekly"')
    panel = open_panel(page)
    run_all(page)
    exports = panel.get_by_role("region", name="Exports")
    expect(exports.get_by_role("heading", name="Weekly")).to_be_visible()
    expect(exports.get_by_role("listitem")).to_contain_text("Everybody to Contoso EU")
    expect(exports.get_by_role("listitem")).to_contain_text("Last run: never")
    exports.get_by_role("button", name="Run in notebook: Weekly").click()
    page.wait_for_function(ACTIVE_CELL, arg='%ci_exports run "Weekly"')
    expect(page.locator(".jp-Cell.jp-mod-active .cm-content")).to_be_focused()
    page.keyboard.press("Shift+Enter")
    expect(panel.get_by_role("status")).to_contain_text("Everybody: Completed")
    expect(exports.get_by_role("listitem")).to_contain_text("Last run: just now")
    page.screenshot(path=screenshots / "panel-exports.png")
    page.close()


@pytest.mark.usefixtures("delayed_call")
def test_panel_shows_a_running_export_and_resumes_an_interrupted_one(lab: Lab, screenshots: Path) -> None:
    page = lab.open("broken-off", CONNECTED.replace("Everybody", "All of them"), NUMBERED, EXPORT)
    panel = open_panel(page)
    run_all(page)
    item = panel.get_by_role("region", name="Runs").get_by_role("listitem").first
    expect(item.get_by_role("progressbar")).to_be_visible()
    expect(item).to_contain_text(re.compile("^.*4,000 of [0-9,]+ hashes answered"))
    page.screenshot(path=screenshots / "panel-running.png")
    os.kill(int((lab.folder / "kernel.pid").read_text()), signal.SIGKILL)
    expect(item).to_contain_text("Interrupted")
    page.get_by_role("button", name="Ok", exact=True).click()
    lab.wait_for_kernel(page)
    item.get_by_role("button", name=re.compile("^Finish in notebook: run ")).click()
    expect(panel.get_by_role("status")).to_have_text("The cell is in broken-off.ipynb: Shift+Enter runs it.")
    page.wait_for_function(ACTIVE_CELL, arg="%load_ext ci_magics\n%ci_export --resume [0-9a-f]{8}")
    page.keyboard.press("Shift+Enter")
    expect(panel.get_by_role("status")).to_contain_text("All of them: Completed")
    expect(item).not_to_contain_text("Interrupted")
    page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_panel_is_accessible_in_both_themes(lab: Lab, page: Page, theme: str, screenshots: Path) -> None:
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    panel = open_panel(page)
    expect(panel.get_by_role("listitem").first).to_be_visible()
    for details in panel.locator("summary").all():
        details.click()
    expect_accessible(page)
    page.screenshot(path=screenshots / f"panel-{theme.split()[-1].lower()}.png")
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")


def test_panel_is_usable_by_keyboard(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    run_command(page, "Customer Match exports")
    panel = panel_of(page)
    expect(panel.get_by_role("button", name="New notebook")).to_be_focused()
    expect(panel.get_by_role("listitem").first).to_be_visible()
    in_order = [
        panel.get_by_role("button", name="Refresh"),
        panel.get_by_role("button", name="Run in notebook: Weekly"),
        panel.locator("summary").first,
    ]
    for control in in_order:
        page.keyboard.press("Tab")
        expect(control).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.locator("details").first).to_have_attribute("open", "")
    for _ in in_order:
        page.keyboard.press("Shift+Tab")
    expect(panel.get_by_role("button", name="New notebook")).to_be_focused()
    page.keyboard.press("Enter")
    lab.wait_for_kernel(page)
    run_command(page, "Insert cell: Status")
    expect(page.locator(".jp-Cell.jp-mod-active .cm-content")).to_be_focused()
    page.wait_for_function(ACTIVE_CELL, arg="%load_ext ci_magics\n%ci_status")


def test_many_exports_with_odd_names_fit_at_200_percent_zoom(lab: Lab, page: Page, screenshots: Path) -> None:
    page.route("**/ci-magics/overview*", lambda route: route.fulfill(json=many_exports()))
    page.set_viewport_size({"width": VIEWPORT["width"] // 2, "height": VIEWPORT["height"] // 2})  # as zoomed to 200 %
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-Launcher")).to_be_visible()
    run_command(page, "Customer Match exports")
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    exports = panel_of(page).get_by_role("region", name="Exports")
    expect(exports.get_by_role("listitem")).to_have_count(40)
    expect(exports.get_by_role("heading", name="Export 7 <img src=x onerror=alert(1)>", exact=True)).to_be_visible()
    expect(exports.get_by_role("button", name=re.compile("^Run in notebook"))).to_have_count(20)
    expect(exports.get_by_text("Skipped: the connection is no longer shared.").first).to_be_visible()
    page.wait_for_function(FITS, arg=panel_of(page).element_handle())
    expect_accessible(page)
    exports.get_by_role("searchbox", name=re.compile("^Filter")).fill("export 7 ")
    expect(exports.get_by_role("listitem")).to_have_count(1)
    expect(exports).to_contain_text("1 of 40")
    page.screenshot(path=screenshots / "panel-zoomed.png")


def many_exports() -> dict[str, Any]:
    one = {
        "connection": "Contoso " * 8,
        "segments": ["Everybody", "x" * 120],
        "reason": "Skipped: the connection is no longer shared.",
        "last_run": "2026-11-01T10:00:00+00:00",
        "next_run": "2026-11-02T10:00:00+00:00",
        "overdue": True,
        "schedule": "daily",
    }
    exports = [
        {**one, "name": f"Export {n} <img src=x onerror=alert(1)>", "status": "Skipped", "may_run": n % 2 == 0}
        for n in range(40)
    ]
    return overview(exports=exports)


NEXT_STEPS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"connections": 0}, "First, a connection to Microsoft Advertising.", ["Insert a connection cell"]),
    ({"connections": 0, "advice": "Ask an administrator."}, "Ask an administrator.", []),
    ({"segments": 0}, "Next, a segment: a named set of profiles.", ["Insert a segment cell"]),
    ({}, "No export is saved yet: --save NAME keeps one", ["Insert an export cell"]),
    ({"role": "viewer"}, "No export is saved yet.", []),
]


def overview(**changes: Any) -> dict[str, Any]:
    """Return the server's overview of an empty workspace, with some changes."""
    people = {"version": "1", "user": "ann", "role": "contributor", "advice": ""}
    return {**people, "connections": 1, "segments": 1, "exports": [], "runs": [], **changes}


def test_empty_panel_offers_the_next_step_that_the_role_allows(lab: Lab, page: Page) -> None:
    answer: dict[str, Any] = {}
    page.route("**/ci-magics/overview*", lambda route: route.fulfill(json=answer))
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    answer.update(overview())
    panel = open_panel(page)
    for changes, sentence, offered in NEXT_STEPS:
        answer.update(overview(**changes))
        panel.get_by_role("button", name="Refresh").click()
        expect(panel).to_contain_text(sentence)
        expect(panel.get_by_role("button")).to_have_text(["New notebook", "Refresh", *offered])


def test_error_is_shown_until_the_next_success(lab: Lab, page: Page) -> None:
    page.route("**/ci-magics/overview*", lambda route: route.fulfill(status=503, json={"message": "It is locked."}))
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    menu(page, "View", "Customer Match exports")
    panel = panel_of(page)
    expect(panel.get_by_role("status")).to_have_text("It is locked.")
    page.unroute("**/ci-magics/overview*")
    panel.get_by_role("button", name="Refresh").click()
    expect(panel.get_by_role("heading", name="Runs")).to_be_visible()
    expect(panel.get_by_role("status")).to_have_text("")


def test_hidden_panel_sends_no_requests(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.base_url}/lab?reset")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    phase = "phase => window.jupyterapp.shell.widgets('right').find(each => each.id === 'ci-magics-panel')"
    phase += ".model.poll.state.phase === phase"
    page.wait_for_function(phase, arg="standby")
    open_panel(page)
    page.wait_for_function(phase, arg="resolved")
    page.evaluate("() => window.jupyterapp.shell.collapseRight()")
    page.wait_for_function(phase, arg="standby")

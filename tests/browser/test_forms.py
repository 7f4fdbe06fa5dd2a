"""The forms, from the connection to the receipt."""

from __future__ import annotations

import json
import os
import re
import shutil
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

START = "%load_ext ci_magics\nfrom ci_magics.sample import customers as sample\ncustomers = sample(4_000)"
CONNECTED = f"""{START}
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms
%ci_segment "Dutch" customers --where "Country = 'NL' AND MarketingConsent" --quiet
%ci_segment "Big spenders" customers --where "TotalSpend > 100" --quiet"""
ADDRESS = "https://ui.ads.microsoft.com/campaign/Campaigns.m?cid=222&aid=111"
DONE = re.compile("Completed: [0-9,]+ accepted, 0 rejected")
FORMS = ("%ci_connect", "%ci_segment", "%ci_preview", "%ci_export", "%ci_exports")
THEMES = ("JupyterLab Light", "JupyterLab Dark")


def forms(page: Page) -> Locator:
    return page.locator(".ci-form")


def expect_status(form: Locator, words: str | re.Pattern[str]) -> None:
    expect(form.get_by_role("status")).to_contain_text(words)


def press(form: Locator, name: str) -> None:
    form.get_by_role("button", name=name, exact=True).click()


def opened(lab: Lab, name: str, *cells: str) -> Page:
    page = lab.open(name, *cells)
    page.set_viewport_size({"width": 1200, "height": 1400})
    lab.run_all(page)
    expect(forms(page)).to_have_count(sum(cell.startswith("%ci") for cell in cells))
    return page


def violations(page: Page) -> list[Any]:
    found = Axe().run(page, context=".ci-form").response["violations"]
    return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]


def test_complete_export_through_forms(lab: Lab, screenshots: Path) -> None:
    page = opened(lab, "job", START, "%ci_connect")
    connect = forms(page)
    connect.get_by_label("Name").fill("Forms only")
    connect.get_by_label("Address bar").fill(ADDRESS)
    expect(connect.get_by_label("Customer id")).to_have_value("222")
    expect(connect.get_by_text("Account: Contoso EU (111)")).to_be_visible()
    connect.get_by_label("I agree to data privacy").check()
    connect.get_by_label("I accept the Customer Match terms").check()
    press(connect, "Save")
    expect_status(connect, "✓ Connection 'Forms only' is saved: EMULATOR: nothing left this machine")
    page.screenshot(path=screenshots / "forms-connect.png")
    page.close()

    page = opened(lab, "job-segment", START, "%ci_segment")
    segment = forms(page)
    expect(segment.locator(".ci-total")).to_contain_text("4,000 profiles")
    segment.get_by_label("Name").fill("Dutch by form")
    press(segment, "Add condition")
    segment.get_by_label("Column", exact=True).select_option("Country")
    segment.get_by_label("is", exact=True).select_option("is any of")
    segment.get_by_label("NL", exact=True).check()
    press(segment, "Add condition")
    segment.get_by_label("Column", exact=True).nth(1).select_option("MarketingConsent")
    expect(segment.locator(".ci-total")).to_contain_text(re.compile("[0-9,]+ of 4,000 profiles"))
    expect(segment.locator(".ci-count").first).to_contain_text("profiles")
    page.screenshot(path=screenshots / "forms-segment.png")
    press(segment, "Save segment")
    expect_status(segment, "✓ Segment 'Dutch by form'")
    page.close()

    page = opened(lab, "job-export", "%load_ext ci_magics", "%ci_preview", "%ci_export")
    coverage, export = forms(page).all()
    coverage.get_by_label(re.compile("^Dutch by form")).check()
    expect(coverage.get_by_alt_text(re.compile("^Coverage of Dutch by form"))).to_be_visible()
    export.get_by_label("Connection").select_option(label="Forms only: emulator, Contoso EU")
    export.get_by_label(re.compile("^Dutch by form")).check()
    press(export, "Show the plan")
    expect(export.locator(".ci-plan table")).to_contain_text("create")
    expect(export.get_by_role("button", name="Push")).to_be_disabled()
    export.get_by_label("I have read the plan").check()
    export.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "forms-plan.png")
    press(export, "Push")
    expect_status(export, DONE)
    expect(export.locator(".ci-progress-text")).to_contain_text("100%")
    bar = export.locator(".ci-progress .progress").bounding_box() or export.locator(".ci-progress").bounding_box()
    assert bar is not None
    assert bar["width"] > 100
    expect(page.locator(".jp-RenderedHTMLCommon", has_text="Receipts of the form 'Export").first).to_contain_text(DONE)
    press(export, "Copy as code")
    expect(export.locator(".ci-code-view")).to_contain_text('%ci_export "Dutch by form" --to "Forms only"')
    export.get_by_role("button", name="Copy: As a magic").click()
    expect(export.get_by_role("button", name="Copy: As a magic")).to_have_text("Copied")
    page.screenshot(path=screenshots / "forms-receipt.png")
    assert page.problems == []  # type: ignore[attr-defined]
    page.close()


def test_segment_that_would_lose_its_people_is_stopped_allowed_and_undone(lab: Lab, screenshots: Path) -> None:
    page = opened(lab, "guards", START, "%ci_segment")
    form = forms(page)
    expect(form.locator(".ci-total")).to_contain_text("profiles")
    undo, redo = (form.get_by_role("button", name=name, exact=True) for name in ("Undo last change", "Redo"))
    expect(undo).to_be_hidden()
    form.get_by_label("Name").fill("Loses people")
    press(form, "Save segment")
    expect_status(form, "✓ Segment 'Loses people'")
    press(form, "Add condition")
    form.get_by_label("Column", exact=True).select_option("Country")
    form.get_by_label("is", exact=True).select_option("equals")
    expect(form.locator("datalist option[value='NL']").first).to_be_attached()  # the field of this column has appeared
    form.get_by_label("value", exact=True).fill("NNL")
    form.get_by_label("value", exact=True).press("Tab")
    expect(form.locator(".ci-rule-text")).to_contain_text("NNL")
    press(form, "Save segment")
    expect_status(form, "✗ No profiles would be left in the segment 'Loses people'")
    expect_status(form, "NL")
    box = form.get_by_label("Save it even if it becomes empty")
    expect(form.get_by_label("Save it even if it loses more than half")).to_be_hidden()
    assert violations(page) == []
    page.screenshot(path=screenshots / "forms-stopped.png")
    box.check()
    press(form, "Save segment")
    expect_status(form, "✓ Segment 'Loses people': 0 profiles")
    expect(redo).to_be_hidden()
    undo.click()
    expect_status(form, "✓ The segment 'Loses people' has")
    redo.click()
    expect_status(form, "has 0 profiles again")
    assert page.problems == []  # type: ignore[attr-defined]
    page.close()


@pytest.fixture(scope="module")
def all_forms(lab: Lab) -> Iterator[Page]:
    kept = '%ci_export "Big spenders" --to "Contoso EU" --ignore-consent --save "Weekly"'
    page = opened(lab, "all-forms", f"{CONNECTED}\n{kept}", *FORMS)
    expect(page.locator(".ci-total")).to_contain_text("profiles")
    yield page
    page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_forms_are_accessible(all_forms: Page, theme: str) -> None:
    all_forms.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    expect(all_forms.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    expect(all_forms.locator("#jp-SplashScreen, .jp-Splash")).to_have_count(0)
    assert violations(all_forms) == []


@pytest.mark.parametrize(("width", "height"), [(1200, 1400), (640, 800)], ids=["wide", "zoomed"])
def test_nothing_is_cut_off(all_forms: Page, width: int, height: int, screenshots: Path) -> None:
    all_forms.set_viewport_size({"width": width, "height": height})  # 640 wide: 1280 at 200 % zoom
    for number, form in enumerate(forms(all_forms).all()):
        for button in form.locator("button:visible").all():
            assert button.evaluate("each => each.scrollWidth <= each.clientWidth + 1"), button.inner_text()
        for field in form.locator("select:visible, input[type=text]:visible").all():
            box = field.bounding_box()
            assert box is not None
            assert box["width"] > 40
        form.scroll_into_view_if_needed()
        all_forms.screenshot(path=screenshots / f"forms-{FORMS[number][1:]}-{width}.png")


def test_every_form_has_one_live_status_line(all_forms: Page) -> None:
    for form in forms(all_forms).all():
        status = form.get_by_role("status")
        expect(status).to_have_count(1)
        expect(status).to_have_attribute("aria-live", "polite")


ORDERS: dict[str, tuple[str, list[str]]] = {
    "%ci_connect": ("", [
        "combobox Connection", "textbox Name", "combobox Environment", "textbox Address bar",
        "button Look up accounts", "textbox Customer id", "textbox Account id",
        "checkbox administrators", "checkbox contributors too", "checkbox viewers too",
        "checkbox I agree to data privacy and compliance", "checkbox I accept the Customer Match terms",
        "combobox Sign in by", "button Test", "button Save", "button Copy as code",
    ]),
    "%ci_segment": ("Add condition", [
        "textbox Name", "combobox Source", "combobox E-mail column", "combobox Key column", "combobox Consent",
        "combobox Match when",
        "combobox Column", "combobox is", "combobox value", "checkbox ignoring case", "button Remove",
        "button Add condition", "button Add group", "button Add segment", "button Add joined rule",
        "combobox Keep it", "button Save segment", "button Copy as code",
    ]),
    "%ci_preview": ("", [
        "a segment", "combobox Compare with", "combobox Normalization", "button Keep as receipt", "button Copy as code",
    ]),
    "%ci_export": ("More choices", [
        "combobox Connection", "a segment", "combobox Mode", "button Fewer choices",
        "button Look up the account's lists", "combobox Audience", "combobox New audience for",
        "combobox Normalization", "textbox Membership days",
        "checkbox Continue even if nobody is left to send",
        "checkbox Continue even if more than half of the members would be removed",
        "checkbox Send a column that mixes addresses and hashes", "a segment",
        "textbox Save as", "button Save for later", "button Show the plan", "button Copy as code",
    ]),
    "%ci_exports": ("Schedule, copy, remove …", [
        "textbox Search", "combobox Status", "combobox Sort by", "checkbox last one first", "combobox Export",
        "button Run", "button Run all", "button Details and history", "button Refresh", "button Copy as code",
        "button Hide schedule, copy, remove", "combobox Runs", "textbox At", "checkbox Monday", "checkbox Tuesday",
        "checkbox Wednesday", "checkbox Thursday", "checkbox Friday", "checkbox Saturday", "checkbox Sunday",
        "textbox Time zone", "button Set schedule", "textbox New name", "button Duplicate",
        "button Detach from connection", "checkbox Yes, remove it and forget what was sent", "button Remove",
    ]),
}  # fmt: skip


def choose_dutch(form: Locator) -> None:
    """Choose the segment in a form that needs one, so that its buttons are enabled."""
    box = form.locator(".ci-segments").get_by_label(re.compile("^Dutch \\("))
    if box.count():
        box.check()
        expect(form.get_by_role("button", name="Copy as code")).to_be_enabled()


def focused(page: Page) -> str:
    """Return role and name of the focused element, like a screen reader; all segments count as one."""
    if page.locator(":is(.ci-segments, .ci-exclude) :focus").count():
        return "a segment"
    found = re.match(r'- (\w+) "([^"]*)"', page.locator(":focus").aria_snapshot())
    assert found is not None, page.locator(":focus").aria_snapshot()
    return f"{found[1]} {found[2]}"


@pytest.mark.parametrize("magic", FORMS)
def test_tab_order_is_from_top_to_bottom(all_forms: Page, magic: str) -> None:
    unfold, order = ORDERS[magic]
    all_forms.set_viewport_size({"width": 1200, "height": 1400})  # a scrollable table would take the focus too
    form = forms(all_forms).nth(FORMS.index(magic))
    choose_dutch(form)
    if unfold:
        press(form, unfold)
        expect(form.get_by_role("combobox", name=re.compile("^(Column|Audience|Runs)$"))).to_be_visible()
    form.locator("input:visible, select:visible").first.focus()  # then only Tab is pressed
    reached: list[str] = []
    while form.locator(":focus").count():
        reached += [name] if (name := focused(all_forms)) not in reached[-1:] else []
        all_forms.keyboard.press("Tab")
    assert reached == order


SAYS = [
    ("%ci_connect", "Test", "✗ Both ids are needed."),
    ("%ci_segment", "Save segment", "✗ The segment has no name yet."),
    ("%ci_preview", "Keep as receipt", "✓ It is written below and stays in the notebook."),
    ("%ci_export", "Show the plan", "This is the plan. Confirm it, then push."),
    ("%ci_exports", "Details and history", "Weekly: 0 runs."),
]


@pytest.mark.parametrize(("magic", "button", "words"), SAYS, ids=FORMS)
def test_status_line_is_updated_in_place(all_forms: Page, magic: str, button: str, words: str) -> None:
    form = forms(all_forms).nth(FORMS.index(magic))
    status = form.get_by_role("status")
    status.evaluate("each => { each.isTheSame = true; }")  # screen readers do not announce a replaced element
    choose_dutch(form)
    press(form, button)
    expect_status(form, words)
    assert status.evaluate("each => each.isTheSame")


def test_developer_token_is_asked_for_where_needed(all_forms: Page, screenshots: Path) -> None:
    form = forms(all_forms).first
    token = form.get_by_label("Developer token")
    expect(token).to_be_hidden()
    form.get_by_label("Environment").select_option("production: your real account")
    form.get_by_label("Name").fill("Real")
    form.get_by_label("Address bar").fill(ADDRESS)
    expect(form.get_by_label("Customer id")).to_have_value("222")
    token.fill("a token")
    form.scroll_into_view_if_needed()
    all_forms.screenshot(path=screenshots / "forms-token.png")
    assert violations(all_forms) == []
    press(form, "Save")
    expect_status(form, "✗ This machine has no keyring, so the developer token is not kept.")
    form.get_by_label("Environment").select_option("emulator: nothing leaves this machine")
    expect(token).to_be_hidden()


def test_running_the_cell_again_keeps_the_choices(lab: Lab) -> None:
    page = opened(lab, "again", CONNECTED, "%ci_export")
    forms(page).get_by_label(re.compile("^Dutch \\(")).check()
    forms(page).get_by_label("Mode").select_option("add: only add these people")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    lab.wait_for_kernel(page)
    expect(forms(page).get_by_label(re.compile("^Dutch \\("))).to_be_checked()
    expect(forms(page).get_by_label("Mode").locator("option:checked")).to_have_text("add: only add these people")
    page.close()


def test_untrusted_notebook_shows_the_receipt(lab: Lab, screenshots: Path) -> None:
    page = opened(lab, "to-reopen", CONNECTED, "%ci_export")
    form = forms(page)
    form.get_by_label(re.compile("^Dutch \\(")).check()
    press(form, "Show the plan")
    form.get_by_label("I have read the plan").check()
    press(form, "Push")
    expect_status(form, re.compile("Completed: "))
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.close()
    copy = lab.folder / "reopened.ipynb"
    shutil.copy(lab.folder / "to-reopen.ipynb", copy)
    document = json.loads(copy.read_text("utf-8"))
    document["cells"][0]["source"] += "\n# changed by somebody else"  # a changed cell has no signature
    copy.write_text(json.dumps(document), "utf-8")
    page = lab.browser.new_page(viewport={"width": 1200, "height": 1000})
    page.goto(f"{lab.base_url}/lab/tree/reopened.ipynb?reset")
    outputs = page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="run the cell to use the form")).to_be_visible()
    expect(outputs.filter(has_text=re.compile("UTC: Completed: "))).to_be_visible()
    page.screenshot(path=screenshots / "forms-untrusted.png")
    page.close()


@pytest.fixture
def lasting_lab(
    tmp_path: Path,
    start_lab: Callable[..., AbstractContextManager[Lab]],
    emulator_process: RunningEmulator,
) -> Iterator[Lab]:
    """Start JupyterLab with an emulator that outlives its kernels, and delays the second call for a minute."""
    folder = tmp_path / "lasting"
    folder.mkdir()
    held_up = {"operation": "ApplyCustomerListUserData", "call": 2, "fault": "117"}
    emulator_process.control("POST", "/faults", [held_up])
    with start_lab(folder, CI_MAGICS_EMULATOR=emulator_process.base_url) as running:
        yield running
    emulator_process.control("POST", "/faults", [])


def test_run_of_a_killed_kernel_is_resumed_in_the_form(lasting_lab: Lab, emulator_process: RunningEmulator) -> None:
    numbered = 'import os, pathlib\n_ = pathlib.Path("kernel.pid").write_text(str(os.getpid()))'
    page = opened(lasting_lab, "killed", f"{CONNECTED}\n{numbered}", "%ci_export")
    form = forms(page)
    form.get_by_label(re.compile("^Dutch \\(")).check()
    press(form, "Show the plan")
    form.get_by_label("I have read the plan").check()
    press(form, "Push")
    expect_status(form, "Trying again in")
    os.kill(int((lasting_lab.folder / "kernel.pid").read_text()), signal.SIGKILL)
    page.get_by_role("button", name="Ok", exact=True).click()
    lasting_lab.wait_for_kernel(page)
    emulator_process.control("POST", "/faults", [])
    lasting_lab.run_all(page)
    expect(form.get_by_label("Interrupted run")).to_be_visible()
    press(form, "Resume this run")
    expect_status(form, DONE)
    expect(form.get_by_label("Interrupted run")).to_be_hidden()
    page.close()


def test_two_notebooks_export_at_the_same_time(lab: Lab) -> None:
    one = opened(lab, "first", CONNECTED, "%ci_export")
    other = opened(lab, "second", CONNECTED, "%ci_export")
    for page, name in ((one, "Dutch"), (other, "Big spenders")):
        forms(page).get_by_label(re.compile(f"^{name} \\(")).check()
        press(forms(page), "Show the plan")
        forms(page).get_by_label("I have read the plan").check()
    for page in (one, other):
        press(forms(page), "Push")
    for page in (one, other):
        expect_status(forms(page), re.compile("Completed: "))
        page.close()


def test_error_is_shown_in_the_status_line(lab: Lab) -> None:
    page = opened(lab, "error", CONNECTED, "%ci_export")
    form = forms(page)
    form.get_by_label(re.compile("^Dutch \\(")).check()
    press(form, "More choices")
    form.get_by_label("Membership days").fill("soon")
    press(form, "Show the plan")
    expect_status(form, "✗ Membership days is not a whole number.")
    page.close()

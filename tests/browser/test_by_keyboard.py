"""A complete export with the keyboard only: from the launcher card to the receipt, through forms.

The README shows pictures that this test takes: ``CI_SCREENSHOTS=docs/pictures`` writes them there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from conftest import Lab

ADDRESS = "https://ui.ads.microsoft.com/campaign/Campaigns.m?cid=222&aid=111"
DONE = re.compile("Completed: [0-9,]+ accepted, 0 rejected")
HAS_THE_FOCUS = "each => each === document.activeElement"


def reach(page: Page, target: Locator, *, key: str = "Tab", most: int = 60) -> None:
    """Press a key repeatedly until an element has the focus."""
    expect(target).to_be_visible()
    expect(target).to_be_enabled()  # Tab skips disabled elements
    for _ in range(most):
        if target.evaluate(HAS_THE_FOCUS):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not reach {target}")


def write(page: Page, field: Locator, text: str) -> None:
    reach(page, field)
    page.keyboard.type(text)
    expect(field).to_have_value(text)


def turn(page: Page, field: Locator, key: str = "Space") -> None:
    reach(page, field)
    page.keyboard.press(key)


def insert_cell(page: Page, name: str) -> Locator:
    """Insert a cell with the command palette, run it, and return its form."""
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type(f"Insert cell: {name}")
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(name)
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Cell.jp-mod-active .cm-content")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-Cell.jp-mod-active .ci-form")).to_be_visible()
    return page.locator(".ci-form").last  # the cells below have none yet


def expect_status(form: Locator, words: str | re.Pattern[str]) -> None:
    expect(form.get_by_role("status")).to_contain_text(words)


def test_complete_export_by_keyboard(lab: Lab, screenshots: Path) -> None:
    page = lab.browser.new_page(viewport={"width": 1200, "height": 1400})
    page.goto(f"{lab.base_url}/lab?reset")
    reach(page, page.get_by_role("button", name=re.compile("^Customer Match")))
    page.keyboard.press("Enter")
    lab.wait_for_kernel(page)
    for _ in range(4):  # the heading, the extension, the customers
        page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("columnheader", name="MarketingConsent")).to_be_visible()

    form = insert_cell(page, "Connection")
    write(page, form.get_by_label("Name"), "Fabrikam")
    write(page, form.get_by_label("Address bar"), ADDRESS)
    expect(form.get_by_label("Account id")).to_have_value("111")
    turn(page, form.get_by_label("I agree to data privacy"))
    turn(page, form.get_by_label("I accept the Customer Match terms"))
    turn(page, form.get_by_role("button", name="Save"))
    expect_status(form, "✓ Connection 'Fabrikam' is saved: EMULATOR: nothing left this machine")
    page.screenshot(path=screenshots / "keys-connect.png")

    form = insert_cell(page, "Segment form")
    write(page, form.get_by_label("Name"), "Readers")
    turn(page, form.get_by_role("button", name="Add condition"))
    reach(page, form.get_by_label("Column", exact=True), key="Shift+Tab")
    page.keyboard.type("Country")
    expect(form.get_by_label("Column", exact=True)).to_have_value("Country")
    reach(page, form.get_by_label("is", exact=True))
    page.keyboard.type("is any of")
    turn(page, form.get_by_label("NL", exact=True))
    turn(page, form.get_by_role("button", name="Add condition"))
    reach(page, form.get_by_label("Column", exact=True).nth(1), key="Shift+Tab")
    page.keyboard.type("MarketingConsent")
    expect(form.locator(".ci-total")).to_contain_text(re.compile("[0-9,]+ of 5,000 profiles"))
    form.screenshot(path=screenshots / "segment.png")
    turn(page, form.get_by_role("button", name="Save segment"), "Enter")
    expect_status(form, "✓ Segment 'Readers'")

    form = insert_cell(page, "Coverage form")
    turn(page, form.get_by_label(re.compile("^Readers")))
    expect_status(form, re.compile("Readers: [0-9,]+ of [0-9,]+ can be sent"))
    expect(form.get_by_alt_text(re.compile("^Coverage of Readers"))).to_be_visible()
    reach(page, form.get_by_label("Compare with"))
    page.keyboard.type("Fabrikam")
    expect(form).to_contain_text("is not known how many of them Microsoft can match until an audience of this account")
    form.screenshot(path=screenshots / "coverage.png")

    form = insert_cell(page, "Export form")
    reach(page, form.get_by_label("Connection"))
    page.keyboard.type("Fabrikam")
    turn(page, form.get_by_label(re.compile("^Readers")))
    turn(page, form.get_by_role("button", name="Show the plan"), "Enter")
    expect_status(form, "This is the plan. Confirm it, then push.")
    expect(form.locator(".ci-plan table")).to_contain_text("create")
    turn(page, form.get_by_label("I have read the plan"))
    expect(form.get_by_role("button", name="Push")).to_be_enabled()
    form.screenshot(path=screenshots / "export.png")
    turn(page, form.get_by_role("button", name="Push"), "Enter")
    expect_status(form, DONE)
    expect(form.locator(".ci-progress-text")).to_contain_text("100%")
    expect(page.locator(".jp-RenderedHTMLCommon", has_text="Receipts of the form 'Export").first).to_contain_text(DONE)
    page.screenshot(path=screenshots / "keys-export.png")
    page.close()

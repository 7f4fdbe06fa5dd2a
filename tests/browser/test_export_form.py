from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from conftest import Lab

SETUP = """%load_ext ci_magics
from ci_magics.sample import customers as sample
customers = sample(4_000)
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms
%ci_segment "Big spenders" customers --where "TotalSpend > 100" --quiet
%ci_segment "Dutch" customers --where "Country = 'NL'" --quiet"""
FORM = "%ci_export"
DONE = re.compile("Completed: [0-9\u2009]+ accepted, 0 rejected")


def opened(lab: Lab, name: str) -> Page:
    page = lab.open(name, SETUP, FORM)
    lab.run_all(page)
    expect(page.locator(".ci-form")).to_be_visible(timeout=60_000)
    return page


def choose(form: Locator, label: str, beginning: str) -> None:
    field = form.get_by_label(label)
    field.select_option(field.locator("option", has_text=beginning).get_attribute("value"))


def test_from_choice_to_receipt(lab: Lab, screenshots: Path) -> None:
    page = opened(lab, "export")
    form = page.locator(".ci-form")
    expect(form.get_by_text("EMULATOR: nothing left this machine").first).to_be_visible()
    choose(form, "Segment", "Dutch")
    expect(form.get_by_role("button", name="Push")).to_be_disabled()
    form.get_by_role("button", name="Show the plan").click()
    expect(form.locator(".ci-plan table")).to_contain_text("create")
    expect(form.get_by_role("button", name="Push")).to_be_disabled()
    page.screenshot(path=screenshots / "export-form-plan.png")
    form.get_by_label("I have read the plan").check()
    form.get_by_role("button", name="Push").click()
    expect(form.get_by_role("status")).to_have_text(DONE, timeout=30_000)
    expect(form.locator(".ci-receipt table")).to_contain_text("Completed")
    bar = form.locator(".ci-progress .progress").bounding_box() or form.locator(".ci-progress").bounding_box()
    assert bar is not None
    assert bar["width"] > 100
    expect(form.locator(".ci-progress-text")).to_contain_text("100%")
    form.get_by_role("button", name="Copy as code").click()
    expect(form.locator(".ci-code-view")).to_contain_text('%ci_export "Dutch" --to "Contoso EU"')
    form.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "export-form-receipt.png")
    assert page.problems == []  # type: ignore[attr-defined]
    page.close()


def test_every_button_shows_its_whole_label(lab: Lab) -> None:
    page = opened(lab, "labels")
    for button in page.locator(".ci-form button").all():
        assert button.evaluate("each => each.scrollWidth <= each.clientWidth + 1"), button.inner_text()
    page.close()


def test_the_form_is_accessible(lab: Lab) -> None:
    page = opened(lab, "accessible")
    page.locator(".ci-form").get_by_role("button", name="Show the plan").click()
    expect(page.locator(".ci-plan table")).to_be_visible()
    violations = Axe().run(page, context=".ci-form").response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations] == []
    page.close()


def test_the_whole_job_by_keyboard(lab: Lab) -> None:
    page = opened(lab, "keyboard")
    form = page.locator(".ci-form")
    form.get_by_label("Segment").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.closest('[class*=ci-]')?.className ?? ''"))
    order = [
        next((name for name in ("connection", "normalization", "consent", "show-plan") if f"ci-{name}" in each), "")
        for each in reached
    ]
    assert order == ["connection", "normalization", "consent", "show-plan"]
    page.keyboard.press("Enter")
    expect(form.locator(".ci-plan table")).to_be_visible()
    form.get_by_label("I have read the plan").focus()
    page.keyboard.press("Space")
    expect(form.get_by_role("button", name="Push")).to_be_enabled()
    form.get_by_role("button", name="Push").focus()
    page.keyboard.press("Enter")
    expect(form.get_by_role("status")).to_have_text(DONE, timeout=30_000)
    page.close()


def test_an_error_is_shown_in_the_status_line(lab: Lab) -> None:
    page = lab.open(
        "error",
        SETUP,
        "form = %ci_export\nform",
        'form._workspace.segments.remove(form._workspace.segments["Big spenders"].id)',
    )
    lab.run_all(page)
    form = page.locator(".ci-form")
    expect(form).to_be_visible(timeout=60_000)
    form.get_by_role("button", name="Show the plan").click()
    expect(form.get_by_role("status")).to_contain_text("There is no segment 'Big spenders'")
    page.close()

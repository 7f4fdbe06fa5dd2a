"""A complete session in a notebook, and then a search in every byte that it stored: no address, and no token.

The only place for tokens is the cache of a sign-in, ``sign-in-*`` in the workspace's folder: encrypted if the platform
supports it, and readable only by its owner. The sign-in to the emulator is not stored, so there is no cache here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from scanning import Relay, Scanner, relay_to

if TYPE_CHECKING:
    from conftest import RunningEmulator

MARK = "zq7person"
PROFILES = 12_000

JOB = r"""
import logging, os, pandas as pd, requests
logging.basicConfig(filename=os.environ["LOG"], level=logging.DEBUG, force=True)
logging.captureWarnings(True)
from ci_magics.clock import SystemClock
SystemClock.sleep = lambda _clock, seconds: None  # waits take no time

def fail(operation, *faults, **details):
    asked = [{"operation": operation, "call": n, "fault": fault, **details} for n, fault in enumerate(faults, 1)]
    answer = requests.post(os.environ["CONTROL_URL"], json=asked, headers={"X-Control-Token": os.environ["CONTROL"]})
    answer.raise_for_status()

# -- the data, and what a person does with it
%load_ext ci_magics
import ci_magics as ci
people = pd.read_csv(os.environ["PEOPLE"], dtype={"Phone": str})
address = people.EMail[0]
%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms
%ci_segment All people --email EMail --key Id

# --
ci.segment("Their own key", people.dropna(subset=["EMail"]).drop_duplicates("EMail"), email="EMail", key="EMail")

# --
%%ci_segment "By SQL" --email EMail --key Id
SELECT * FROM people WHERE Spend > 3

# --
ci.segment("From a file", os.environ["PEOPLE"], email="EMail", key="Id", where="Spend > 2")

# --
ci.segment("By rule", people, rule="Spend > 3", email="EMail", key="Id")

# --
%ci_preview All "By SQL" "Their own key" --to "Contoso EU"

# --
%ci_preview All --normalization both

# -- a plan on the disk, carried out later, with refused rows
plan = %ci_export "By SQL" --to "Contoso EU" --dry-run
plan.save(os.path.join(os.environ["PLANS"], "plan.json"))
plan

# --
fail("UploadFile", "partial", indexes=[3, 7])
run = ci.Plan.load(os.path.join(os.environ["PLANS"], "plan.json")).apply()
run

# --
run.rejected_rows()

# --
fail("ApplyCustomerListUserData", "partial", indexes=[1])
small = ci.segment("Small", people.dropna().head(400), email="EMail", key="EMail")
run = ci.export(small, to="Contoso EU")
assert run.rejected == 1
run.rejected_rows()

# -- interrupted, and finished later
fail("ApplyCustomerListUserData", *["lost_request"] * 5)
ci.segment("Lost", people.head(500), email="EMail", key="Id")
try:
    ci.export("Lost", to="Contoso EU")
except ci.CiError as error:
    print(error)
(unfinished,) = [each for each in ci.open_workspace().store.runs if each.finished_at is None]
ci.runs.resume(unfinished.name)

# -- left unfinished: its spool stays
fail("ApplyCustomerListUserData", *["lost_request"] * 5)
ci.segment("Open", people.tail(600), email="EMail", key="Id")
try:
    ci.export("Open", to="Contoso EU")
except ci.CiError as error:
    print(error)
fail("ApplyCustomerListUserData")

# -- an unusable answer that quotes what was sent
fail("ApplyCustomerListUserData", "http_502_html")
ci.export(ci.segment("Echo", people.head(350), email="EMail", key="Id"), to="Contoso EU")

# -- saved, run, shown
ci.exports.save("Weekly", "Small", to="Contoso EU")
%ci_exports run Weekly
%ci_exports show Weekly

# --
%ci_exports

# --
%ci_status

# --
%ci_audiences "Contoso EU"

# -- the forms
%ci_connect

# --
%ci_export

# --
%ci_segment

# -- mistakes that have an address in them
%ci_preview {address}

# --
%ci_export All --to {address}

# --
ci.segment("Wrong", people, email="EMail", where=f"EMail = '{address}' AND Nothing = 1")

# --
%%ci_segment Wrong --email EMail --key Id
SELECT CAST(EMail AS INTEGER) AS Id, EMail FROM people

# --
ci.segment("Phones", people, email="Phone")
%ci_preview Phones

# --
ci.segment("Wrong", people, rule=f"Spend > '{address}'", email="EMail")

# --
ci.segment("By address", os.environ["PEOPLE"], where=f"EMail <> '{address}'", email="EMail", key="Id")

# --
ci.segment("By rule, too", os.environ["PEOPLE"], rule=f"EMail does not equal '{address}'", email="EMail", key="Id")

# --
ci.segment(address, people, email="EMail", key="Id")

# --
%tb

# -- what was done, and what is kept too long
list(ci.open_workspace().store.audit)[-3:]

# --
from ci_magics.activation.retention import purge
purge()
"""
MISTAKES = 7


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Return the location of the workspace."""
    return str(tmp_path / "workspace")


@pytest.fixture
def kept_elsewhere() -> Callable[[], dict[str, bytes]]:
    """Return what a workspace stores outside its folder."""
    return dict


@pytest.fixture
def relay(emulator: RunningEmulator) -> Iterator[Relay]:
    with relay_to(emulator.base_url) as running:
        yield running


def people() -> pd.DataFrame:
    numbers = range(PROFILES)
    emails = [f"{MARK}{number}@contoso.com" for number in numbers]
    emails[1], emails[2], emails[3] = (
        f" {MARK.upper()}1@Contoso.com",
        f"{MARK}2+tag@contoso.com",
        f"{MARK} 3@contoso.com",
    )
    emails[4], emails[5], emails[6] = f"{MARK}4contoso.com", f"{MARK}@5@contoso.com", f"{MARK}6@contoso"
    return pd.DataFrame(
        {
            "Id": [f"k{number}" for number in numbers],
            "EMail": [None if number == 7 else email for number, email in zip(numbers, emails, strict=True)],
            "Spend": [number % 10 for number in numbers],
            "Phone": [f"call {email}" for email in emails],
        }
    )


def notebook() -> nbformat.NotebookNode:
    cells = [cell.partition("\n")[2].strip() for cell in f"# --\n{JOB}".split("\n# --")]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def test_complete_session_leaves_no_address_and_no_token(
    emulator: RunningEmulator,
    relay: Relay,
    place: str,
    kept_elsewhere: Callable[[], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders = {name: tmp_path / name for name in ("workspace", "data", "plans", "logs", "notebooks", "jupyter")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    people().to_csv(folders["data"] / "people.csv", index=False)
    for name, value in {
        "CI_MAGICS_WORKSPACE": place,
        "CI_MAGICS_EMULATOR": relay.base_url,
        "CONTROL_URL": f"{emulator.base_url}/_emulator/faults",
        "CONTROL": emulator.control_token,
        "PEOPLE": str(folders["data"] / "people.csv"),
        "PLANS": str(folders["plans"]),
        "LOG": str(folders["logs"] / "log.txt"),
        "IPYTHONDIR": str(folders["jupyter"]),
        "JUPYTER_RUNTIME_DIR": str(folders["jupyter"]),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    executed = notebook()
    NotebookClient(executed, kernel_name="python3", allow_errors=True, store_widget_state=True).execute()
    nbformat.write(executed, folders["notebooks"] / "job.ipynb")

    errors = [output for cell in executed.cells for output in cell.outputs if output.output_type == "error"]
    assert len(errors) == MISTAKES, [f"{each.ename}: {each.evalue}" for each in errors]
    assert "widgets" in executed.metadata
    assert (folders["plans"] / "plan.json").stat().st_size > 500
    assert len(relay.tokens) > 5

    tokens = {f"token {number}": token for number, token in enumerate(sorted(relay.tokens))}
    scanner = Scanner({"address": MARK, **tokens})
    assert scanner.found_in_folder(folders["data"]) == {"people.csv": {"address"}}
    for name in ("workspace", "plans", "logs", "notebooks"):
        assert scanner.found_in_folder(folders[name]) == {}, name
    for name, content in kept_elsewhere().items():
        assert scanner.found(content) == set(), name
    assert scanner.looked_at > 5_000_000
    assert list(folders["workspace"].rglob("sign-in-*")) == []
    files = [path for path in folders["workspace"].rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} <= {0o600}
    assert os.environ["CI_MAGICS_EMULATOR"] == relay.base_url

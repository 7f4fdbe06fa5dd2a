"""Contoso's people, its connection, and short functions to export them, which many tests use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd

import ci_magics as ci
from ci_magics.activation.plan import Plan
from ci_magics.activation.run import Run

if TYPE_CHECKING:
    from conftest import RunningEmulator

NAME = "Contoso EU"


def hash_of(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


def email_of(number: int) -> str:
    return f"p{number}@contoso.com"


def people(count: int, start: int = 0) -> pd.DataFrame:
    numbers = range(start, start + count)
    return pd.DataFrame({"Id": [f"k{number}" for number in numbers], "EMail": [email_of(number) for number in numbers]})


def hashes(count: int, start: int = 0) -> set[str]:
    return {hash_of(email_of(number)) for number in range(start, start + count)}


def connect(**changes: Any) -> Any:
    options = {"customer_id": "222", "account_id": "111", "agree": True, "accept_terms": True} | changes
    return ci.connect(NAME, **options)


def segment(count: int, start: int = 0, name: str = "All") -> Any:
    return ci.segment(name, people(count, start), show=lambda _sentence: None)


def export(*segments: Any, **options: Any) -> Run:
    run = ci.export(*segments, to=NAME, **options)
    assert isinstance(run, Run)
    return run


def planned(*segments: Any, **options: Any) -> Plan:
    plan = ci.plan(*segments, to=NAME, **options)
    assert isinstance(plan, Plan)
    return plan


def resumed(run: str) -> Run:
    finished = ci.runs.resume(run)
    assert isinstance(finished, Run)
    return finished


def fail(emulator: RunningEmulator, operation: str, *faults: str, **details: Any) -> None:
    """Let the next calls of an operation fail, one after the other."""
    emulator.control(
        "POST",
        "/faults",
        [
            {"operation": operation, "call": number, "fault": fault, **details}
            for number, fault in enumerate(faults, start=1)
        ],
    )


def calls(emulator: RunningEmulator, operation: str) -> int:
    return emulator.operations().count(operation)


def foreign_list(emulator: RunningEmulator, name: str = "All", **fields: Any) -> str:
    """Create a list that somebody else filled with two people; return its ID."""
    item = {"Type": "CustomerList", "Name": name, "Scope": "Account", "ParentId": "111", **fields}
    answer = emulator.call("POST", "/CampaignManagement/v13/Audiences", {"Audiences": [item]}).json()
    audience_id = str(answer["AudienceIds"][0])
    data = {
        "AudienceId": audience_id,
        "ActionType": "Add",
        "CustomerListItemSubType": "Email",
        "CustomerListItems": sorted(hashes(2, start=900_000)),
        "AcceptCustomerMatchTerm": True,
    }
    emulator.call("POST", "/CampaignManagement/v13/CustomerListUserData/Apply", {"CustomerListUserData": data})
    return audience_id

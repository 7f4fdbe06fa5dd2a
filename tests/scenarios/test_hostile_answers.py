"""Names that anybody could write at Microsoft are shown and stored as one harmless line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from leak_recorder import OutputRecorder, shown
from scanning import relay_to
from traitlets.config import Config

import ci_magics as ci
from ci_magics.cli import main
from ci_magics.microsoft.answers import said
from ci_magics.notebook.forms.connect import ConnectForm
from ci_magics.notebook.forms.export import ExportForm
from ci_magics.notebook.forms.segment import SegmentForm

if TYPE_CHECKING:
    from conftest import RunningEmulator

HOSTILE = "\r\nINJECTED \x1b[31m\u202eREVERSED\u2028\x85 \ud800 anna@example.com '\"{1/0} $HOME <b onload=x>\x00"
#: Fields with words that people wrote. Customer Insights' "name" is no such word: the next request asks for it.
WORDS = {
    *("Name", "UserName", "Number", "Description", "Message", "Details"),
    *("friendlyName", "description", "displayName", "message", "details", "error_description"),
}
BROKEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]|\nINJECTED")


def spoiled(value: Any) -> Any:
    """Return a response with hostile text after every word that a person could have written."""
    if isinstance(value, dict):
        return {
            name: f"{each}{HOSTILE}" if isinstance(each, str) and name in WORDS else spoiled(each)
            for name, each in value.items()
        }
    return [spoiled(each) for each in value] if isinstance(value, list) else value


def change(answer: bytes) -> bytes:
    try:
        return json.dumps(spoiled(json.loads(answer))).encode()
    except ValueError:
        return answer


@pytest.fixture
def hostile(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CI_MAGICS_SUBSCRIPTION_KEY", emulator.subscription_key)
    with relay_to(emulator.base_url, change) as relay:
        monkeypatch.setenv("CI_MAGICS_EMULATOR", relay.base_url)
        yield


@pytest.fixture
def shell(hostile: None) -> Iterator[InteractiveShell]:
    assert hostile is None
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    ci.load_ipython_extension(shell)
    yield shell
    ci.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


def broken(text: str) -> list[str]:
    """Return what is wrong with a shown text."""
    found = [f"{text[max(0, each.start() - 40) : each.end() + 10]!r}" for each in BROKEN.finditer(text)]
    return found + [word for word in ("anna@example.com", "anna%40") if word in text]


def everything_of(form: Any) -> str:
    return str(form.sentence + form.summary + shown(form) + shown(form.receipts))


def looked_up(form: Any) -> str:
    return f"{form.look_up_accounts()}{everything_of(form)}"


def test_hostile_response_is_one_harmless_line_everywhere(
    shell: InteractiveShell, tmp_path: Path, emulator: RunningEmulator
) -> None:
    recorder = OutputRecorder()
    people = pd.DataFrame({"Id": ["1", "2"], "EMail": ["a@fabrikam.com", "b@fabrikam.com"]})
    shell.user_ns["people"] = people
    surfaces: dict[str, Callable[[], Any]] = {
        "connect": lambda: ci.connect("EU", customer_id="222", account_id="111", agree=True, accept_terms=True),
        "connect to nothing": lambda: ci.connect("No", customer_id="222", account_id="999", agree=True),
        "accounts": lambda: ci.connections.overview(),
        "segment": lambda: ci.segment("All", people, key="Id"),
        "plan": lambda: ci.plan("All", to="EU", ignore_consent=True),
        "export": lambda: ci.exports.save("Weekly", "All", to="EU", ignore_consent=True),
        "run": lambda: ci.exports.run("Weekly"),
        "audiences": lambda: ci.audiences("EU"),
        "audiences, one by one": lambda: [shown(each) for each in ci.audiences("EU")],
        "no audience": lambda: ci.audiences("EU").rename("nobody's", "Mine", confirm="nobody's"),
        "add": lambda: ci.export("All", to="EU", ignore_consent=True, mode="add", audience="nobody's"),
        "status": lambda: ci.status(),
        "exports": lambda: shown(ci.exports.overview()) + shown(ci.exports.show("Weekly")),
        "insights": lambda: ci.insights("Contoso"),
        "insights of another name": lambda: ci.insights("Fabrikam"),
        "segments": lambda: ci.insights("Contoso").segments(),
        "one segment": lambda: ci.insights("Contoso").segment("Lapsed"),
        "no segment": lambda: ci.insights("Contoso").segment("nobody's"),
        "members": lambda: ci.segment("Lapsed", ci.insights("Contoso").segment("Lapsed")),
        "a magic": lambda: shell.run_cell("%ci_audiences EU").result,
        "another magic": lambda: shell.run_cell("%ci_connections").result,
        "status by magic": lambda: shell.run_cell("%ci_status").result,
        "connect form": lambda: looked_up(ConnectForm()),
        "export form": lambda: everything_of(ExportForm()),
        "segment form": lambda: everything_of(SegmentForm()),
        "in a terminal": lambda: [
            main(line.split()) for line in ("status", "exports", "exports --json", "audit --csv")
        ],
        "what is kept": lambda: shown(ci.open_workspace().store) + shown(list(ci.open_workspace().store.audit)),
    }
    for name, work in surfaces.items():
        recorder.record(name, work)
    wrong = [
        f"{where}: {each}" for where, text in recorder.outputs if not where.endswith("logs") for each in broken(text)
    ]
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"anna@example.com" in path.read_bytes()]
    assert wrong == []
    assert kept == []
    told = "".join(text for where, text in recorder.outputs if where.endswith("says"))
    assert told.count("INJECTED") >= 10
    assert "<b onload" not in "".join(
        shown(each._repr_html_())
        for each in (ci.audiences("EU"), ci.connections.overview(), ci.insights("Contoso").segments())
    )
    assert emulator.audiences()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Größe", "Größe"),
        ("\u200fאב\u200e", "\u200fאב\u200e"),
        ("a\r\nb\tc", "a b c"),
        ("\x1b[31mred", "?[31mred"),
        ("a\u202eb\ud800", "a?b?"),
        ("anna@example.com", "***"),
        (None, ""),
        (7, "7"),
    ],
)
def test_text_of_a_response_is_one_line_and_names_nobody(value: Any, expected: str) -> None:
    assert said(value) == expected

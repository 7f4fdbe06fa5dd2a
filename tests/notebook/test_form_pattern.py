from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from ci_magics.errors import ArgumentError
from ci_magics.notebook.forms.code_text import Name, code_of, copyable, magic_line
from ci_magics.notebook.forms.picker import Picker
from ci_magics.notebook.forms.receipts import Receipts


def shown(picker: Picker) -> list[str]:
    return [box.description for box in picker.boxes if box.layout.display is None]


def test_magic_is_written_with_its_options() -> None:
    options = {"to": "Contoso EU", "dry_run": True, "consent": None, "exclude": ["a", "b c"], "mode": "add", "n": -1}
    line = magic_line("%ci_export", ["Big spenders", Name("lapsed")], options)
    assert (
        line
        == '%ci_export "Big spenders" lapsed --to "Contoso EU" --dry-run --exclude a --exclude "b c" --mode add --n -1'
    )


def test_call_is_written_with_its_arguments() -> None:
    options = {"to": 'a"b', "allow_empty": True, "exclude": [], "membership_days": -1, "mode": "mirror"}
    written = code_of("export", ["It's", Name("lapsed")], options)
    assert written.python == "ci.export(\"It's\", lapsed, to='a\"b', allow_empty=True, membership_days=-1)"
    assert written.magic == "%ci_export \"It's\" lapsed --to 'a\"b' --allow-empty --membership-days -1"


def test_code_to_copy_is_escaped() -> None:
    assert "&lt;script&gt;" in copyable("<i>", "<script>")
    assert "<script>" not in copyable("<script>", "<script>")


def test_picker_keeps_the_order_of_selection() -> None:
    picker = Picker("Fruit", "fruit", most=2)
    picker.options = [("Apple", 1), ("Pear", 2), ("Plum", 3)]
    assert shown(picker) == ["Apple", "Pear"]
    picker.find("pl")
    assert shown(picker) == ["Apple", "Plum"]
    picker.boxes[1].value = True
    picker.boxes[0].value = True
    assert picker.value == (3, 1)
    picker.find("")
    assert shown(picker) == ["Plum", "Apple", "Pear"]
    picker.boxes[0].value = False
    assert (picker.value, shown(picker)) == ((1,), ["Plum", "Apple", "Pear"])
    picker.options = [("Pear", 2)]
    assert (picker.value, shown(picker)) == ((), ["Pear"])
    with pytest.raises(ArgumentError, match="Fruit cannot be 'Kiwi'"):
        picker.choose(["Kiwi"])


def test_receipts_have_a_time_and_are_escaped() -> None:
    receipts = Receipts("A <form>", now=lambda: datetime(2026, 1, 31, 14, 30, tzinfo=UTC))
    for number in range(30):
        receipts.add(f"Did {number} <b>", "<i>more</i>")
    assert len(receipts) == 20
    assert "2026-01-31 14:30 UTC: Did 29 &lt;b&gt;" in receipts._repr_html_()
    assert "<i>more</i>" in receipts._repr_html_()
    assert "A &lt;form&gt;" in receipts._repr_html_()
    assert repr(receipts).splitlines()[1] == "2026-01-31 14:30 UTC: Did 29 <b>"


def test_receipts_can_be_written_from_a_thread() -> None:
    receipts = Receipts("A form")
    thread = threading.Thread(target=lambda: receipts.add("Done"))
    thread.start()
    thread.join()
    assert "Done" in repr(receipts)

"""NDJSON has one object on each line; other lines are refused by number and never quoted."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from ci_magics.errors import SegmentError
from ci_magics.segmentation.segment import build_segment, build_segment_from_sql
from ci_magics.segmentation.sources.json_lines import open_json_lines

GOOD = '{"Id": "1", "EMail": "a@contoso.com"}\n'
BAD = {
    "cut off": ('{"Id": "2", "EMail": "b@con', "Line 2 of people.ndjson is not JSON"),
    "a brace too many": ('{"Id": "2", "EMail": "b@contoso.com"}}\n', "Line 2 of people.ndjson is not JSON"),
    "two objects": ('{"EMail": "b@contoso.com"} {"EMail": "c@contoso.com"}\n', "Line 2 of people.ndjson is not JSON"),
    "a comma behind": ('{"EMail": "b@contoso.com"},\n', "Line 2 of people.ndjson is not JSON"),
    "single quotes": ("{'EMail': 'b@contoso.com'}\n", "Line 2 of people.ndjson is not JSON"),
    "a CSV line": ("2,b@contoso.com\n", "Line 2 of people.ndjson is not JSON"),
    "zeros before a number": ('{"Id": 007, "EMail": "b@contoso.com"}\n', "Line 2 of people.ndjson is not JSON"),
    "over several lines": ('{\n  "Id": "2"\n}\n', "Line 2 of people.ndjson is not JSON"),
    "very deep": ('{"EMail": ' + "[" * 90_000 + "]" * 90_000 + "}\n", "Line 2 of people.ndjson is not JSON"),
    "a list": ('["b@contoso.com"]\n', "Line 2 of people.ndjson is not a JSON object"),
    "a text": ('"b@contoso.com"\n', "Line 2 of people.ndjson is not a JSON object"),
    "a number": ("5\n", "Line 2 of people.ndjson is not a JSON object"),
    "null": ("null\n", "Line 2 of people.ndjson is not a JSON object"),
    "a name twice": ('{"EMail": "b@contoso.com", "EMail": "c@c.com"}\n', "has the name 'EMail' twice"),
    "twice, once escaped": ('{"EMail": "b@contoso.com", "\\u0045Mail": "c@c.com"}\n', "has the name 'EMail' twice"),
    "twice within": ('{"Id": "2", "EMail": "b@contoso.com", "x": {"a": 1, "a": 2}}\n', "has the name 'a' twice"),
    "an address twice": ('{"b@contoso.com": 1, "b@contoso.com": 2}\n', "has one name twice"),
    "an address for a name": ('{"b@contoso.com": 1}\n', "has an e-mail address where the column names belong"),
    "late, after many good ones": (GOOD.replace('"1"', "1") * 40_000 + '{"EMail": \n', "Line 40,002"),
}


def people(folder: Path, text: str) -> Path:
    path = folder / "people.ndjson"
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", BAD)
def test_invalid_line_is_named_and_not_quoted(tmp_path: Path, kind: str) -> None:
    bad, reason = BAD[kind]
    path = people(tmp_path, GOOD + bad)
    for attempt in (
        lambda: build_segment("S", path),
        lambda: build_segment_from_sql("S", f"SELECT * FROM '{path}'", frames={}),
    ):
        with pytest.raises(SegmentError) as refused:
            attempt()
        assert reason in refused.value.sentence
        assert refused.value.next_step
        assert "@" not in str(refused.value)


@pytest.mark.parametrize("text", ["[" + GOOD.strip() + "]\n", "[\n " + GOOD + "]\n"])
def test_json_list_is_refused_with_advice_to_write_lines(tmp_path: Path, text: str) -> None:
    with pytest.raises(SegmentError, match=r"people\.ndjson is one JSON list.*lines=True"):
        build_segment("S", people(tmp_path, text))


@pytest.mark.parametrize("text", ["\n \n", "{}\n{}\n"])
def test_file_without_values_is_empty(tmp_path: Path, text: str) -> None:
    with pytest.raises(SegmentError, match="it has no JSON object"):
        build_segment("S", people(tmp_path, text))


READ: dict[str, tuple[str, list[Any]]] = {
    "kinds that are mixed": (
        "".join(f'{{"Id": {each}, "EMail": "a@c.com"}}\n' for each in ("1", '"01"', "1.50", "true")),
        ["1", "01", "1.50", "true"],
    ),
    "long numbers": ('{"Id": 12345678901234567890123, "EMail": "a@c.com"}\n', ["12345678901234567890123"]),
    "exponents as written": ('{"Id": 1E4, "EMail": "a@c.com"}\n{"Id": 10000, "EMail": "a@c.com"}\n', ["1E4", "10000"]),
    "a mark, blank lines, other line ends": ("\ufeff\r\n" + GOOD.replace("\n", "\r\n\r\n"), ["1"]),
    "names that some lines lack": ('{"EMail": "a@c.com"}\n{"EMail": "b@c.com", "Id": "2"}\n', [1, 2]),
}


@pytest.mark.parametrize("kind", READ)
def test_values_are_read_as_written(tmp_path: Path, kind: str) -> None:
    text, keys = READ[kind]
    path = people(tmp_path, text)
    assert build_segment("S", path).rows.table()["key"].to_pylist() == keys
    (tmp_path / "people.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert build_segment("S", tmp_path / "people.jsonl.gz").rows.table()["key"].to_pylist() == keys


def test_lists_and_objects_keep_numbers_as_written(tmp_path: Path) -> None:
    path = people(tmp_path, '{"EMail": "a@c.com", "x": [1, 2.50, "3", {"a\\"": 1e400, "b": [true, null]}]}\n')
    (batch,) = open_json_lines(str(path)).batches(["x"])
    assert batch.column(0).to_pylist() == ['[1, 2.50, "3", {"a\\"": 1e400, "b": [true, null]}]']


def test_condition_on_mixed_types_names_the_line(tmp_path: Path) -> None:
    path = people(tmp_path, GOOD + '\n{"Id": "2", "EMail": "b@contoso.com", "Spend": [1]}\n')
    with pytest.raises(SegmentError, match=r"Row 2 of people\.ndjson \(line 3\): Spend is not a number"):
        build_segment("S", path, where="Spend > 0")

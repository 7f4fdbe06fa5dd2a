"""The saved notebooks contain no address, no secret, no path of a machine, and no time of saving."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
#: Two characters before the @ are more than a masked example shows.
ADDRESS = re.compile(r"[A-Za-z0-9._+-]{2,}@[A-Za-z0-9-]+\.[a-z]")
HASH = re.compile(r"\b[0-9a-f]{64}\b")
MACHINE = re.compile(r"/(?:tmp|home|Users|root)/|site-packages|ipykernel_\d")
TOKEN = re.compile(r"\beyJ[\w-]{16,}|Bearer \w|\b[A-Za-z0-9_-]{43}\b")
DAY = re.compile(r"20\d\d-\d\d-\d\d")
#: Any text with a date and an hour, or an hour to the second.
TIME = re.compile(
    r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?|\b\d\d:\d\d:\d\d\b"
    r"|\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* 20\d\d"
)
#: What notebooks/save.py writes instead of times, and the date after which the sample has none.
MOMENT, SAMPLE_ENDS = "2026-12-01 09:00", "2026-11-01"
PICTURE = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")


def cells(path: Path) -> Iterator[dict[str, Any]]:
    document = json.loads(path.read_text("utf-8"))
    yield from (cell for cell in document["cells"] if cell["cell_type"] == "code")


def outputs(path: Path) -> str:
    text = json.dumps([cell["outputs"] for cell in cells(path)], ensure_ascii=False)
    pictures = [base64.b64decode(data).decode() for data in PICTURE.findall(text)]
    return "\n".join([PICTURE.sub("", text), *pictures])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saved_notebook_contains_no_personal_data(path: Path) -> None:
    shown = outputs(path)
    assert len(shown) > 1_000
    for what in (ADDRESS, HASH, MACHINE, TOKEN):
        assert what.findall(shown) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_saved_executed_from_top_to_bottom(path: Path) -> None:
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    assert "execution" not in path.read_text("utf-8").replace("execution_count", "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saved_notebook_contains_no_time_of_saving(path: Path) -> None:
    shown = outputs(path)
    written = DAY.findall("".join("".join(cell["source"]) for cell in cells(path)))
    assert set(TIME.findall(shown)) <= {MOMENT}
    assert {day for day in DAY.findall(shown) if day >= SAMPLE_ENDS} <= {MOMENT[:10], *written}

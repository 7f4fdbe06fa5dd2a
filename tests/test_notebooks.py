"""What the saved notebooks show: nobody's address, no secret, no path of a machine."""

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
PICTURE = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")


def cells(path: Path) -> Iterator[dict[str, Any]]:
    document = json.loads(path.read_text("utf-8"))
    yield from (cell for cell in document["cells"] if cell["cell_type"] == "code")


def outputs(path: Path) -> str:
    text = json.dumps([cell["outputs"] for cell in cells(path)], ensure_ascii=False)
    pictures = [base64.b64decode(data).decode() for data in PICTURE.findall(text)]
    return "\n".join([PICTURE.sub("", text), *pictures])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_saved_notebook_gives_nobody_away(path: Path) -> None:
    shown = outputs(path)
    assert len(shown) > 1_000
    for what in (ADDRESS, HASH, MACHINE, TOKEN):
        assert what.findall(shown) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_executed_from_top_to_bottom(path: Path) -> None:
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    assert "execution" not in path.read_text("utf-8").replace("execution_count", "")

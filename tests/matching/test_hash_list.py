from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_magics.matching import hash_sets
from ci_magics.matching.hash_list import HashList, Scratch
from ci_magics.matching.hash_sets import combined, distinct, paired, shared
from ci_magics.matching.hashes import EMPTY, Hashes, split, unique, within, without

FEW = st.lists(st.integers(0, 40), max_size=60)


def hashes_for(numbers: list[int]) -> Hashes:
    """Return a different hash for each number, spread over all prefixes."""
    rows = [np.random.default_rng(number).integers(0, 256, 32, dtype=np.uint8) for number in numbers]
    return np.stack(rows) if rows else EMPTY


def as_set(hashes: HashList) -> set[bytes]:
    return {row.tobytes() for part in hashes.parts() for row in part}


@pytest.fixture(params=["short", "long"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Treat lists of a few hashes as short or as long."""
    if request.param == "long":
        monkeypatch.setattr(hash_sets, "SHORT", 3)
    return str(request.param)


@pytest.mark.usefixtures("length")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FEW, FEW)
def test_lists_behave_like_sets_at_any_length(tmp_path: Path, one: list[int], other: list[int]) -> None:
    scratch = Scratch(tmp_path)
    first, second = (
        distinct(iter([hashes_for(each), hashes_for(each[:2])]), 2 * len(each), scratch) for each in (one, other)
    )
    ones, others = as_set(first), as_set(second)
    assert (len(first), len(ones)) == (len(set(one)), len(set(one)))
    assert shared(first, second) == len(ones & others)
    assert as_set(combined(first, second, without, scratch)) == ones - others
    assert as_set(combined(first, second, within, scratch)) == ones & others
    assert as_set(HashList.of(first.all())) == ones
    assert [sum(len(part) for part in each) for each in zip(*paired(first, second), strict=True)] == [
        len(ones),
        len(others),
    ]


def test_long_list_is_stored_in_unlinked_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_sets, "SHORT", 3)
    hashes: Any = distinct([hashes_for(list(range(100)))], 100, Scratch(tmp_path))
    assert list(tmp_path.rglob("*")) == []
    assert hashes.bits == 6
    assert len(as_set(hashes)) == 100
    del hashes
    gc.collect()


@given(FEW, st.integers(0, 8))
def test_split_loses_no_hash_and_sorts_by_prefix(numbers: list[int], bits: int) -> None:
    hashes = hashes_for(numbers)
    parts = list(split(hashes, bits))
    assert len(parts) == 2**bits
    assert sorted(row.tobytes() for part in parts for row in part) == sorted(row.tobytes() for row in hashes)
    for prefix, part in enumerate(parts):
        assert bits == 0 or set((part[:, 0] >> (8 - bits)).tolist()) <= {prefix}


@given(FEW)
def test_unique_keeps_the_first_position_of_each_hash(numbers: list[int]) -> None:
    assert (unique(hashes_for(numbers)) == hashes_for(list(dict.fromkeys(numbers)))).all()


@given(FEW, st.integers(0, 32))
def test_hashes_with_the_same_prefix_are_distinguished(numbers: list[int], alike: int) -> None:
    hashes = hashes_for(numbers)
    hashes[:, :alike] = 0
    first = {row.tobytes(): None for row in hashes}
    assert [row.tobytes() for row in unique(hashes)] == list(first)

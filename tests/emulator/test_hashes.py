"""Members in sorted arrays behave like Python sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.emulation import hashes
from ci_magics.emulation.members import Members

# Few leading bytes, so that common prefixes are frequent.
VALUES = st.sets(st.builds(lambda head, tail: bytes([head]) * 8 + bytes([tail]) * 24, *[st.integers(0, 3)] * 2))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "add_many", "remove_many", "clear", "look"]), VALUES))


def array(values: set[bytes]) -> hashes.Hashes:
    return hashes.distinct(hashes.of_bytes(b"".join(values)))


def as_list(values: hashes.Hashes) -> list[bytes]:
    return [each.tobytes() for each in values]


@given(VALUES, VALUES)
def test_array_operations_agree_with_sets(one: set[bytes], other: set[bytes]) -> None:
    assert as_list(hashes.union(array(one), array(other))) == sorted(one | other)
    assert as_list(hashes.difference(array(one), array(other))) == sorted(one - other)
    assert hashes.count_common(array(one), array(other)) == len(one & other)
    twice = hashes.of_bytes(b"".join([*one, *other, *one]))
    assert as_list(hashes.distinct(twice)) == sorted(one | other)
    assert hashes.lines(array(one)) == b"".join(each.hex().encode() + b"\n" for each in sorted(one))


@given(STEPS)
def test_members_after_changes_agree_with_a_set(steps: list[tuple[str, set[bytes]]]) -> None:
    members, expected = Members(), set[bytes]()
    for step, values in steps:
        if step == "clear":
            members.clear()
            expected = set()
        elif step == "look":
            assert len(members) == len(expected)
        else:
            getattr(members, step)(array(values) if step.endswith("many") else values)
            expected = expected | values if step.startswith("add") else expected - values
    assert as_list(members.sorted()) == sorted(expected)


def test_count_below_is_the_given_share_in_any_order() -> None:
    values = np.random.default_rng(5).integers(0, 256, (10_000, 32), dtype=np.uint8)
    assert [hashes.count_below(values, share) for share in (0, 1)] == [0, 10_000]
    assert 5_800 < hashes.count_below(values, 0.6) < 6_200
    assert hashes.count_below(values[::-1], 0.6) == hashes.count_below(values, 0.6)

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ci_magics.matching.matched import match_batch
from ci_magics.matching.tally import Tally
from ci_magics.matching.tally_document import restore_domain_names, tally_from_document, tally_to_document
from ci_magics.segmentation.sources.records import batch_of_records, record_schema

SCHEMA = record_schema({"key": False, "email": False})
DOMAINS = ["contoso.com", "fabrikam.com", "jansen.example", "deboer.example"]
ADDRESSES = st.sampled_from([f"p{number}@{domain}" for number in range(3) for domain in DOMAINS] + ["bad", "a@b@c", ""])


def add(tally: Tally, addresses: list[str]) -> None:
    rows = [{"key": str(number), "email": address} for number, address in enumerate(addresses)]
    own = Tally()
    match_batch(batch_of_records(rows, ["key", "email"], SCHEMA), own)
    tally.merge(own)


@given(st.lists(st.lists(ADDRESSES, max_size=30), min_size=1, max_size=5))
def test_saved_and_restored_tally_ends_like_an_undisturbed_one(parts: list[list[str]]) -> None:
    undisturbed, kept = Tally(), Tally()
    for part in parts:
        add(undisturbed, part)
        add(kept, part)
        kept = tally_from_document(json.loads(json.dumps(tally_to_document(kept))))
    assert restore_domain_names(kept).domains() == undisturbed.domains()
    assert kept.examples() == undisturbed.examples()


def test_rare_domain_is_saved_as_a_hash_and_common_domain_by_name() -> None:
    tally = Tally()
    add(tally, [f"p{number}@contoso.com" for number in range(10)] + ["eva@jansen.example", "eva,@deboer.example"])
    text = json.dumps(tally_to_document(tally))
    assert "contoso.com" in text
    assert "jansen" not in text
    assert "deboer" not in text

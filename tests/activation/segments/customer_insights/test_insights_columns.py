from __future__ import annotations

import pyarrow as pa
import pytest

from ci_magics.activation.segments.customer_insights.columns import choose_columns
from ci_magics.errors import SegmentError
from ci_magics.microsoft.insights_values import Entity, entity_of


def entity(*attributes: tuple[str, str, str]) -> Entity:
    listed = [{"name": name, "dataType": kind, "semanticType": meaning} for name, kind, meaning in attributes]
    return entity_of({"qualifiedEntityName": "Customer", "entityType": "Profile", "attributes": listed})


KEY = ("CustomerId", "Edm.String", "")
NAME = ("FullName", "Edm.String", "PersonFullName")


@pytest.mark.parametrize("meaning", ["IdentityServiceEmail", "identityServiceEmail", "Identity.Service.Email"])
def test_address_is_the_attribute_with_its_semantic_type(meaning: str) -> None:
    columns = choose_columns(entity(KEY, NAME, ("Contact", "Edm.String", meaning), ("Email", "Edm.String", "")), None)
    assert columns.email == "Contact"
    assert columns.names == ["CustomerId", "Contact"]
    assert columns.dataverse_names == ["msdynci_customerid", "msdynci_contact"]


def test_address_is_otherwise_found_by_its_name() -> None:
    assert choose_columns(entity(KEY, NAME, ("primaryEmail", "Edm.String", "")), None).email == "primaryEmail"


def test_several_addresses_are_never_chosen_from_silently() -> None:
    two = [(name, "Edm.String", "IdentityServiceEmail") for name in ("EMail", "WorkMail")]
    with pytest.raises(SegmentError, match="Several attributes hold an e-mail address: EMail, WorkMail"):
        choose_columns(entity(KEY, *two), None)
    assert choose_columns(entity(KEY, *two), "WorkMail").email == "WorkMail"


def test_missing_address_lists_the_attributes() -> None:
    with pytest.raises(SegmentError, match="The columns are CustomerId, FullName"):
        choose_columns(entity(KEY, NAME), None)


def test_profile_without_its_key_is_refused() -> None:
    with pytest.raises(SegmentError, match="has no CustomerId"):
        choose_columns(entity(NAME), None)


def test_consent_columns_are_requested_as_written() -> None:
    columns = choose_columns(
        entity(KEY, ("EMail", "Edm.String", "IdentityServiceEmail"), ("donotBulkEmail", "Edm.Boolean", ""), NAME), None
    )
    assert columns.consents is not None
    assert columns.consents.needed == ("donotBulkEmail",)
    assert columns.schema.field("donotBulkEmail").type == pa.large_string()
    assert columns.all == ("CustomerId", "EMail", "donotBulkEmail", "FullName")

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
def test_the_address_is_what_customer_insights_knows_as_one(meaning: str) -> None:
    columns = choose_columns(entity(KEY, NAME, ("Contact", "Edm.String", meaning), ("Email", "Edm.String", "")), None)
    assert columns.email == "Contact"
    assert columns.names == ["CustomerId", "Contact"]
    assert columns.dataverse_names == ["msdynci_customerid", "msdynci_contact"]


def test_without_that_it_is_what_is_named_like_one() -> None:
    assert choose_columns(entity(KEY, NAME, ("primaryEmail", "Edm.String", "")), None).email == "primaryEmail"


def test_several_are_never_chosen_from_silently() -> None:
    two = [(name, "Edm.String", "IdentityServiceEmail") for name in ("EMail", "WorkMail")]
    with pytest.raises(SegmentError, match="Several attributes hold an e-mail address: EMail, WorkMail"):
        choose_columns(entity(KEY, *two), None)
    assert choose_columns(entity(KEY, *two), "WorkMail").email == "WorkMail"


def test_none_is_said_with_the_attributes_that_there_are() -> None:
    with pytest.raises(SegmentError, match="The columns are CustomerId, FullName"):
        choose_columns(entity(KEY, NAME), None)


def test_a_profile_without_its_key_is_refused() -> None:
    with pytest.raises(SegmentError, match="has no CustomerId"):
        choose_columns(entity(NAME), None)


def test_consents_are_asked_for_as_they_are_written() -> None:
    columns = choose_columns(
        entity(KEY, ("EMail", "Edm.String", "IdentityServiceEmail"), ("donotBulkEmail", "Edm.Boolean", ""), NAME), None
    )
    assert columns.consents is not None
    assert columns.consents.needed == ("donotBulkEmail",)
    assert columns.schema.field("donotBulkEmail").type == pa.large_string()
    assert columns.all == ("CustomerId", "EMail", "donotBulkEmail", "FullName")

"""What the values of consent columns mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.segmentation.consent.columns import consent_column
from ci_magics.segmentation.consent.values import AGREES, ASKED, REFUSES, SILENT, UNCLEAR, UNREADABLE, state_of

YES = """
Y| y |YES|Yes|true|TRUE|1|1.0|01|1,0|ja|JA|j|Oui|sí|Si|wahr|VRAI|✓|X|checked|opted-in|Opted In|opted_in|OPTED IN
subscribed|Subscribed|SUBSCRIBED|granted|accepted|Allow|active|confirmed|Consent given|has consented|Erteilt
Eingewilligt|ingeschreven|Abonné|suscrito|Freely given consent|Subscribed to newsletter|Yes, subscribed
2024-05-01|2024/05/01|2024-05-01T10:00:00Z|2024-05-01 10:00:00+00:00|01.05.2024|5/1/2024|05/01/24 10:22 AM|1 May 2024
May 1, 2024|Wed, 01 May 2024 10:00:00 GMT|1. Mai 2024|20240501|3 de enero de 2024|['email']|email,sms|["email", "web"]
"""
NO = """
N|no|NO|false|0|0.0|nein|non|nee|falsch|faux|opted-out|Opted Out|unsubscribed|non-subscribed|Non-Subscribed
not subscribed|not_subscribed|NEVER_SUBSCRIBED|cleaned|denied|withdrawn|Do Not Allow|revoked|bounced|suppressed
Désinscrit|désabonné|uitgeschreven|abgemeldet|Widerrufen|has not consented|nicht zugestimmt|nicht erlaubt|abgelehnt
geen toestemming|non inscrit|No consent|no acepta|dado de baja|marked as spam|did not opt in
"""
NOTHING = "| |-|--|null|None|n/a|N/A|nan|0000-00-00|0000-00-00 00:00:00|unknown|k.A.|?"
ASKED_FOR = "Wöchentlich|A|maybe|2|weekly digest|No, unsubscribed|2024-05-01 10:00 withdrawn"
RELATIVE = {"Y": "N", "1": "0", "true": "false", "ja": "nein", "oui": "non", "sí": "no", "1.0": "0.0", "wahr": "falsch"}


def split_values(values: str) -> list[str]:
    return [each for line in values.strip("\n").splitlines() for each in line.split("|")]


def read(value: str, header: str = "OptIn", agreed: tuple[str, ...] = ()) -> str:
    return state_of(value, consent_column(header), frozenset(agreed))


@pytest.mark.parametrize("value", split_values(YES))
def test_value_means_consent(value: str) -> None:
    assert read(value) == AGREES


@pytest.mark.parametrize("value", split_values(NO))
def test_value_means_refusal(value: str) -> None:
    assert read(value) == REFUSES


@pytest.mark.parametrize("value", ["pending", "Pending", "unconfirmed", "Not Activated", "en attente"])
def test_pending_consent_is_unclear(value: str) -> None:
    assert read(value) == UNCLEAR


@pytest.mark.parametrize("value", split_values(NOTHING))
def test_value_means_nothing(value: str) -> None:
    assert read(value) == SILENT


@pytest.mark.parametrize("value", split_values(ASKED_FOR))
def test_other_values_are_never_guessed(value: str) -> None:
    assert read(value) == f"{ASKED}{value}"
    assert read(value, "OptOut") == f"{ASKED}{value}"


@pytest.mark.parametrize("value", ["jan@contoso.com", "x" * 41, "line\x00break"])
def test_long_or_personal_values_are_not_stored(value: str) -> None:
    assert read(value) == UNREADABLE


@pytest.mark.parametrize(("yes", "no"), RELATIVE.items())
def test_yes_and_no_depend_on_the_header(yes: str, no: str) -> None:
    assert (read(yes, "Opted Out of Email"), read(no, "Opted Out of Email")) == (REFUSES, AGREES)
    assert (read(yes, "Accepts Marketing"), read(no, "Accepts Marketing")) == (AGREES, REFUSES)


@pytest.mark.parametrize("header", ["Do not allow Bulk Emails", "Allow Bulk Emails"])
def test_explicit_words_mean_the_same_under_every_header(header: str) -> None:
    assert (read("Allow", header), read("Do Not Allow", header)) == (AGREES, REFUSES)
    assert (read("subscribed", header), read("unsubscribed", header)) == (AGREES, REFUSES)


def test_explained_values_agree_and_all_others_refuse() -> None:
    assert read("Wöchentlich", agreed=("wochentlich",)) == AGREES
    assert read("monatlich", agreed=("wochentlich",)) == REFUSES
    assert (read("ja", agreed=("wochentlich",)), read("", agreed=("wochentlich",))) == (AGREES, SILENT)


@given(st.text(max_size=60), st.sampled_from(["OptIn", "OptOut", "unsubscribed_at", "subscriber_status"]))
def test_any_value_is_classified_ignoring_case_and_white_space(value: str, header: str) -> None:
    state = read(value, header)
    assert state[0] in (AGREES, REFUSES, UNCLEAR, SILENT, UNREADABLE, ASKED)
    if state in (AGREES, REFUSES) and value.isascii():
        assert read(f"  {value.swapcase()}\t", header) == state

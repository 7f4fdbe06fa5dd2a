"""Which column headers mean consent to marketing by e-mail, which mean refusal, and which mean neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_magics.segmentation.consent.columns import Sense, consent_columns, recognize

AGREE = """
Accepts Email Marketing|Accepts Marketing|accepts_marketing|Newsletter (ja/nein)|Newsletter|email_subscribe|$consent
Werbeeinwilligung|Marketing permission|Consent status|optin_status|is_subscribed|Subscriber status|subscriber_status
Email Marketing Consent|MarketingConsent|OptIn|opt_in|marketing_opt_in|emailOptIn|GDPR consent|Email Marketing
Email Marketing Status|OPTIN_TIME|CONFIRM_TIME|Opt-in date|consented_at|Allow Email|Allow Bulk Emails|Double opt-in
Newsletter abonniert|Einwilligung E-Mail-Werbung|DSGVO-Einwilligung|Newsletter-Anmeldung|Newsletterempfänger
E-Mail Werbung erlaubt|Einverständniserklärung|Erlaubnis E-Mail|Zustimmung Newsletter|Einwilligung Marketing
Accepte les emails|Abonné newsletter|Inscrit à la newsletter|Consentement e-mail|Opt-in e-mail
Accepte de recevoir la newsletter|Toestemming e-mail|Nieuwsbrief|Ingeschreven voor nieuwsbrief|Aangemeld nieuwsbrief
Mag gemaild worden|Akkoord marketing|Wil nieuwsbrief ontvangen|Acepta marketing|Acepta publicidad|Suscrito
Suscrito al boletín|Consentimiento de marketing|Autoriza envío de publicidad|Email subscription status
Subscribed to newsletter|Newsletter Subscription|Marketing emails|newsletter_subscribed|mailpoet_subscribed
_mailchimp_woocommerce_is_subscribed|customer_email_opt_in|marketingconsent|emailoptin|Contoso newsletter opt-in
Not opted out|Receives newsletter|Accepts promotional emails|Agreed to marketing|Permission to email|user_opted_in
Consent to be contacted by email|SMS and email consent|msdyn_emailconsent
"""
REFUSE = """
Opted Out of Email|Unsubscribed From Email|Has opted out|HasOptedOutOfEmail|hasoptedoutofemail|Email Opt Out
EmailOptOut|doNotBulkEmail|DoNotBulkEMail|donotbulkemail|donotemail|Do not allow Bulk Emails|Do Not Allow Emails
Do not allow E-mails|Do Not Email|Do Not Contact|donotcontact|donotsendmm|Unsubscribed from all email
Opted out of email: One to One|Unsubscribed|unsubscribed_at|UNSUB_TIME|email_unsubscribed_at|OptOut|opt_out|Opted Out
Marketing Suspended|Email Suspended|Black Listed|Blacklisted|Suppressed|CLEAN_TIME|Globally unsubscribed
Werbesperre|Keine Werbung|Keine E-Mails|Abgemeldet|Newsletter abgemeldet|Abmeldedatum|Widerspruch Werbung
Einwilligung widerrufen am|Robinsonliste|Nicht kontaktieren|Consent withdrawn|Consent revoked|Not subscribed
Désinscrit|Désabonné|Ne pas contacter|Ne souhaite pas recevoir de publicité|Refus e-mailing
Uitgeschreven|Afgemeld voor nieuwsbrief|Geen mailing|Niet mailen|Geen reclame|Bezwaar direct marketing
No enviar correos|No desea recibir publicidad|Baja newsletter|Dado de baja|No marketing|no_email|NoMail
Opt Out From Marketing|isoptedout|Stop marketing|Opt-out date|Do not send marketing materials
"""
OTHER_CHANNELS = """
SMS Opt In|Accepts SMS Marketing|Do Not Call|donotphone|donotfax|donotpostalmail|donotbulkpostalmail
Do not allow Phone Calls|Do not allow Faxes|Do not allow Mails by post|Phone consent|SMS Consent|push_subscribe
Direct mail opt-in|Einwilligung Telefon|Werbeeinwilligung Post|Consentement SMS|Toestemming telefoon
"""
NEITHER = """
Email|EMail|E-mail address|CustomerId|Consenting|Status|OPTIN_IP|CONFIRM_IP|UNSUB_REASON|UNSUB_CAMPAIGN_TITLE
Newsletter id|Consent source|Subscription plan|subscription_price|Email status|Emails sent|Last email date
Cookie consent|consented_by|optional|Options|adopting_date|Country|TotalSpend|Customer since|Signed up at|Created at
Marketing channel|Permission|Blocked|Mobile|Phone|Company|Notes|consent_updated_at|Terms accepted|Order no|Email no
Total|Accepted|marketing|Campaign|MailingCity|Mailing address|Postal code|MEMBER_RATING|Marketing contact status
Active|Last active at|Anmeldung|Date d'inscription|Withdrawal|Offers viewed|Contact owner|Newsletter opens
"""


def split_names(names: str) -> list[str]:
    return [each for line in names.strip().splitlines() for each in line.split("|")]


@pytest.mark.parametrize("name", split_names(AGREE))
def test_header_means_consent(name: str) -> None:
    (found,) = consent_columns([name])
    assert (found.sense, found.other_channel) == (Sense.CONSENT, False)


@pytest.mark.parametrize("name", split_names(REFUSE))
def test_header_means_refusal(name: str) -> None:
    (found,) = consent_columns([name])
    assert (found.sense, found.other_channel) == (Sense.REFUSAL, False)


@pytest.mark.parametrize("name", split_names(OTHER_CHANNELS))
def test_consent_to_another_channel_is_not_consent_to_email(name: str) -> None:
    assert consent_columns([name]) == []
    found = recognize(name)
    assert found is not None
    assert found.other_channel


@pytest.mark.parametrize("name", split_names(NEITHER))
def test_unrelated_header_is_not_recognized(name: str) -> None:
    assert recognize(name) is None


@given(
    st.sampled_from(split_names(AGREE) + split_names(REFUSE)),
    st.sampled_from([str.upper, str.lower, str.strip]),
    st.data(),
)
def test_header_is_recognized_whatever_its_case_and_punctuation(name: str, case: object, data: st.DataObject) -> None:
    plain = recognize(name)
    sign = data.draw(st.sampled_from([" ", "_", "-", ".", "  ", ": "]))
    written = case(sign.join(name.split()))  # type: ignore[operator]  # a function of texts
    other = recognize(f"  {written} ")
    assert plain is not None
    assert other is not None
    assert other.sense is plain.sense


@given(st.text(max_size=80))
def test_any_header_is_classified_without_an_error(name: str) -> None:
    recognize(name)


def test_timestamp_of_consent_is_ignored_next_to_its_state() -> None:
    names = ["Email Marketing Consent", "Email Marketing Consent Timestamp", "unsubscribed_at"]
    assert [each.name for each in consent_columns(names)] == ["Email Marketing Consent", "unsubscribed_at"]
    assert [each.name for each in consent_columns(["opt_in_date", "unsubscribed_at"])] == [
        "opt_in_date",
        "unsubscribed_at",
    ]

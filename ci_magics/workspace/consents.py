"""The exact text of the two consents; its version is stored with each consent."""

from __future__ import annotations

CONSENT_VERSION = "2026-11"
DATA_PRIVACY_TEXT = (
    "I allow ci-magics to send personal data, pseudonymised as SHA-256 hashes, from this notebook to Microsoft "
    "Advertising, outside the compliance boundary of my source system. I am responsible for the privacy and security "
    "obligations that follow."
)
TERMS_TEXT = "I accept the Customer Match terms of Microsoft Advertising for this account."

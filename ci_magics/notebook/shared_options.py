"""Options that several magics share."""

from __future__ import annotations

from ci_magics.grammar.command import Flag

QUIET = Flag("--quiet", "show nothing")
OUTPUT = Flag("-o", "keep the result in this variable", value="NAME", variable=True)
NORMALIZATION = Flag(
    "--normalization", "rule that is hashed (basic)", value="RULE", choices=("basic", "enhanced", "both")
)
ACCOUNT = (
    Flag("--url", "address bar of Microsoft Advertising, instead of the two ids", value="ADDRESS"),
    Flag("--customer-id", "number after cid= in the address bar", value="N"),
    Flag("--account-id", "number after aid= in the address bar", value="N"),
)
ENCODING = Flag("--encoding", "encoding of the files, e.g. cp1250", value="NAME", kind="encoding")
EXCLUDE = Flag(
    "--exclude",
    "segment whose people are not sent; may be repeated",
    value="SEGMENT",
    repeatable=True,
    kind="segment",
)
CONSENT_YES = Flag(
    "--consent-yes",
    "value of the consent column that means yes; may be repeated",
    value="VALUE",
    repeatable=True,
)
SEGMENT_CONSENT = (
    Flag(
        "--consent",
        "column that says who agreed or refused; may be repeated",
        value="COL",
        repeatable=True,
        kind="column",
    ),
    CONSENT_YES,
)
EXPORT_CONSENT = (
    Flag("--consent", "column that says who agreed; only they are sent", value="COL", kind="column"),
    CONSENT_YES,
    Flag("--ignore-consent", "send everybody, those who refused too; audited"),
)

"""Options that several operations share, each declared once."""

from __future__ import annotations

from ci_magics.grammar.option import Option

SEGMENT = Option("segment, by name or variable", kind="segment")
SEGMENT_NAME = Option("segment", kind="segment")
CONNECTION = Option("connection", kind="connection", label="Connection")
CONNECTION_NAME = Option("connection", kind="connection")
EXPORT_NAME = Option("saved export", kind="export")
NEW_NAME = Option("new name", kind="new name", value="NEW")
EMAIL = Option("column with the addresses", kind="column", label="E-mail column")
KEY = Option("column that identifies a profile", kind="column", label="Key column")
EMAIL_CHECK = Option("column with the addresses, to make sure", kind="column")
URL = Option(
    "address bar of Microsoft Advertising, instead of the two ids",
    value="ADDRESS",
    label="Address bar",
    hint="paste the address of Microsoft Advertising here, or",
)
CUSTOMER_ID = Option("number after cid= in the address bar", value="N", hint="the number after cid=")
ACCOUNT_ID = Option("number after aid= in the address bar", value="N", hint="the number after aid=")
ENVIRONMENT = Option(
    "where it goes",
    value="E",
    choices={
        "emulator": "emulator: nothing leaves this machine",
        "sandbox": "sandbox: Microsoft's test environment",
        "production": "production: your real account",
    },
    shown_default="emulator",
)
FLOW = Option(
    "how to sign in",
    label="Sign in by",
    choices={
        "device": "device: a code that you enter on any screen",
        "browser": "browser: a window on this machine",
        "env": "env: a refresh token in the environment",
    },
)
CLIENT_ID = Option("application in Microsoft Entra", value="ID", hint="of your application in Microsoft Entra")
TENANT = Option("tenant in Microsoft Entra", value="T", hint="in Microsoft Entra; empty for common")
NORMALIZATION = Option(
    "rule that is hashed",
    value="RULE",
    choices={
        "basic": "basic: trimmed, lower case",
        "enhanced": "enhanced: also without dots, tags and accents",
        "both": "both hashes of each profile",
    },
    default="basic",
)
ENCODING = Option(
    "encoding of the files, e.g. cp1250",
    kind="encoding",
    hint="found by reading the files; for example cp1252",
)
EXCLUDE = Option(
    "segment whose people are not sent", kind="segment", value="SEGMENT", label="People to leave out", default=()
)
CONSENT = Option("column that says who agreed; only they are sent", kind="column", label="Consent")
CONSENT_COLUMNS = Option("column that says who agreed or refused", kind="column", label="Consent")
CONSENT_YES = Option("value of the consent column that means yes", value="VALUE", label="Values that mean yes")
IGNORE_CONSENT = Option("send everybody, those who refused too; audited", default=False)
ALLOW_EMPTY = Option("go on although nobody would be left in the segment of this name")
ALLOW_SHRINK = Option("go on although less than half of its profiles would be left")
AT = Option("time of the day, such as 06:30; up to four", value="TIME")
WEEKLY = Option(
    "on this day only",
    value="DAY",
    choices=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)
TIME_ZONE = Option("such as Europe/Amsterdam", value="ZONE", shown_default="this machine's")
LAST = Option("how many runs")
CONFIRM = Option("the list's name once more, without which nothing is changed", value="NAME")
AUDIENCE = Option("name or number of the list", kind="audience", value="NAME_OR_ID")
CHANNEL = Option(
    "what to keep in the system's keyring", choices=("webhook", "smtp", "smtp-password", "mail-from", "mail-to")
)
RULE = Option("rule, e.g. \"Country is any of NL, BE and not 'Opted out'\"", kind="rule", value="TEXT")
MODE = Option(
    "how the audience changes",
    value="M",
    choices={
        "mirror": "mirror: the audience becomes the segment",
        "add": "add: only add these people",
        "remove": "remove: only take these people out",
        "replace": "replace: the whole list",
    },
    default="mirror",
)
EXISTING_AUDIENCE = Option(
    "name or number of an existing list, instead of the segment's",
    kind="audience",
    value="NAME_OR_ID",
    label="Audience",
    hint="empty: the one named as the segment",
)
SCOPE = Option(
    "who can use a new audience",
    value="S",
    label="New audience for",
    choices={"account": "this account only", "customer": "all accounts of the customer"},
    default="account",
)
MEMBERSHIP_DAYS = Option(
    "1 to 390, or -1 for no end",
    value="N",
    hint="empty: no end for a new audience; or 1 to 390",
    shown_default="-1 for a new audience",
)
SEND_NOBODY = Option(
    "go on with a segment that has nobody to send", label="Go on even if nobody is left to send", default=False
)
LOSE_MOST = Option(
    "go on although more than half of the members would leave",
    label="Go on even if more than half of the members leave",
    default=False,
)
SEND_MIXED = Option(
    "send a column that mixes addresses and hashes",
    label="Send a column that mixes addresses and hashes",
    default=False,
)

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
URL = Option(
    "address bar of Microsoft Advertising, instead of the two ids",
    value="ADDRESS",
    label="Address bar",
    hint="paste the address of Microsoft Advertising here, or",
    description="The URL from the address bar of Microsoft Advertising, instead of the two ids.",
)
CUSTOMER_ID = Option("number after cid= in the address bar", value="N", hint="the number after cid=")
ACCOUNT_ID = Option("number after aid= in the address bar", value="N", hint="the number after aid=")
ENVIRONMENT = Option(
    "where data goes",
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
    "normalization rule",
    value="RULE",
    choices={
        "basic": "basic: trimmed, lower case",
        "enhanced": "enhanced: also without dots, tags and accents",
        "both": "both hashes of each profile",
    },
    default="basic",
    description="``basic``, ``enhanced``, or ``both``. It cannot change within one audience.",
)
ENCODING = Option(
    "encoding of the files, e.g. cp1250",
    kind="encoding",
    hint="detected from the files; for example cp1252",
)
EXCLUDE = Option(
    "segment whose people are not sent",
    kind="segment",
    value="SEGMENT",
    label="People to leave out",
    default=(),
    description="Segments whose profiles are not sent, matched by key and by hash. Excluded profiles that are "
    "already in the audience are removed from it. The suppression segment of the workspace is always excluded.",
)
CONSENT = Option(
    "column that says who agreed; only they are sent",
    kind="column",
    label="Consent",
    description="Column of the segment that says who agreed. Only those who agreed are sent, and the choice is "
    "remembered for the segment's source.",
)
CONSENT_COLUMNS = Option("column that says who agreed or refused", kind="column", label="Consent")
CONSENT_YES = Option(
    "value of the consent column that means yes",
    value="VALUE",
    label="Values that mean yes",
    description="Values of that column that mean yes and that ci-magics does not recognize; all others then mean no.",
)
IGNORE_CONSENT = Option(
    "send everybody, including those who refused; audited",
    default=False,
    description="Send everyone, including those who refused. The audit log records who did it.",
)
ALLOW_EMPTY = Option("continue even if the segment would become empty")
ALLOW_SHRINK = Option("continue even if the segment would lose more than half of its profiles")
AT = Option("time of day, such as 06:30; up to four", value="TIME")
WEEKLY = Option(
    "on this day only",
    value="DAY",
    choices=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)
TIME_ZONE = Option("such as Europe/Amsterdam", value="ZONE", shown_default="this machine's")
LAST = Option("number of runs")
CONFIRM = Option("the list's name again, to confirm the change", value="NAME")
AUDIENCE = Option("name or number of the list", kind="audience", value="NAME_OR_ID")
CHANNEL = Option(
    "what to store in the system's keyring", choices=("webhook", "smtp", "smtp-password", "mail-from", "mail-to")
)
RULE = Option("rule, e.g. \"Country is any of NL, BE and not 'Opted out'\"", kind="rule", value="TEXT")

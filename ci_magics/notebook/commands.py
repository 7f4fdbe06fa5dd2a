"""What each magic takes: the source of its parser, its help and its completion."""

from __future__ import annotations

from ci_magics.notebook.arguments import OUTPUT, QUIET, Command, Option, Positional
from ci_magics.notebook.segment_verbs import VERBS
from ci_magics.workspace.consents import DATA_PRIVACY_TEXT, TERMS_TEXT

MODES = ("mirror", "add", "remove", "replace")
_NORMALIZATION = Option(
    "--normalization", "rule that is hashed (basic)", value="RULE", choices=("basic", "enhanced", "both")
)
_IDS = (
    Option("--url", "address bar of Microsoft Advertising, instead of the two ids", value="ADDRESS"),
    Option("--customer-id", "number after cid= in the address bar", value="N"),
    Option("--account-id", "number after aid= in the address bar", value="N"),
)

CONNECT = Command(
    "%ci_connect",
    "Make or open a connection to a Microsoft Advertising account; without a name, list them.",
    '%ci_connect "Contoso EU" --customer-id 222 --account-id 111 --agree --accept-terms',
    (Positional("NAME", "what to call the connection", kind="connection"),),
    (
        Option("--environment", "where it goes (emulator)", value="E", choices=("emulator", "sandbox", "production")),
        *_IDS,
        Option("--agree", "consent to data privacy and compliance (1)"),
        Option("--accept-terms", "accept the Customer Match terms (2)"),
        Option(
            "--share",
            "role that may use it too; may be repeated",
            value="ROLE",
            choices=("administrator", "contributor", "viewer"),
            repeatable=True,
        ),
        Option("--flow", "how to sign in", value="FLOW", choices=("device", "browser", "env")),
        Option("--client-id", "application in Microsoft Entra", value="ID"),
        Option("--tenant", "tenant in Microsoft Entra", value="T"),
        Option("--withdraw", "take both consents back: nothing is sent any more"),
        QUIET,
    ),
    notes=f"(1) {DATA_PRIVACY_TEXT}\n(2) {TERMS_TEXT}",
)

SEGMENT = Command(
    "%ci_segment",
    "Make a segment from a frame of the notebook, or change one that exists; without a name, list them.",
    '%ci_segment "Big spenders" customers --where "TotalSpend > 500"',
    (
        Positional("NAME", "what to call the segment", kind="segment"),
        Positional("FRAME", "variable that holds the frame", kind="frame"),
    ),
    (
        Option("--email", "column with the addresses", value="COL", kind="column"),
        Option("--key", "column that identifies a profile", value="COL", kind="column"),
        Option("--where", "condition in SQL over the columns", value="SQL"),
        Option("--rule", "rule, e.g. \"Country is any of NL, BE and not 'Opted out'\"", value="TEXT"),
        *VERBS,
        QUIET,
    ),
    notes="As a cell magic, %%ci_segment NAME, it takes one SELECT over the notebook's frames.",
)

SEGMENT_CELL = Command(
    "%%ci_segment",
    "Make a segment from one SELECT over frames, files, earlier segments or a database; $name is bound.",
    '%%ci_segment "Big spenders" --key CustomerId\nSELECT * FROM customers WHERE TotalSpend > $least',
    (Positional("NAME", "what to call the segment", kind="segment"),),
    (
        Option("--email", "column with the addresses", value="COL", kind="column"),
        Option("--key", "column that identifies a profile", value="COL", kind="column"),
        Option("--database", "address or engine of the database that runs the query", value="URL"),
        OUTPUT,
        QUIET,
    ),
)

PREVIEW = Command(
    "%ci_preview",
    "Show how many profiles can be matched, and why the others cannot.",
    '%ci_preview "Big spenders" --to "Contoso EU"',
    (Positional("SEGMENT", "segment, by name or variable", several=True, kind="segment"),),
    (
        Option("--to", "connection: count also what is new there", value="NAME", kind="connection"),
        _NORMALIZATION,
        QUIET,
    ),
)

EXPORT = Command(
    "%ci_export",
    "Send segments to Microsoft Advertising, each to the audience of its name; without arguments, show the form.",
    '%ci_export "Big spenders" --to "Contoso EU" --dry-run\n%ci_export "Big spenders" --to "Contoso EU"',
    (Positional("SEGMENT", "segment, by name or variable", several=True, kind="segment"),),
    (
        Option("--to", "connection", value="NAME", kind="connection"),
        Option("--email", "column with the addresses, to make sure", value="COL", kind="column"),
        *_IDS,
        Option("--mode", "what becomes of the audience (mirror)", value="M", choices=MODES),
        Option("--audience", "name or number of an existing list, instead of the segment's", value="NAME_OR_ID"),
        Option("--scope", "who can use a new audience (account)", value="S", choices=("account", "customer")),
        Option("--dry-run", "show the plan and send nothing"),
        _NORMALIZATION,
        Option("--membership-days", "1 to 390, or -1 for no end (-1 for a new audience)", value="N", whole_number=True),
        Option("--consent", "column that says who may be advertised to", value="COL", kind="column"),
        Option("--ignore-consent", "send although a consent column was not used"),
        Option(
            "--exclude",
            "segment whose people are not sent; may be repeated",
            value="SEGMENT",
            repeatable=True,
            kind="segment",
        ),
        Option("--allow-empty", "go on with a segment that has nobody to send"),
        Option("--allow-shrink", "go on although more than half of the members would leave"),
        Option("--allow-mixed", "send a column that mixes addresses and hashes"),
        Option("--resume", "finish a run that was interrupted; nothing else is given then", value="RUN", kind="run"),
        QUIET,
    ),
)

STATUS = Command(
    "%ci_status",
    "Show the audiences that were filled from here, with the sizes that Microsoft has counted.",
    '%ci_status "Big spenders"',
    (Positional("NAME", "audience or segment", several=True, kind="segment"),),
    (QUIET,),
)

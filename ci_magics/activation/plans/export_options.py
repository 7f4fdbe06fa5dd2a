"""The options of an export, besides its segments and connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict, get_args

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.connections.given_values import read_ids
from ci_magics.activation.segments.consent_decision import ConsentOptions
from ci_magics.errors import ArgumentError, nearest_name, refuse_address
from ci_magics.grammar.option import Option
from ci_magics.grammar.shared import CONSENT, CONSENT_YES, EXCLUDE, IGNORE_CONSENT, NORMALIZATION, URL
from ci_magics.matching.normalize import require_normalization
from ci_magics.microsoft.advertising import Scope
from ci_magics.naming import several
from ci_magics.segmentation.segment import Segment

Mode = Literal["mirror", "add", "remove", "replace"]
MODES: tuple[str, ...] = get_args(Mode)
_SCOPES: dict[str, Scope] = {"account": "Account", "customer": "Customer"}
LONGEST_MEMBERSHIP = 390  # days (page "CustomerList")


class ExportKeywords(TypedDict, total=False):
    """The options that everything takes that plans, sends, saves or changes an export.

    Functions, magics, commands, and their help derive from these declarations. `ExportOptions` stores the values.
    """

    email: Annotated[
        str | None,
        Option(
            "column with the addresses, as a check",
            kind="column",
            description="Expected address column, as a safety check: the column that the segments were made with.",
        ),
    ]
    customer_id: Annotated[
        str | None,
        Option(
            "number after cid= in the address bar",
            value="N",
            hint="the number after cid=",
            description="Id of the customer, instead of the connection's.",
        ),
    ]
    account_id: Annotated[
        str | None,
        Option(
            "number after aid= in the address bar",
            value="N",
            hint="the number after aid=",
            description="Id of the account, instead of the connection's.",
        ),
    ]
    url: Annotated[str | None, URL]
    mode: Annotated[
        str,
        Option(
            "how the audience changes",
            value="M",
            choices={
                "mirror": "mirror: the audience becomes the segment",
                "add": "add: only add these people",
                "remove": "remove: only remove these people",
                "replace": "replace: the whole list",
            },
            default="mirror",
            description="``mirror``: make the audience equal to the segment; only for audiences that were filled from "
            "this workspace. ``add`` and ``remove``: only add or only remove members. ``replace``: replace the whole "
            "list; after that you can mirror an existing audience.",
        ),
    ]
    audience: Annotated[
        str | None,
        Option(
            "name or number of an existing list, instead of the segment's",
            kind="audience",
            value="NAME_OR_ID",
            label="Audience",
            hint="empty: the list with the name of the segment",
            description="Name or id of an existing Customer Match list, for a single segment.",
        ),
    ]
    scope: Annotated[
        str,
        Option(
            "who can use a new audience",
            value="S",
            label="New audience for",
            choices={"account": "this account only", "customer": "all accounts of the customer"},
            default="account",
            description="``account``, or ``customer`` for an audience that all accounts of the customer share.",
        ),
    ]
    normalization: Annotated[str, NORMALIZATION]
    membership_days: Annotated[
        int | None,
        Option(
            "1 to 390, or -1 for no end",
            value="N",
            hint="empty: no end for a new audience; or 1 to 390",
            shown_default="-1 for a new audience",
            description="How long members stay without being sent again: 1 to 390 days, or -1 for no limit. By "
            "default, -1 for a new audience, and no change for an existing one.",
        ),
    ]
    consent: Annotated[str | None, CONSENT]
    consent_yes: Annotated[str | Sequence[str] | None, CONSENT_YES]
    ignore_consent: Annotated[bool, IGNORE_CONSENT]
    exclude: Annotated[Sequence[Segment | str], EXCLUDE]
    allow_empty: Annotated[
        bool,
        Option(
            "continue even if a segment has nobody to send",
            label="Continue even if nobody is left to send",
            default=False,
            description="Continue with a segment that has no profile to send.",
        ),
    ]
    allow_shrink: Annotated[
        bool,
        Option(
            "continue even if more than half of the members would be removed",
            label="Continue even if more than half of the members would be removed",
            default=False,
            description="Continue even if more than half of the members would be removed.",
        ),
    ]
    allow_mixed: Annotated[
        bool,
        Option(
            "send a column that mixes addresses and hashes",
            label="Send a column that mixes addresses and hashes",
            default=False,
            description="Send a column that mixes plain addresses and hashes.",
        ),
    ]


class ExportOptions(BaseModel):
    """The options of an export as they are stored with its plan; see `ExportKeywords`.

    Segments are stored by name, and the ids of an address are stored instead of it.
    """

    model_config = ConfigDict(frozen=True)

    mode: Mode = "mirror"
    normalization: str = "basic"
    audience: str | None = None
    membership_days: int | None = None
    scope: Scope = "Account"
    customer_id: str | None = None
    account_id: str | None = None
    consent: str | None = None
    consent_yes: tuple[str, ...] = ()
    ignore_consent: bool = False
    exclude: tuple[str, ...] = ()
    allow_empty: bool = False
    allow_shrink: bool = False
    allow_mixed: bool = False

    @property
    def consent_options(self) -> ConsentOptions:
        """What the export says about consents. A removal takes people out of an audience, so it needs no consent."""
        everybody = self.ignore_consent or self.mode == "remove"
        return ConsentOptions(self.consent, self.consent_yes, everybody)


def with_changes(options: ExportOptions, given: Mapping[str, Any]) -> ExportOptions:
    """Return options with other values, after validating these.

    Parameters
    ----------
    options
        The options to change.
    given
        Values of `ExportKeywords`; ``exclude`` has names of segments.

    Raises
    ------
    ArgumentError
        There is no such option, or a value is not valid; the error lists the valid ones.
    """
    values = {option_name(name): value for name, value in given.items()}
    values.pop("email", None)
    url = values.pop("url", None)
    if "consent_yes" in values:
        values["consent_yes"] = several(values["consent_yes"])
    values["exclude"] = tuple(values.get("exclude", options.exclude))
    wanted = {**dict(options), **values}
    require_normalization(wanted["normalization"])
    for each in (wanted["audience"], wanted["consent"], *wanted["consent_yes"], *wanted["exclude"]):
        refuse_address(each or "")
    _require_one_of("mode", wanted["mode"], MODES)
    if "scope" in values:
        _require_one_of("scope", values["scope"], list(_SCOPES))
        wanted["scope"] = _SCOPES[values["scope"]]
    _require_days(wanted["membership_days"])
    kept = (None, None) if url else (options.customer_id, options.account_id)
    ids = read_ids(url, values.get("customer_id", kept[0]), values.get("account_id", kept[1]))
    return ExportOptions.model_validate({**wanted, "customer_id": ids.customer, "account_id": ids.account})


def with_defaults(options: ExportOptions, names: Sequence[str]) -> ExportOptions:
    """Return options with the defaults of some of them.

    Parameters
    ----------
    options
        The options to change.
    names
        The options, as in `ExportKeywords` or as a command line writes them.

    Raises
    ------
    ArgumentError
        There is no such option.
    """
    known = [option_name(each) for each in names]
    return ExportOptions.model_validate({name: each for name, each in options if name not in known})


def option_name(name: str) -> str:
    """Return the name of an option as `ExportKeywords` has it.

    Parameters
    ----------
    name
        The option, as Python or a command line writes it.

    Raises
    ------
    ArgumentError
        There is no such option.
    """
    known = ExportKeywords.__annotations__
    plain = name.lstrip("-").replace("-", "_")
    if plain in known:
        return plain
    nearest = nearest_name(plain, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(
        f"An export has no choice '{name}'.{hint}", f"Use one of: {', '.join(sorted(known))}.", code="unknown_choice"
    )


def _require_days(days: int | None) -> None:
    if days is not None and days != -1 and not 1 <= days <= LONGEST_MEMBERSHIP:
        raise ArgumentError(
            f"A membership of {days} days is not possible.",
            f"Use 1 to {LONGEST_MEMBERSHIP} days, or -1 for no end.",
            code="membership_days",
        )


def _require_one_of(word: str, value: str, known: Sequence[str]) -> None:
    if value in known:
        return
    nearest = nearest_name(str(value), known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"There is no {word} '{value}'.{hint}", f"Use {', '.join(known)}.", code=f"unknown_{word}")

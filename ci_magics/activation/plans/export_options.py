"""The options of an export, besides its segments and connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from ci_magics.activation.connections.given_values import read_ids
from ci_magics.activation.segments.consent_decision import ConsentOptions
from ci_magics.errors import ArgumentError, nearest_name, refuse_address
from ci_magics.matching.normalize import require_normalization
from ci_magics.microsoft.advertising import Scope

Mode = Literal["mirror", "add", "remove", "replace"]
MODES: tuple[str, ...] = get_args(Mode)
_SCOPES: dict[str, Scope] = {"account": "Account", "customer": "Customer"}
LONGEST_MEMBERSHIP = 390  # days (page "CustomerList")


class ExportOptions(BaseModel):
    """The options of an export; saved with its plan.

    Parameters
    ----------
    mode
        ``mirror`` (the audience becomes the segment), ``add``, ``remove``, or ``replace`` (sends the whole list).
    normalization
        The rule that normalizes addresses before hashing: ``basic``, ``enhanced`` or ``both``.
    audience
        Name or id of an existing list; None for the list with the segment's name.
    membership_days
        Days until a member lapses, -1 for never; None keeps the audience's setting, and means -1 for a new one.
    scope
        Who can use a new audience: the account, or all accounts of the customer.
    customer_id, account_id
        Override the ids of the connection.
    consent, consent_yes, ignore_consent
        The column that decides who is sent, its values that mean yes, and whether to send everybody.
    exclude
        Segments whose people are not sent.
    allow_empty, allow_shrink, allow_mixed
        Guards to override.
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


def make_order(
    *,
    mode: str,
    normalization: str,
    audience: str | None,
    membership_days: int | None,
    scope: str,
    url: str | None,
    customer_id: str | None,
    account_id: str | None,
    consent: str | None,
    consent_yes: str | Sequence[str] | None = None,
    ignore_consent: bool,
    exclude: Sequence[str],
    allow_empty: bool,
    allow_shrink: bool,
    allow_mixed: bool,
) -> ExportOptions:
    """Validate the options of an export.

    Parameters
    ----------
    mode
        ``mirror``, ``add``, ``remove`` or ``replace``.
    normalization
        ``basic``, ``enhanced`` or ``both``.
    audience
        Name or id of an existing list; None for the list with the segment's name.
    membership_days
        Days until a member lapses, -1 for never; None keeps the audience's setting.
    scope
        Who can use a new audience: ``account`` or ``customer``.
    url
        An address of a Microsoft Advertising page, which has both ids; None if not given.
    customer_id, account_id
        Override the ids of the connection.
    consent
        The column that decides who is sent.
    consent_yes
        Values of that column that mean yes.
    ignore_consent
        Whether to send everybody.
    exclude
        Names of segments whose people are not sent.
    allow_empty, allow_shrink, allow_mixed
        Guards to override.

    Raises
    ------
    ArgumentError
        An option is not valid; the error lists the valid values.
    """
    require_normalization(normalization)
    values = (consent_yes,) if isinstance(consent_yes, str) else tuple(consent_yes or ())
    for each in (audience, consent, *values, *exclude):
        refuse_address(each or "")
    _require_known("mode", mode, MODES)
    _require_known("scope", scope, list(_SCOPES))
    days = membership_days
    if days is not None and days != -1 and not 1 <= days <= LONGEST_MEMBERSHIP:
        raise ArgumentError(
            f"A membership of {days} days is not possible.",
            f"Use 1 to {LONGEST_MEMBERSHIP} days, or -1 for no end.",
            code="membership_days",
        )
    ids = read_ids(url, customer_id, account_id)
    return ExportOptions(
        mode=mode,  # type: ignore[arg-type]  # pydantic checks it
        normalization=normalization,
        audience=audience,
        membership_days=days,
        scope=_SCOPES[scope],
        customer_id=ids.customer,
        account_id=ids.account,
        consent=consent,
        consent_yes=values,
        ignore_consent=ignore_consent,
        exclude=tuple(exclude),
        allow_empty=allow_empty,
        allow_shrink=allow_shrink,
        allow_mixed=allow_mixed,
    )


def _require_known(word: str, value: str, known: Sequence[str]) -> None:
    if value in known:
        return
    nearest = nearest_name(str(value), known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    raise ArgumentError(f"There is no {word} '{value}'.{hint}", f"Use {', '.join(known)}.", code=f"unknown_{word}")

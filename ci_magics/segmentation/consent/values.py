"""Interpret the values of a consent column: yes, no, unknown, or a value that the user must explain.

Values are interpreted in this order; case, accents, punctuation and white space are ignored:

1. An empty value or a word for it (`BLANK`) says nothing. In a column of refusal times (``unsubscribed_at``) an empty
   value says that nobody refused.
2. Yes and no (`YES`, `NO`: Y, ja, oui, sí, wahr, 1, 1.0, ✓ …) mean what the column's header means: yes in an opt-out
   column is a refusal.
3. A time (``2024-05-01``, ``1 May 2024``, ``01.05.24 10:00``) means that it happened: a consent or a refusal.
4. Words with a fixed meaning (`AGREED`, `REFUSED`, `WAITING`): ``subscribed``, ``Do Not Allow``, ``cleaned``,
   ``pending`` mean the same under every header. A negation inverts them (``not subscribed``, ``non inscrit``).
5. Lists of channels (``['email', 'sms']``) agree if they contain e-mail.
6. Everything else is not guessed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from ci_magics.segmentation.consent.columns import ConsentColumn, Sense, fold

#: A profile's state: agreed, refused, marked as unknown, empty, or a value that the user has not explained.
AGREES, REFUSES, UNCLEAR, SILENT, UNREADABLE = "y", "n", "?", "-", "!"
#: All states except those of unexplained values.
PLAIN = (AGREES, REFUSES, UNCLEAR, SILENT, UNREADABLE)
#: An unexplained value is stored with this prefix, so that it can be explained later.
ASKED = "="
#: How the user names the empty value.
NOTHING = "(blank)"
_LONGEST = 40


def _words(*lines: str) -> frozenset[str]:
    return frozenset(each.strip() for line in lines for each in line.split(","))


def _set(*lines: str) -> frozenset[str]:
    return frozenset(each for line in lines for each in line.split())


BLANK = _words(
    "none,null,nan,nat,na,n a,undefined,nil,unset,not set,not specified,not provided,not asked,not available",
    "empty,blank,no value,no data,missing,keine angabe,k a,unbekannt,non renseigne,inconnu,onbekend,nvt,n v t",
    "desconocido,no consta,sin datos,unknown,not known,undecided,nicht angegeben,nicht bekannt,niet bekend",
    "undetermined",
)
YES = _words(
    "y,yes,yep,true,t,1,on,x,checked,ok,ja,j,wahr,oui,o,vrai,si,s,verdadero,cierto,waar,juist,v,sim,tak,is true",
    "1 yes,yes true,1 true",
)
NO = _words(
    "n,no,nope,false,f,0,off,unchecked,nein,falsch,non,faux,falso,nee,onwaar,nie,is false,0 no,no false,0 false",
)
_SIGNS = {
    "✓": "yes", "✔": "yes", "☑": "yes", "✅": "yes", "☒": "yes", "✗": "no", "✘": "no", "❌": "no", "☐": "no",
}  # fmt: skip
AGREED = _words(
    "subscribed,subscribe,subscriber,opted in,opt in,optin,optedin,granted,given,accepted,accepts,accept,agreed",
    "agrees,agree,allow,allowed,allows,approved,confirmed,confirmed opt in,single opt in,double opt in,doi,active",
    "enabled,consented,consent,consent given,consent granted,permitted,permission,permission granted,send,wants",
    "resubscribed,explicit,implied,express,express consent,implied consent,explicit consent,opted in explicitly",
    "marketable,abonniert,angemeldet,eingewilligt,einwilligung,einwilligung erteilt,erteilt,zugestimmt,zustimmung",
    "erlaubt,erwunscht,bestatigt,aktiv,einverstanden,zulassen,abonne,abonnee,inscrit,inscrite,accepte,acceptee",
    "accord,consenti,consentement,consentement donne,donne,autorise,autorisee,actif,confirme,ingeschreven",
    "aangemeld,toegestaan,toestemming,toestemming gegeven,gegeven,akkoord,actief,bevestigd,geabonneerd,suscrito",
    "suscrita,aceptado,acepta,acepto,autorizado,autoriza,permitido,concedido,otorgado,activo,confirmado",
    "consentimiento,consiente,permitir",
)
REFUSED = _words(
    "unsubscribed,unsubscribe,unsub,opted out,opt out,optout,optedout,denied,deny,refused,declined,rejected",
    "withdrawn,withdrawal,revoked,objected,objection,cleaned,clean,bounced,bounce,hard bounced,hard bounce",
    "soft bounced,blocked,block,blocklisted,blacklisted,suppressed,complained,complaint,spam,spam complaint",
    "reported spam,marked as spam,junk,disabled,inactive,prohibited,forbidden,expired,lapsed,held,archived",
    "deleted,removed,cancelled,canceled,never,never subscribed,do not contact,do not email,do not mail",
    "do not send,disallow,disallowed,stop,suspended,unwanted,transactional,transactional only,abgemeldet",
    "abbestellt,abgelehnt,verweigert,widerrufen,widersprochen,widerspruch,widerruf,gesperrt,verboten,inaktiv",
    "ausgetragen,unerwunscht,nicht zulassen,desinscrit,desinscrite,desabonne,desabonnee,refuse,refusee,refus",
    "retire,retiree,oppose,opposition,bloque,inactif,revoque,uitgeschreven,afgemeld,geweigerd,ingetrokken,bezwaar",
    "geblokkeerd,inactief,afgewezen,opgezegd,desuscrito,desuscrita,baja,dado de baja,dada de baja,rechazado",
    "rechaza,denegado,denegada,revocado,retirado,bloqueado,cancelado,no permitir",
)
WAITING = _words(
    "pending,unconfirmed,not confirmed,awaiting confirmation,waiting,waiting for confirmation,requested,invited",
    "to confirm,not activated,not active,unverified,pending confirmation,opt in pending,double opt in pending",
    "in progress,ausstehend,unbestatigt,nicht bestatigt,en attente,non confirme,in afwachting,onbevestigd",
    "niet bevestigd,pendiente,no confirmado,sin confirmar",
)
_NEGATIONS = _set(
    "not non no never nicht kein keine ne pas niet geen nunca without ohne sans zonder sin",
)
_FILLERS = _set(
    "do does did has have had been is was i to from for of the all any a an by via on with marketing email",
    "emails e mail newsletter news member customer contact status user person they he she hat ist wurde wird",
    "werden der die das zu von und ete est le la les de du l n aux pour heeft wordt voor van het een aan ha",
    "sido esta el los las del para explicitly freely currently globally yes si me mails mailing newsletters",
    "nieuwsbrief boletin correos promotions",
)
#: 1 and 4 wait or agree, 3 refuses; see `words.MAGENTO_CODED`.
_MAGENTO = {"1": AGREES, "2": UNCLEAR, "3": REFUSES, "4": UNCLEAR}
_CHANNELS = _set(
    "email e mail emails sms web mobile push directmail direct post phone whatsapp customized online",
    "advertising newsletter telephone fax letter telefon brief courrier",
)
_MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|janv|fevr|févr|avr|juin|juil|aout|août|mrt|mei"
    "|ene|abr|ago|dic|maerz|märz|marz|januar|enero|déc)"
)
_YEAR = r"(?:18|19|20|21)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_ZONE = r"(?:z|utc|gmt|[+-]\d{2}:?\d{0,2})?(?:\s*\[?(?:[a-z]{2,3}t|[a-z]+/[a-z_]+)\]?)?"
_TIME = rf"(?:[T ,]+\d{{1,2}}[:.h]\d{{2}}(?:[:.]\d{{2}}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?\s*{_ZONE})?"
_MOMENT = re.compile(
    rf"""\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*,?\s+)?(?:
        {_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}{_TIME}
      | {_DAY}[-/. ]+{_DAY}[-/. ]+(?:{_YEAR}|\d\d){_TIME}
      | {_DAY}\.?(?:st|nd|rd|th)?[-\s.]+(?:de\s+)?{_MONTH}\w*\.?,?[-\s]+(?:de\s+)?(?:{_YEAR}|\d\d){_TIME}
      | {_MONTH}\w*\.?\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}{_TIME}
      | (?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{{4,6}}Z?)?
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_ZERO_MOMENT = re.compile(r"\s*0{2,4}[-/.]0{1,2}[-/.]0{1,4}(?:[T ]00:00(?::00)?(?:\.0+)?Z?)?\s*")
_EPOCH = re.compile(r"\s*\d{10}(?:\d{3})?(?:\.0*)?\s*")
_SUBSCRIPTION = re.compile(r"subscri|opt(?:ed)? ?(?:in|out)|consent|abonn|abgemeldet|inscrit|suscri|uitgeschreven")
_NUMBER = re.compile(r"\s*[+-]?(\d+)(?:[.,]0+)?\s*")


@functools.lru_cache(maxsize=65_536)
def state_of(value: str, column: ConsentColumn, agreed: frozenset[str]) -> str:
    """Return the state that one value of a column means.

    Parameters
    ----------
    value
        As the source writes it.
    column
        What its header means.
    agreed
        Values that mean agreement because the user said so, folded by `folded_value`. If there are any, every other
        value that the rule does not understand refuses.

    Returns
    -------
    str
        `AGREES`, `REFUSES`, `UNCLEAR`, `SILENT`, or `ASKED` followed by the value; `UNREADABLE` if the value is
        too long for a word or may be an address.
    """
    folded = folded_value(value)
    if folded in agreed:
        return AGREES
    state = _state_by_rule(value, folded, column)
    if state is not None:
        return state
    if agreed:
        return REFUSES
    word = " ".join(value.split())
    return UNREADABLE if "@" in word or len(word) > _LONGEST or not word.isprintable() else f"{ASKED}{word}"


def folded_value(value: str) -> str:
    """Return a value without case, accents, punctuation and surrounding white space; an empty one as `NOTHING`."""
    number = _NUMBER.fullmatch(value)
    if number:
        return number.group(1).lstrip("0") or "0"
    stripped = value.strip()
    folded = fold(stripped) or _SIGNS.get(stripped.rstrip("\ufe0f"), "")
    return stripped.casefold() or NOTHING if not folded else folded if folded != "blank" else NOTHING


def are_subscription_states(values: Iterable[str]) -> bool:
    """Return whether all values of a column are subscription states; ``active`` alone is not enough."""
    given = [each for each in values if _state_of_status(each) != SILENT]
    return may_be_subscription_states(given) and any(_SUBSCRIPTION.search(folded_value(each)) for each in given)


def may_be_subscription_states(values: Iterable[str]) -> bool:
    """Return whether each value is a subscription state or empty."""
    return all(
        state == SILENT or (state in PLAIN and folded_value(each) not in YES | NO)
        for each in values
        for state in [_state_of_status(each)]
    )


def _state_of_status(value: str) -> str:
    return state_of(value, ConsentColumn("Status"), frozenset())


def _state_by_rule(value: str, folded: str, column: ConsentColumn) -> str | None:
    wordless = not any(each.isalnum() or each in _SIGNS for each in value)
    if folded == NOTHING or folded in BLANK or wordless or _ZERO_MOMENT.fullmatch(value):
        return SILENT
    if column.coded and folded in _MAGENTO:
        return _MAGENTO[folded]
    positive = AGREES if column.sense is Sense.CONSENT else REFUSES
    negative = REFUSES if column.sense is Sense.CONSENT else AGREES
    if folded in YES:
        return positive
    if folded in NO:
        return negative
    if _MOMENT.fullmatch(value) or (column.dated and _EPOCH.fullmatch(value)):
        return positive
    return _state_of_words(folded) or _state_of_list(folded, column)


def _state_of_words(folded: str) -> str | None:
    """Return the state for words that mean the same under every header; None for other words."""
    for known, state in ((WAITING, UNCLEAR), (AGREED, AGREES), (REFUSED, REFUSES)):
        if folded in known:
            return state
    words = folded.split()
    negated = any(each in _NEGATIONS for each in words)
    rest = [each for each in words if each not in _NEGATIONS]
    core = " ".join(each for each in rest if each not in _FILLERS)
    if core in WAITING:
        return UNCLEAR
    if core in AGREED or _all_known(core, AGREED):
        return REFUSES if negated else AGREES
    if core in REFUSED or _all_known(core, REFUSED):
        # "No, unsubscribed" and "not unsubscribed" look alike.
        return None if negated else REFUSES
    return None


def _all_known(core: str, known: frozenset[str]) -> bool:
    return bool(core) and all(each in known for each in core.split())


def _state_of_list(folded: str, column: ConsentColumn) -> str | None:
    """Return the state that a list of channels means: it contains e-mail, or other channels only."""
    words = folded.split()
    if column.sense is Sense.REFUSAL or not words or not all(each in _CHANNELS for each in words):
        return None
    agrees = {"email", "emails", "newsletter", "advertising"} & set(words) or "e mail" in folded
    return AGREES if agrees else UNCLEAR

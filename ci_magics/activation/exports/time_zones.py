"""Parse time zones: IANA names, POSIX rules, Windows names, UTC offsets, and the time zone of this machine.

Unknown input raises an error. Nothing falls back to UTC unless it says UTC.
"""

from __future__ import annotations

import difflib
import functools
import io
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tzlocal import get_localzone_name
from tzlocal.windows_tz import win_tz

from ci_magics.advice import Opt, advise
from ci_magics.errors import ArgumentError

UTC = "UTC"
LOCAL_FILE = Path("/etc/localtime")
_DATABASE = "zoneinfo/"
#: Names in the IANA database that are not a place or a rule: "not set" and "this machine".
_NO_PLACES = frozenset({"Factory", "localtime"})
#: Names without daylight saving time. Users who write one usually mean the local time of a place.
FIXED = {"EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu"}
_OFFSET = re.compile(r"([+-])([01][0-9]):?([0-5][0-9])")
#: Common abbreviations for the local time of a place that are not in the IANA database.
_ABBREVIATIONS = {
    "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "PT": "America/Los_Angeles",
    "MDT": "America/Denver", "MT": "America/Denver",
    "CST": "America/Chicago", "CDT": "America/Chicago", "CT": "America/Chicago",
    "EDT": "America/New_York", "ET": "America/New_York",
    "BST": "Europe/London", "IST": "Asia/Kolkata", "CEST": "Europe/Berlin", "EEST": "Europe/Athens",
    "MEZ": "Europe/Berlin", "MESZ": "Europe/Berlin", "JST": "Asia/Tokyo", "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland", "SGT": "Asia/Singapore",
}  # fmt: skip
#: The sign is ambiguous: in common usage it means hours ahead of Greenwich, in POSIX hours behind.
_AMBIGUOUS = re.compile(r"(?:UTC|GMT)\s*([+-])\s*([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)
_SUMMER_TIME_WITHOUT_RULE = re.compile(r"(?:[A-Za-z]{3,}|<[^>]+>)[+-]?[0-9:]+(?:[A-Za-z]{3,}|<[^>]+>)[0-9:+-]*")


@functools.lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return the time zone for a stored name: an IANA name or a POSIX rule.

    Raises
    ------
    ArgumentError
        This machine does not know the time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        return _of_rule(name)
    except ValueError:
        raise _unknown(name) from None


def is_known(name: str) -> bool:
    """Return whether this machine knows a stored time zone."""
    try:
        zone_of(name)
    except ArgumentError:
        return False
    return True


def chosen_zone(text: str) -> str:
    """Return the name to store for a time zone that a user typed.

    Parameters
    ----------
    text
        An IANA name such as ``Europe/Berlin`` (case-insensitive), the path of a file of the IANA database, a Windows
        name such as ``W. Europe Standard Time``, an offset such as ``+02:00``, or a POSIX rule such as
        ``CET-1CEST,M3.5.0,M10.5.0/3``.

    Raises
    ------
    ArgumentError
        The text is none of these; the error suggests the nearest name.
    """
    name = text.strip()
    ambiguous = _AMBIGUOUS.fullmatch(name)
    if ambiguous and name not in _names():
        raise _ambiguous(name, ambiguous)
    return _understood(name)


def local_time_zone(environment: Mapping[str, str] | None = None) -> str:
    """Return the time zone of this machine, from ``TZ`` or else from the system configuration.

    Parameters
    ----------
    environment
        Environment variables; None means those of this process.

    Raises
    ------
    ArgumentError
        ``TZ`` is not a valid time zone, or the system's time zone file cannot be read.
    """
    value = (os.environ if environment is None else environment).get("TZ")
    if value is None:
        return _of_system()
    name = value.strip().removeprefix(":")
    if not name:
        return UTC  # as POSIX specifies
    if name == "localtime":
        return _of_system()
    offset = _AMBIGUOUS.fullmatch(name)
    if offset and name not in _names():  # the system reads TZ with the POSIX sign
        return _rule_of_offset("-" if offset[1] == "+" else "+", f"{int(offset[2]):02}", offset[3] or "00")
    try:
        return _understood(name)
    except ArgumentError as error:
        raise ArgumentError(
            f"The time zone of this machine is not understood (TZ={value}). {error.sentence}",
            advise("Choose one with ", Opt("time_zone"), ", such as Europe/Amsterdam, or set TZ to one."),
            code="time_zone",
        ) from None


def names_a_zone(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether this machine has a configured time zone. If not, its local time is UTC."""
    value = (os.environ if environment is None else environment).get("TZ")
    return value is not None or _name_of_system() is not None or LOCAL_FILE.exists()


@functools.cache
def _names() -> frozenset[str]:
    """Return the IANA names of places and rules. Cached, because reading them takes many milliseconds."""
    return frozenset(available_timezones() - _NO_PLACES)


def _understood(name: str) -> str:
    known = {each.casefold(): each for each in _names()}
    found = known.get(name.casefold()) or known.get(_of_path(name).casefold()) or _of_windows(name)
    if found:
        return found
    offset = _OFFSET.fullmatch(name)
    if offset:
        return _rule_of_offset(*offset.groups())
    if name in ("Z", "z"):
        return UTC
    if name.startswith("/"):
        return _rule_in(Path(name))
    if name == "localtime":
        return _of_system()
    try:
        _of_rule(name)
    except ValueError:
        raise _unknown(name) from None
    return name


def _of_path(name: str) -> str:
    """Return the IANA name for a path into the database; any other text is returned unchanged."""
    _before, _separator, inside = name.partition(_DATABASE)
    return inside.removeprefix("posix/") or name


def _of_windows(name: str) -> str | None:
    by_folded = {each.casefold(): zone for each, zone in win_tz.items()}
    found: str | None = by_folded.get(name.casefold())
    return found


def _of_system() -> str:
    """Return the time zone of the system configuration: a name, the rule in its file, or UTC if there is none."""
    name = _name_of_system()
    if name is not None:
        return name
    return _rule_in(LOCAL_FILE) if LOCAL_FILE.exists() else UTC


def _name_of_system() -> str | None:
    """Return the IANA name of the system's time zone, from a link or a configuration file."""
    kept = os.environ.pop("TZ", None)  # read the system configuration, not the environment
    try:
        name: str | None = get_localzone_name()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    finally:
        if kept is not None:
            os.environ["TZ"] = kept
    return name if name in _names() else None


def _rule_in(path: Path) -> str:
    """Return the POSIX rule at the end of a time zone file, which applies from now on (RFC 8536, section 3.3)."""
    try:
        content = path.read_bytes()
        rule = content.rstrip(b"\n").rpartition(b"\n")[2].decode("ascii") if content.startswith(b"TZif") else ""
        _of_rule(rule)
    except FileNotFoundError:
        raise _not_read(f"There is no file {path}.") from None
    except OSError as error:
        raise _not_read(f"The file {path} cannot be read ({type(error).__name__}).") from None
    except ValueError:
        raise _not_read(f"The file {path} holds no time zone.") from None
    return rule


def _not_read(sentence: str) -> ArgumentError:
    return ArgumentError(sentence, "Use a name such as Europe/Amsterdam.", code="time_zone")


def _rule_of_offset(sign: str, hours: str, minutes: str) -> str:
    """Return the POSIX rule for a UTC offset. POSIX inverts the sign."""
    if int(hours) == int(minutes) == 0:
        return UTC
    return f"<{sign}{hours}{minutes}>{'-' if sign == '+' else '+'}{hours}:{minutes}"


def _of_rule(rule: str) -> ZoneInfo:
    """Return the time zone for a POSIX rule.

    zoneinfo only reads rules at the end of a time zone file (RFC 8536), so this creates a file that holds nothing else.

    Raises
    ------
    ValueError
        The text is not such a rule.
    """
    if not rule or "\n" in rule or not rule.isascii():
        raise ValueError
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = header + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(block + block + b"\n" + rule.encode() + b"\n"), key=rule)


def _unknown(name: str) -> ArgumentError:
    if _SUMMER_TIME_WITHOUT_RULE.fullmatch(name):
        return ArgumentError(
            f"The time zone '{name}' has a summer time, but does not say when it begins and ends.",
            "Use a name such as Europe/Amsterdam, or a whole rule such as CET-1CEST,M3.5.0,M10.5.0/3.",
            code="time_zone",
        )
    nearest = _nearest(name)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return ArgumentError(
        f"There is no time zone '{name}'.{hint}", "Use a name such as Europe/Amsterdam.", code="time_zone"
    )


def _nearest(name: str) -> str | None:
    """Return the time zone that an abbreviation, a city, or a misspelled name probably means."""
    if name.upper() in _ABBREVIATIONS:
        return _ABBREVIATIONS[name.upper()]
    by_word: dict[str, str] = {}
    for each in sorted(_names(), reverse=True):
        by_word[each.rpartition("/")[2].casefold()] = by_word[each.casefold()] = each
    near = difflib.get_close_matches(name.replace(" ", "_").casefold(), by_word, n=1, cutoff=0.75)
    return by_word[near[0]] if near else None


def _ambiguous(name: str, found: re.Match[str]) -> ArgumentError:
    sign, hours, minutes = found[1], int(found[2]), found[3] or "00"
    return ArgumentError(
        f"'{name}' means opposite things to people and to programs.",
        f"Write {sign}{hours:02}:{minutes} for that many hours {'ahead of' if sign == '+' else 'behind'} UTC, "
        "or a name such as Europe/Amsterdam, which knows summer time.",
        code="time_zone",
    )

"""The meaning of the text in a column: numbers, dates, times of day, truth values or names.

A column is examined once, with all its values. The result belongs to the model, and from then on each value is read
separately: its neighbours and its format make no difference.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from mlcvkit.arrays import PlainData

if TYPE_CHECKING:
    import polars

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?", "n.a.", "N.A.")
"""Texts for a missing value."""
ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?")
"""What a spreadsheet shows where a formula has no number."""
MISSING_NUMBERS = ("-", "--", "–", "—", ".", "..", "*", ":", "na", "\\N", "NaT", *ERRORS)
"""Texts for a missing value in columns of numbers and dates only."""
MOSTLY = 0.9
"""The share of numbers from which on a column of text is one of numbers."""
MOST_LABELS = 20
"""The most different numbers of a column that are likely labels."""
MOST_PLACEHOLDERS = 5
"""The most different texts, such as <2.00 or DNF, that may stand again and again in place of half of the numbers."""

FIRST_LOOK = 500
"""The number of values that distinguish a column of names from numbers or dates at first sight."""

_UNIT = (
    r"(?:[A-Z]{0,3}\$|[¢£¤¥฿%\u20a0-\u20c0]|Rs\.?|kr\.?|zł|USD|EUR|GBP|CHF|CAD|AUD|JPY|INR|SEK|NOK|DKK|PLN|CNY|RUB|BRL"
    r"|MXN|KRW|HKD|SGD|NZD|THB|ZAR|TRY|CZK|HUF)"
)
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}
_BEFORE, _AFTER = re.compile(rf"^([+-]?)\s*{_UNIT}\s*"), re.compile(rf"\s*{_UNIT}$")
_DEBIT = re.compile(r"(\d.*?)\s*(CR|DR)\.?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d*[\d.,]*\d(?:[eE][+-]?\d+)?|[+-]?\d+[.,]")
_BLANKS = re.compile(r"(?<=\d)[ '’\u00a0\u202f](?=\d{3}(?!\d))")
_WITH_UNIT = re.compile(r"[+−-]?\d(?:[\d., ]*\d)?\s*([A-Za-zµ°Ω²³/'\"][^\d\s]{0,11})")
"""A number and what it is measured in, such as "70 kg"."""
_FACTOR = re.compile(r"(.*\d)\s*([kKMB])")
_DIGITS = {"K": 3, "M": 6, "B": 9}
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_MARKED = r"\d[.,]|[.,]\d"
_PLAIN, _PLAIN_GROUPED = r"^[+-]?\d*\.\d+(?:[eE][+-]?\d+)?$", r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_PLAIN_OR_WHOLE = r"^[+-]?(?:\d+|\d*\.\d+)(?:[eE][+-]?\d+)?$"
_LIKE_A_NUMBER = r"^[^\d,.;]{0,5}[\d.,'’ \x{a0}\x{202f}eE+-]+\D{0,4}$"
_SHORT_YEAR = r"^\d{1,2}([-/. ])(?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2}(?:\D|$)"
_SHORT_MONTH = r"^[A-Za-z]{3,9}\.?[-/ ]?'?\d{2}$"
"""A month with a year of two digits, which may also be one with a day."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*([AaPp][Mm])?")
_MIDNIGHT = re.compile(r"24:00(?::00(?:\.0+)?)?")
"""The end of a day, and the beginning of the next."""
_LENGTH = re.compile(
    r"(?:(\d+) days?,? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)"
    r"|P?(?:(\d+) ?d(?:ays?)?,? ?)?T?(?:(\d+) ?h(?:(?:ou)?rs?)?,? ?)?(?:(\d+) ?m(?:in(?:ute)?s?)?,? ?)?"
    r"(?:(\d+(?:\.\d+)?) ?s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
"""A length of time, such as 26:15:00, "1 h 20 min" or PT1H20M."""
_OF_MONTHS = re.compile(r"P[^T]*\d[HMS].*", re.IGNORECASE)
"""What begins as a length of time without the T before its hours, so that M is for months."""
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_HOURS = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_HOURS |= {"Z": 0, "UTC": 0, "GMT": 0, "BST": 1, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
"""The time zones that have a name, in hours from UTC."""
_ZONE = rf"(?:\s*({'|'.join(_HOURS)}|[+-]\d{{2}}(?::?\d{{2}})?)(?:\[[\w/+-]+\])?)?"
_TIME = r"(\d{1,2}(?:\.\d{2}|:\d{2}(?::\d{2}(?:\.\d+)?)?)?\s*(?:[AaPp][Mm])?)"
_WHEN = rf"(?:(?:[T ]+|, ?| at |:(?=\d{{2}}:)){_TIME}{_ZONE})?"
_DATE = re.compile(r"(\d{1,4})([-/. ])(\d{1,2}|[A-Za-z]{3,9})\2(\d{1,4})" + _WHEN)
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?[.,]* +", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|\.)(?=,? +[A-Za-z]|,? +\d{4})")
"""A day such as "3rd" or "3.", beside a month by its name."""
_FIRST_OF_1900S = 69
"""Years of two digits from this one on are those of the twentieth century."""
_YEAR_FIRST = re.compile(r"\d\d[-/. ]")
"""The beginning of a date whose year has two digits and comes first, or the day of another."""
_ADDRESS = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})")
"""An address of the internet, such as 192.168.0.1."""
_SEASON = re.compile(r"(\d{4})[-/–](\d{2})")
"""A season or a school year, such as 2019-20; or a month."""
_MONTH = re.compile(r"((?:1[6-9]|2[01])\d{2})(?:[-/](0[1-9]|1[0-2])|[- ]?Q([1-4]))")
"""A month or a quarter, such as 2020-01 or 2020 Q1."""
_MONTH_FIRST = re.compile(r"(0[1-9]|1[0-2])[./]((?:19|20)\d{2})")
"""A month such as 06.2020, with a point or a slash."""
_MONTHS_ALONE = r"^(?:0[1-9]|1[0-2])\.(?:19|20)\d{2}$"
_NAMED_DATE = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})" + _WHEN)
_NAMED_LAST = re.compile(
    rf"([A-Za-z]{{3,9}}) +(\d{{1,2}}) (\d{{1,2}}:\d{{2}}:\d{{2}})(?: ({'|'.join(_HOURS)}|[+-]\d{{4}}))? (\d{{4}})"
)
"""A date as C writes it, with the year at the end."""
_NAMED_MONTH = re.compile(r"([A-Za-z]{3,9})\.?(?:[-/ ]((?:19|20)\d{2})|[-/ ]?'?(?<=[-/'])(\d{2}))")
"""A month such as "November 2019", or Nov-19."""


def number_of(text: str, thousands: str | None = None) -> float | None:
    """The number that a text holds, with a currency or a percent sign, in groups of thousands, or with a decimal comma.

    A point or comma that occurs once is the decimal mark, unless it is ``thousands`` and three digits follow.

    Parameters
    ----------
    text
        The text, without blanks around it.
    thousands
        The mark between thousands, "." or ",", or ".," for either; None if a column has none.

    Returns
    -------
    float | None
        The number, or None if there is none.
    """
    bare = _bare(text)
    if not _NUMBER.fullmatch(bare):
        return None
    points, commas = bare.count("."), bare.count(",")
    marks = thousands or ""
    if points and commas:
        group = "." if bare.rindex(",") > bare.rindex(".") else ","
    elif points + commas > 1 or (any(mark in bare for mark in marks) and _GROUPED.fullmatch(bare)):
        group = "." if points else ","
    else:
        group = ""
    groups = rf"\d{{1,3}}(?:\{group}\d{{3}})+" + (r"|\d{1,2}(?:,\d{2})+,\d{3}" if group == "," else "")  # as in India
    decimal = "," if group == "." else "."
    if group and not re.fullmatch(rf"[+-]?(?:{groups})(?:\{decimal}\d*)?", bare):
        return None
    try:
        return float(bare.replace(group, "").replace(",", ".") if group else bare.replace(",", "."))
    except ValueError:
        return None


def _bare(text: str) -> str:
    """A number's text without currency and blanks, with the minus sign of banks and accountants in front."""
    bare = _without_currency(text.replace("−", "-"))
    if (found := _DEBIT.fullmatch(bare)) is not None:
        bare = f"{'-' if found[2].upper() == 'DR' else ''}{_without_currency(found[1])}"
    if len(bare) > 2 and bare[0] == "(" and bare[-1] == ")":
        bare = f"-{_without_currency(bare[1:-1].strip())}"
    if len(bare) > 1 and bare[-1] == "-" and bare[0].isdigit() and (bare[-2].isdigit() or bare[-2] == " "):
        bare = f"-{bare[:-1].rstrip()}"
    joined = _BLANKS.sub("", bare)
    return bare if joined != bare and joined.lstrip("-").startswith("0") else joined  # 030 100 200 is no number


def _without_currency(text: str) -> str:
    return _AFTER.sub("", _BEFORE.sub(r"\1", text))


def unit_of(texts: Collection[str]) -> str | None:
    """The unit that nearly all values of a column have behind their numbers, such as "kg".

    Parameters
    ----------
    texts
        The different values of the column.

    Returns
    -------
    str | None
        The unit, or None if there is none, or more than one.
    """
    found = Counter(
        match[1]
        for text in texts
        if (match := _WITH_UNIT.fullmatch(_BEFORE.sub(r"\1", text))) is not None and number_of(text) is None
    )
    [(unit, times)] = found.most_common(1) or [("", 0)]
    return unit if len(texts) > 2 and times >= MOSTLY * len(texts) else None


def measure_notes(fact: PlainData) -> list[str]:
    """What a person should know of what the numbers of a column are measured in.

    Parameters
    ----------
    fact
        What is known of the column.

    Returns
    -------
    list[str]
        A line for each thing.
    """
    named = ", ".join(unit or "none" for unit in fact.get("mixed", ()))
    notes = [f"{named} are mixed, and read as plain numbers"] if named else []
    notes += ["K, M and B are read as thousand, million and billion"] if fact.get("factors") else []
    return notes + ([f"numbers in {fact['unit']!r}"] if fact.get("unit") else [])


def _number_with_factor(text: str, thousands: str | None) -> float | None:
    """A number in thousands, millions or billions, such as 2.5M."""
    found = _FACTOR.fullmatch(_bare(text))
    number = None if found is None else number_of(found[1], thousands)
    return None if found is None or number is None else number * 10.0 ** _DIGITS[found[2].upper()]


def _have_factors(texts: Collection[str]) -> bool:
    """Whether most of the numbers of a column are in thousands, millions or billions, and not all in the same."""
    found = Counter(
        match[2].upper() if (match := _FACTOR.fullmatch(_bare(text))) and number_of(match[1]) is not None else ""
        for text in texts
        if number_of(text) is not None or _number_with_factor(text, None) is not None
    )
    letters = set(found) - {""}
    are_most = found.total() >= MOSTLY * len(texts) and 2 * found[""] <= found.total()
    return are_most and len(found) > 1 and (len(letters) > 1 or letters != {"B"})


def thousands_in(texts: Iterable[str], decimals: set[str]) -> str | None:
    """The mark between thousands in a column.

    Parameters
    ----------
    texts
        The different values of the column.
    decimals
        The decimal marks that occur in other columns of the table: they count where the column itself does not tell.

    Returns
    -------
    str | None
        "." or ",", or None if there is none.
    """
    of_column: set[str] = set()
    possible: set[str] = set()
    for text in texts:
        kind, mark = _mark(text)
        if kind == "thousands":
            return mark
        (of_column if kind == "decimal" else possible).add(mark)
    known = (of_column - {""}) or decimals
    for mark, other in ((",", "."), (".", ",")):
        if mark in possible and mark not in known and (mark == "," or other in known):
            return mark
    return None


def decimal_marks(texts: Iterable[str]) -> set[str]:
    """The marks that are certainly decimal marks.

    Parameters
    ----------
    texts
        Values.

    Returns
    -------
    set[str]
        Of "." and ",".
    """
    return {mark for kind, mark in map(_mark, texts) if kind == "decimal"}


def marks_of(column: "polars.Series") -> set[str]:
    """The marks that are certainly decimal marks in a column of text; none in one of names, such as versions.

    Parameters
    ----------
    column
        The column.

    Returns
    -------
    set[str]
        Of "." and ",".
    """
    text = known_text(column, (*MISSING, *MISSING_NUMBERS)).drop_nulls()
    if not text.str.contains(_MARKED).any():
        return set()
    if _are_months(text):
        return set()
    text = text.unique()
    unit = unit_of(text.sort().to_list()[:: max(1, len(text) // FIRST_LOOK)])
    text = text if unit is None else text.str.strip_suffix(unit).str.strip_chars()
    are_alike = text.str.contains(_LIKE_A_NUMBER) & text.str.contains(r"\d")
    if are_alike.sum() < MOSTLY * len(text):
        return set()
    different = text.filter(text.str.contains(_MARKED) & are_alike)
    plain = different.str.contains(_PLAIN)
    points = {"."} if (plain & ~different.str.contains(_PLAIN_GROUPED)).any() else set()
    return points | decimal_marks(different.filter(~plain).to_list())


def marks_in(table: "polars.DataFrame") -> set[str]:
    """The decimal marks of the numbers in a table's columns of text.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    set[str]
        Of "." and ",".
    """
    return set().union(*(marks_of(column) for column in table if type_of(column.dtype) == "text"))


def grouping(numbers: "polars.Series", decimals: set[str]) -> str | None:
    """The mark that stands between thousands if it should occur later, in a column that has no such value.

    It is the one that is no decimal mark of the table; either, where all numbers are whole and some are of a thousand
    or more. Where numbers have three decimal places or more it may be either, as in 1,125, and counts as a decimal
    mark.

    Parameters
    ----------
    numbers
        The numbers of the column.
    decimals
        The decimal marks that certainly occur in the table.

    Returns
    -------
    str | None
        ".", "," or ".,", or None.
    """
    known = numbers.cast(float).drop_nulls().drop_nans()
    if not (known == known.round(2)).all():
        return None
    if len(known) and (known == known.round(0)).all() and (known.abs() >= 1000).any():
        return ".,"
    return "." if decimals == {","} else ","


def ambiguous_number(texts: Iterable[str]) -> str | None:
    """A value of a column of numbers that may be in thousands or not, where no other of the column tells.

    Parameters
    ----------
    texts
        The different values of the column.

    Returns
    -------
    str | None
        The value, or None.
    """
    found = None
    for text in texts:
        kind, _ = _mark(text)
        if kind in ("thousands", "decimal"):
            return None
        found = text if kind == "possible" else found
    return found


def _mark(text: str) -> tuple[str, str]:
    """The meaning of a point or comma in a value: decimal mark, mark between thousands, or either."""
    bare = _bare(text)
    points, commas = bare.count("."), bare.count(",")
    if not points + commas or number_of(text) is None:
        return "", ""
    mark = "," if commas and (not points or bare.rindex(",") > bare.rindex(".")) else "."
    if points and commas:
        return "decimal", mark
    if points + commas > 1:
        return "thousands", mark
    return "possible" if _GROUPED.fullmatch(bare) else "decimal", mark


def seconds_of(text: str) -> float | None:
    """The seconds since midnight of a time of day.

    Parameters
    ----------
    text
        The text, such as "17:05", "17:05:30.5" or "5:05 PM".

    Returns
    -------
    float | None
        The seconds, or None if it is no time of day.
    """
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3] or 0)
    if found[4]:
        hours = hours % 12 + 12 * (found[4].lower() == "pm") if 1 <= hours <= 12 else 99
    return 3600.0 * hours + 60 * minutes + seconds if hours < 24 and minutes < 60 and seconds < 60 else None


def length_of(text: str) -> float | None:
    """The seconds of a length of time.

    Parameters
    ----------
    text
        The text, such as "26:15:00", "1 h 20 min", "2 days" or "PT1H20M".

    Returns
    -------
    float | None
        The seconds, or None if it is no length of time.
    """
    if text.startswith("-") and not text.startswith("--"):
        # pandas writes -1 days +23:00:00 for an hour less than nothing
        whole, _, rest = text[1:].partition(" +")
        lengths = length_of(whole), length_of(rest) if rest else 0.0
        return None if lengths[0] is None or lengths[1] is None else lengths[1] - lengths[0]
    found = _LENGTH.fullmatch(text) or _CLOCK.fullmatch(text)
    if not found or not any(found.groups()) or _OF_MONTHS.fullmatch(text):
        return None
    if found.re is _CLOCK:
        return seconds_of(text)
    parts = [float(part or 0) for part in found.groups()]
    return sum(part * seconds for part, seconds in zip(parts, 2 * (86400, 3600, 60, 1), strict=True))


def has_lengths_of_time(texts: Iterable[str]) -> bool:
    """Whether some of a column's values can only be lengths of time: of a day or more, or of hours and minutes.

    Parameters
    ----------
    texts
        The different values of the column.

    Returns
    -------
    bool
        Whether there is one.
    """
    lengths = (text.removeprefix("-").replace(" +", " ") for text in texts if seconds_of(text) is None)
    found = [match for text in lengths if (match := _LENGTH.fullmatch(text))]
    return any(match[2] or sum(part is not None for part in match.groups()) > 1 for match in found)


def date_of(text: str, first: str) -> datetime | None:
    """The date in a text, with its time of day if it has one; in UTC if it has a time zone.

    Parameters
    ----------
    text
        The text.
    first
        What comes first in an ambiguous date: "month", "day", or a "year" of two digits.

    Returns
    -------
    datetime | None
        The date, or None if there is none.
    """
    parts = _date_parts(text)
    if parts is None:
        return None
    a, b, c, clock, zone = parts
    year, month, day = (a, b, c) if a > 99 or first == "year" else (c, a, b) if first == "month" else (c, b, a)
    year = _full_year(year)
    clock = _clock(clock.strip()) if clock else ""
    seconds = 86400.0 if _MIDNIGHT.fullmatch(clock) else seconds_of(clock) if clock else 0.0
    if seconds is None:
        return None
    try:
        moment = datetime(year, month, day) + timedelta(seconds=seconds)
        if zone:
            is_named = zone in _HOURS
            hours = _HOURS[zone] if is_named else int(zone[:3])
            minutes = int(zone[0] + zone[-2:]) if not is_named and len(zone) > 3 else 0
            offset = timezone(timedelta(hours=hours, minutes=minutes))
            moment = moment.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None)
        return moment
    except (ValueError, OverflowError):
        return None


def _date_parts(text: str) -> tuple[int, int, int, str, str] | None:
    """The three numbers of a date in their order, the time of day, and the time zone."""
    if not text[:4].isdigit():
        weekday = _WEEKDAY.match(text)
        text = _ORDINAL.sub(r"\1", text if weekday is None else text[weekday.end() :])
    if named := _NAMED_DATE.fullmatch(text):
        month = _month(named[1])
        return None if month is None else (int(named[3]), month, int(named[2]), named[4] or "", named[5] or "")
    if named := _NAMED_LAST.fullmatch(text):
        month = _month(named[1])
        return None if month is None else (int(named[5]), month, int(named[2]), named[3], named[4] or "")
    if named := _NAMED_MONTH.fullmatch(text):
        month = _month(named[1])
        year = int(named[2] or named[3])
        return None if month is None else (_full_year(year), month, 1, "", "")
    if part := _MONTH.fullmatch(text):
        return int(part[1]), int(part[2] or 3 * int(part[3]) - 2), 1, "", ""
    if part := _MONTH_FIRST.fullmatch(text):
        return int(part[2]), int(part[1]), 1, "", ""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    a, b, c = found[1], found[3], found[4]
    clock, zone = found[5] or "", found[6] or ""
    if len(a) < 3 and len(c) % 2:
        return None  # no year: 1.22.3 is a version
    is_plain = b.isdigit() and 4 not in (len(a), len(c)) and not zone
    if clock and is_plain and not any(mark in clock for mark in ":aApP"):
        return None  # four numbers, and no time of day
    if any(len(part) == 4 and part.startswith("00") for part in (a, c)):
        return None  # such as the empty date 0001-01-01
    if b.isalpha():
        month = _month(b)
        return None if month is None else (_full_year(int(c)), month, int(a), clock, zone)
    return int(a), int(b), int(c), clock, zone


def _full_year(year: int) -> int:
    """A year of two digits with its century."""
    return year + (0 if year > 99 else 2000 if year < _FIRST_OF_1900S else 1900)


def _clock(text: str) -> str:
    """A time of day beside a date, which may have a point in place of the colon, or the hour alone."""
    if ":" in text:
        return text
    hours = re.match(r"\d+", text)
    return text.replace(".", ":") if "." in text or hours is None else f"{hours[0]}:00{text[hours.end() :]}"


def _month(word: str) -> int | None:
    """The month that a word names, in full or by its first three letters or more."""
    return next((i for i, name in enumerate(_MONTHS, 1) if name.startswith(word.lower())), None)


def order_of_dates(texts: Iterable[str]) -> tuple[str | None, bool]:
    """What comes first in the dates of a column: the month, the day, or a year of two digits.

    It is what makes the most of them dates; the others, such as 0000-00-00, count as missing.

    Parameters
    ----------
    texts
        The different values of the column that have the form of dates.

    Returns
    -------
    tuple[str | None, bool]
        "month", "day" or "year", None if too few are dates; and whether that could be seen.
    """
    texts = list(texts)
    of_years = {text for text in texts if _YEAR_FIRST.match(text) and int(text[:2]) > 31 and date_of(text, "year")}
    have_been = any(int(text[:2]) >= _FIRST_OF_1900S for text in of_years)  # 98 is a year, and 32 rather a mistake
    if of_years and (have_been or len(of_years) >= (1 - MOSTLY) / 2 * len(texts)):
        return "year", True
    possible = [text for text in texts if text not in of_years]  # so few are mistakes
    parts = [found for text in possible if (found := _date_parts(text)) is not None and not 31 < found[0] < 100]
    valid = {first: sum(date_of(text, first) is not None for text in possible) for first in ("day", "month", "year")}
    most = max(valid.values())
    best = [first for first, count in valid.items() if count == most]
    if most < MOSTLY * len(texts):
        return None, False
    usual = "month" if any("/" in text for text in texts) else "day"
    if all(a > 99 for a, *_ in parts):
        return usual, True
    firsts, lasts = {a for a, *_ in parts}, {c for _, _, c, *_ in parts}
    has_points = any("." in text for text in texts)
    if best == ["year"] or ("year" in best and not has_points and max(lasts) < 100 and len(firsts) < len(lasts)):
        return "year", best == ["year"]  # a column has fewer years than days, as a rule
    best = [first for first in best if first != "year"]
    return (best[0], True) if len(best) == 1 else (usual, False)


def known_text(column: "polars.Series", missing: tuple[str, ...] = MISSING) -> "polars.Series":
    """The values of any column as text, without blanks around it; null where one is missing.

    A number is the same text from every format: 1, 1.0 and "1" are "1". So is a letter with an accent, written as one
    character or as two, and a blank, whether a line may break there or not.

    Parameters
    ----------
    column
        The column.
    missing
        What stands for a missing value.

    Returns
    -------
    polars.Series
        The text.
    """
    import polars as pl

    if column.dtype.is_float():
        whole = (column.is_finite() & (column == column.round(0)) & (column.abs() < 2**53)).fill_null(False)
        text = column.cast(pl.String).zip_with(~whole, column.cast(pl.Int64, strict=False).cast(pl.String))
        return text.set(column.is_nan().fill_null(False), None)
    if isinstance(column.dtype, pl.Duration):
        column = column.cast(pl.Int64)
    text = column.cast(pl.String)
    if type_of(column.dtype) != "text":
        return text
    if not text.str.contains(r"^[ -~]*$").all():
        text = text.str.replace_all("[\u00a0\u202f]", " ").str.normalize("NFC")
    text = text.str.strip_chars()
    if text.str.starts_with('="').any():  # what spreadsheets write to keep a text as it is
        text = text.str.replace(r'^="(.*)"$', "$1")
    return text.set(text.is_in(list(missing)), None)


def parsed(text: "polars.Series", parse: Callable[[str], object], dtype: "polars.DataType") -> "polars.Series":
    """Parse each different text once; null if it cannot be parsed.

    Parameters
    ----------
    text
        The text.
    parse
        Gives the value of a text, or None.
    dtype
        The type of the values.

    Returns
    -------
    polars.Series
        The values.
    """
    import polars as pl

    different = text.drop_nulls().unique()
    values = pl.Series([parse(one) for one in different.to_list()], dtype=dtype)
    if different.is_empty():
        return pl.Series(text.name, [None] * len(text), dtype=dtype)
    return text.replace_strict(different, values, default=None, return_dtype=dtype)


def as_names(text: "polars.Series", fact: PlainData) -> "polars.Series":
    """The names of a column, each in one way: true for True, and 7.5 for 7.50 where all names were numbers.

    Parameters
    ----------
    text
        The column's values as text.
    fact
        What is known of the column: whether it holds ``truth`` values, and whether its names are ``numbers``.

    Returns
    -------
    polars.Series
        The names.
    """
    import polars as pl

    if fact.get("truth"):
        lower = text.str.to_lowercase()
        text = lower.zip_with(lower.is_in(["true", "false"]).fill_null(False), text)
    if fact.get("numbers"):
        text = known_text(text.cast(pl.Float64, strict=False)).fill_null(text)
    return text


def order_in_time(column: "polars.Series") -> int | None:
    """Whether the dates of a column go forward from row to row, 1, or back, -1; 0 where neither, None without dates.

    Parameters
    ----------
    column
        The column.

    Returns
    -------
    int | None
        1, -1, 0 or None.
    """
    kind = type_of(column.dtype)
    fact = kind_of_text(column, set()) if kind == "text" else {"kind": kind}
    if fact["kind"] not in ("date", "time"):
        return None
    moments = dates_in(column, fact).drop_nulls()
    if moments.n_unique() < 3:
        return None
    return 1 if moments.is_sorted() else -int(moments.is_sorted(descending=True))


def text_of_numbers(column: "polars.Series", fact: PlainData) -> "polars.Series":
    """The text of a column of numbers or dates without its unit; null where a value is missing, such as "null kg".

    Parameters
    ----------
    column
        The column.
    fact
        What is known of the column.

    Returns
    -------
    polars.Series
        The text.
    """
    text = known_text(column, (*MISSING, *MISSING_NUMBERS))
    if "unit" not in fact:
        return text
    text = text.str.strip_suffix(fact["unit"]).str.strip_chars()
    return text.set(text.is_in([*MISSING, *MISSING_NUMBERS]), None)


def numbers_in(column: "polars.Series", fact: PlainData) -> "polars.Series":
    """The numbers of a column, null where there is none.

    Parameters
    ----------
    column
        The column: numbers, truth values, times of day, lengths of time, or text that holds such.
    fact
        What is known of the column: its ``thousands``, the ``grouping`` if thousands should occur, its ``unit``,
        whether K, M and B are ``factors``, and whether its numbers are times of day, ``clock``, or with that lengths
        of time, ``length``.

    Returns
    -------
    polars.Series
        The numbers, float64.
    """
    import polars as pl

    dtype = column.dtype
    if isinstance(dtype, pl.Duration | pl.Time):
        unit = {"ms": 1e3, "us": 1e6}.get(getattr(dtype, "time_unit", "ns"), 1e9)
        return column.cast(pl.Int64).cast(pl.Float64) / unit
    if type_of(dtype) != "text":
        return column.cast(pl.Float64, strict=False)
    text = text_of_numbers(column, fact)
    if fact.get("clock"):
        return parsed(text, length_of, pl.Float64())  # a column of times may be one of lengths of less than a day
    thousands = fact.get("grouping") or fact.get("thousands")
    numbers = text.cast(pl.Float64, strict=False)
    if thousands is not None and "." in thousands:
        numbers = numbers.set(text.str.contains(".", literal=True).fill_null(False), None)
    if thousands is None or "," not in thousands:
        with_comma = text.set(~text.str.contains(r"^[+-]?\d+,\d+$"), None).str.replace(",", ".", literal=True)
        numbers = numbers.fill_null(with_comma.cast(pl.Float64, strict=False))
    rest = text.set(numbers.is_not_null(), None)
    if rest.null_count() == len(rest):
        return numbers
    truth = {"true": 1.0, "false": 0.0}

    def parse(one: str) -> float | None:
        if "unit" in fact and _DEBIT.fullmatch(one):
            return None  # beside another unit "Cr" is a unit as well: ten million
        number = number_of(one, thousands)
        if number is None and fact.get("factors"):
            return _number_with_factor(one, thousands)
        return truth.get(one.lower()) if number is None else number

    return numbers.fill_null(parsed(rest, parse, pl.Float64()))


def dates_in(column: "polars.Series", fact: PlainData) -> "polars.Series":
    """The dates of a column, null where there is none.

    Parameters
    ----------
    column
        The column: dates, or text that holds dates.
    fact
        What is known of the column: what comes ``first`` in its dates.

    Returns
    -------
    polars.Series
        The dates with their times of day, in microseconds.
    """
    import polars as pl

    kind = pl.Datetime("us")
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return column.cast(kind)
    text = known_text(column, (*MISSING, *MISSING_NUMBERS))
    if text.null_count() == len(text):
        return text.cast(kind)
    first = fact.get("first")  # of a column of typed dates nothing is known: the usual one
    return parsed(text, lambda one: date_of(one, first or ("month" if "/" in one else "day")), kind)


def kind_of_text(column: "polars.Series", decimals: set[str]) -> PlainData:
    """What a column of text holds.

    Parameters
    ----------
    column
        The column.
    decimals
        The decimal marks that certainly occur in other columns.

    Returns
    -------
    PlainData
        ``kind``: "number", "date", "time" or "text", and how its values are read.
    """
    text = known_text(column).drop_nulls()
    if len(text) and _are_months(text):
        return {"kind": "date", "first": "day"}
    if len(text) and _are_plain(text):
        return {"kind": "number"}
    different = text.unique().sort().to_list()  # so that the order of the rows makes no difference
    texts = [one for one in different if one not in MISSING_NUMBERS]
    if not texts or _are_names(texts):
        return {"kind": "text"}
    if all(one.lower() in ("true", "false") for one in texts):
        return {"kind": "number"}
    some = texts[:: max(1, len(texts) // FIRST_LOOK)]
    if _have_factors(some):
        thousands = thousands_in((m[1] if (m := _FACTOR.fullmatch(_bare(one))) else one for one in texts), decimals)
        fact: PlainData = {"kind": "number", "factors": True} | ({} if thousands is None else {"thousands": thousands})
        read = numbers_in(text, fact).is_not_null() | text.is_in(list(MISSING_NUMBERS))
        return fact if read.all() else fact | {"loose": True}
    unit = unit_of(some)
    if unit is not None:
        bare = kind_of_text(text.str.strip_suffix(unit), decimals)
        if bare["kind"] != "number" or bare.get("clock"):
            return {"kind": "text"}
        has_others = any(_DEBIT.fullmatch(one) for one in texts)
        return bare | {"unit": unit} | ({"loose": True} if has_others else {})
    forms = (number_of, length_of, _date_parts)
    if max(sum(form(one) is not None for one in some) for form in forms) < len(some) / 2:
        return {"kind": "text"}
    thousands = thousands_in(texts, decimals)
    fact = {"kind": "number"} | ({} if thousands is None else {"thousands": thousands})
    numbers = numbers_in(text, fact).is_not_null()
    known = [one for one in text.to_list() if one not in MISSING_NUMBERS]
    share = int(numbers.sum()) / max(1, len(known))
    others = {one for one in texts if number_of(one, thousands) is None and one.lower() not in ("true", "false")}
    if share == 1 or (share >= MOSTLY and share * len(text) >= 1) or _placeholders(others, texts, known):
        mixed = _mixed_units(one for one in texts if one not in others)
        return fact | ({} if share == 1 else {"loose": True}) | ({"mixed": mixed} if len(mixed) > 1 else {})
    lengths = {"length": True} if has_lengths_of_time(texts) else {}
    times = {one for one in texts if (length_of if lengths else seconds_of)(one) is not None}
    placeholders = _placeholders({*texts} - times, texts, known)
    if share := _share_of(times, [one for one in known if one not in placeholders]):
        return (
            {"kind": "number", "clock": True} | lengths | ({} if share == 1 and not placeholders else {"loose": True})
        )
    return _kind_of_dates(text, texts, known)


def _placeholders(others: set[str], texts: Sequence[str], known: Sequence[str]) -> set[str]:
    """The texts that stand in place of up to half of a column's numbers or dates, which are many: one, or a few.

    Several occur again and again, and none is a code, with letters and digits.
    """
    times = Counter(one for one in known if one in others)
    if not others or len(texts) - len(others) < MOST_LABELS or 2 * times.total() > len(known):
        return set()
    are_codes = any(re.search(r"[A-Za-z].*\d|\d.*[A-Za-z]", one) for one in others)
    are_few = len(others) <= MOST_PLACEHOLDERS and min(times.values()) > 1 and not are_codes
    return others if len(others) == 1 or are_few else set()


def _kind_of_dates(text: "polars.Series", texts: Sequence[str], known: Sequence[str]) -> PlainData:
    """Whether a column of text holds dates, and how they are read; its different values and all of them are given."""
    dates = [one for one in texts if _date_parts(one) is not None]
    others = {*texts} - {*dates}
    placeholders = _placeholders(others, texts, known)
    known = [one for one in known if one not in placeholders]
    first, certain = order_of_dates(dates) if _share_of(dates, known) else (None, False)
    share = _share_of([one for one in dates if first is not None and date_of(one, first) is not None], known)
    if first is None or not share:
        return {"kind": "text"}
    moments = dates_in(text, {"first": first})
    has_time = bool((moments.dt.truncate("1d") != moments).any())
    fact: PlainData = {"kind": "time" if has_time else "date", "first": first}
    years = moments.drop_nulls().dt.year()
    both = bool((years < 2000).any() and (years >= 2000).any())
    if (both and text.str.contains(_SHORT_YEAR).any()) or text.str.contains(_SHORT_MONTH).any():
        fact["short_years"] = True
    return fact | ({} if certain else {"unsure": True}) | ({} if share == 1 and not others else {"loose": True})


def _are_months(text: "polars.Series") -> bool:
    """Whether all are months such as 06.2020; of numbers with four decimal places none begins with 0 and ends so."""
    return text.str.contains(_MONTHS_ALONE).all() and text.str.starts_with("0").any()


def _are_names(texts: Sequence[str]) -> bool:
    """Whether nearly all are addresses of the internet or seasons such as 2019-20: they look like numbers or months."""
    parts = [found.groups() for text in texts if (found := _ADDRESS.fullmatch(text))]
    addresses = sum(all(str(int(one)) == one and int(one) < 256 for one in each) for each in parts)
    years = [found.groups() for text in texts if (found := _SEASON.fullmatch(text))]
    seasons = sum((int(first) + 1) % 100 == int(second) for first, second in years) if len(texts) > 1 else 0
    return max(addresses, seasons) >= MOSTLY * len(texts)


def _are_plain(text: "polars.Series") -> bool:
    """Whether all are numbers that need no second look: whole, or with a point that is certainly the decimal mark."""
    if not text.str.contains(_PLAIN_OR_WHOLE).all():
        return False
    points = text.str.contains(".", literal=True)
    return not points.any() or bool((points & ~text.str.contains(_PLAIN_GROUPED)).any())


def _mixed_units(texts: Iterable[str]) -> list[str]:
    """The currencies of numbers, with "" for numbers without any where others have a percent sign."""
    named = _units(texts)
    return sorted(named if "%" in named else named - {""})


def currencies_of(texts: Iterable[str]) -> list[str]:
    """The currencies of some numbers.

    Parameters
    ----------
    texts
        The numbers as text.

    Returns
    -------
    list[str]
        The currencies, such as "EUR".
    """
    return sorted(_units(texts) - {"", "%"})


def _units(texts: Iterable[str]) -> set[str]:
    """The signs that numbers have before or after them, "" where there is none."""
    found = {match[0] if (match := re.search(_UNIT, text)) else "" for text in texts}
    return {_CURRENCIES.get(unit, unit) for unit in found}


def _share_of(some: Collection[str], values: Sequence[str]) -> float:
    """The share of a column's values of some form; 0 unless nearly all have it."""
    known = set(some)
    share = sum(one in known for one in values) / max(1, len(values))
    return share if share >= MOSTLY else 0.0


def type_of(dtype: "polars.DataType") -> str:
    """What a column of a type is taken for: "number", "date", "time", "text" or "other".

    Parameters
    ----------
    dtype
        The type.

    Returns
    -------
    str
        The kind.
    """
    import polars as pl

    if dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, pl.Duration | pl.Time):
        return "number"
    if isinstance(dtype, pl.Date | pl.Datetime):
        return "time" if isinstance(dtype, pl.Datetime) else "date"
    return "text" if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum) else "other"

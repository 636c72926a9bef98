"""Data ids as people type them: expressions of the Butler, and the older ``KEY=VALUE`` form. No middleware here.

The older form is that of the Gen2 command line: ``tract=1..3:2^7 band=g``. Values of one key are united by ``^``, a
range has its end in it and may have a stride, keys are intersected, and several ids are united.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pzcenter.errors import DataIdError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["complete_data_id", "where_of"]

KEY = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?")
RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?::(\d+))?")
WORD = re.compile(r"[\w./+-]+")
TEXT_KEYS = frozenset({"band", "day_obs_name", "instrument", "physical_filter", "skymap"})
EXPRESSION = re.compile(r"\s(?:IN|AND|OR|NOT|OVERLAPS|=)\s|[()'<>!]", re.IGNORECASE)
"""What only expressions of the Butler have."""
N_SHOWN = 10


def where_of(ids: Sequence[str], *, defaults: Mapping[str, str] | None = None) -> str:
    """Expression of the Butler for data ids.

    Parameters
    ----------
    ids : sequence of str
        Each is ``KEY=VALUE KEY=VALUE ...``, an expression of the Butler, or empty for all data.
    defaults : mapping of str to str, optional
        Values of keys that an id does not name, such as the skymap.

    Returns
    -------
    str
        Empty where nothing is asked.

    Raises
    ------
    DataIdError
        An id that is neither; the message says what is accepted.
    """
    texts = [_expression_of(text, defaults or {}) for text in (ids or [""])]
    if "" in texts:
        return ""
    if len(texts) == 1:
        return texts[0]
    return " OR ".join(f"({text})" for text in dict.fromkeys(texts))


def _expression_of(text: str, defaults: Mapping[str, str]) -> str:
    words = text.split()
    if words and EXPRESSION.search(f" {text} "):
        missing = [key for key in defaults if not re.search(rf"\b{key}\b", text)]
        parts = [*(_condition(key, defaults[key]) for key in missing), f"({text})" if missing else text]
        return " AND ".join(parts)
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not KEY.fullmatch(key) or not value:
            raise DataIdError(f"data id {word!r} is not of the form KEY=VALUE, such as tract=1..3:2^7")
        if key in found:
            raise DataIdError(f"data id {text!r} names {key} twice; its values may be joined by ^, as in {key}=1^2")
        found[key] = _condition(key, value)
    for key, value in defaults.items():
        found.setdefault(key, _condition(key, value))
    return " AND ".join(found.values())


def _condition(key: str, value: str) -> str:
    parts = [_value(key, part) for part in value.split("^")]
    if len(parts) == 1 and ".." not in parts[0]:
        return f"{key} = {parts[0]}"
    return f"{key} IN ({', '.join(parts)})"


def _value(key: str, text: str) -> str:
    match = RANGE.fullmatch(text)
    if match is not None and key not in TEXT_KEYS:
        low, high, stride = int(match[1]), int(match[2]), int(match[3] or 1)
        if high < low or stride < 1:
            raise DataIdError(f"the range {text!r} of {key} is empty; FIRST..LAST or FIRST..LAST:STRIDE is accepted")
        return f"{low}..{high}" + (f":{stride}" if stride > 1 else "")
    if key not in TEXT_KEYS and re.fullmatch(r"-?\d+", text):
        return text
    if WORD.fullmatch(text):
        return f"'{text}'"
    raise DataIdError(f"the value {text!r} of {key} is not accepted; numbers, FIRST..LAST:STRIDE and names are")


def complete_data_id(
    butler: Any, dataset_type: str, partial: Mapping[str, Any], collections: str | Sequence[str]
) -> dict[str, Any]:
    """Complete a data id where only one dataset fits.

    Parameters
    ----------
    butler : Butler
    dataset_type : str
    partial : mapping
        Some keys and values.
    collections : str or sequence of str

    Returns
    -------
    dict

    Raises
    ------
    DataIdError
        No dataset fits, or several do; these are listed.
    """
    refs = butler.query_datasets(dataset_type, collections=collections, limit=None, explain=False)
    fitting = [
        {str(name): value for name, value in ref.dataId.required.items()}
        for ref in refs
        if all(str(ref.dataId.get(key)) == str(value) for key, value in partial.items())
    ]
    if len(fitting) == 1:
        return fitting[0]
    asked = ", ".join(f"{key}={value}" for key, value in partial.items()) or "any data id"
    if not fitting:
        raise DataIdError(f"no {dataset_type} with {asked} in {collections}")
    shown = sorted(" ".join(f"{key}={value}" for key, value in each.items()) for each in fitting)
    more = f" and {len(shown) - N_SHOWN} more" if len(shown) > N_SHOWN else ""
    raise DataIdError(f"{len(shown)} {dataset_type} fit {asked}: {'; '.join(shown[:N_SHOWN])}{more}. Name one")

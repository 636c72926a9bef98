"""Functions of the language of rules, and how values become numbers, text or truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FUNCTIONS", "as_bool", "as_number", "as_text", "is_text"]

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
MANY = 64


def is_text(value: Any) -> bool:
    """Whether a column or constant is text."""
    kind = value.type.value_type if pa.types.is_dictionary(value.type) else value.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def as_text(value: Any) -> Any:
    """Text as it stands; a number in its shortest form."""
    return value if value.type == pa.string() else pc.cast(value, pa.string())


def as_number(value: Any) -> Any:
    """Numbers; text that is a number becomes one, other text is missing."""
    if is_text(value):
        text = as_text(value)
        good = pc.match_substring_regex(text, NUMBER)
        clean = pc.utf8_trim_whitespace(pc.if_else(good, text, pa.scalar(None, pa.string())))
        return pc.cast(clean, pa.float64())
    if pa.types.is_boolean(value.type):
        return pc.cast(pc.cast(value, pa.int8()), pa.float64())
    number = pc.cast(value, pa.float64(), safe=False)
    return pc.if_else(pc.is_nan(number), pa.scalar(None, pa.float64()), number)


def as_bool(value: Any) -> Any:
    """Truth: of a number whether it is not 0."""
    if pa.types.is_boolean(value.type):
        return value
    if pa.types.is_null(value.type):
        return pc.cast(value, pa.bool_())
    if is_text(value):
        raise ConfigError("text stands where a condition is expected; compare it, as in name == 'A'")
    return pc.not_equal(as_number(value), 0.0)


def _of_number(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: function(*[as_number(value) for value in values])


def _of_text(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda value: function(as_text(value))


def _pattern(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """A function of text and a constant that it looks for."""

    def found(value: Any, what: Any) -> Any:
        if not isinstance(what, pa.Scalar) or not is_text(what):
            raise ConfigError("startswith, endswith and contains look for quoted text")
        return function(as_text(value), what.as_py())

    return found


def _choose(condition: Any, yes: Any, no: Any) -> Any:
    if is_text(yes) != is_text(no) and not (pa.types.is_null(yes.type) or pa.types.is_null(no.type)):
        yes, no = as_text(yes), as_text(no)
    return pc.if_else(pc.fill_null(as_bool(condition), False), yes, no)


def _bit(value: Any, number: Any) -> Any:
    """Whether a bit of an integer is set; bit 0 is the lowest."""
    if not isinstance(number, pa.Scalar) or not 0 <= int(number.as_py()) <= 62:
        raise ConfigError("bit(x, n) takes a number n of 0 to 62")
    whole = pc.cast(value, pa.int64(), safe=False)
    return pc.not_equal(pc.bit_wise_and(whole, pa.scalar(1 << int(number.as_py()), pa.int64())), 0)


def _is_null(value: Any) -> Any:
    return pc.is_null(value, nan_is_null=True)


def _finite(value: Any) -> Any:
    return pc.fill_null(pc.is_finite(as_number(value)), False)


FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "abs": (1, 1, _of_number(pc.abs)),
    "bit": (2, 2, _bit),
    "ceil": (1, 1, _of_number(pc.ceil)),
    "coalesce": (1, MANY, pc.coalesce),
    "contains": (2, 2, _pattern(pc.match_substring)),
    "endswith": (2, 2, _pattern(pc.ends_with)),
    "exp": (1, 1, _of_number(pc.exp)),
    "floor": (1, 1, _of_number(pc.floor)),
    "if": (3, 3, _choose),
    "isfinite": (1, 1, _finite),
    "isnull": (1, 1, _is_null),
    "log10": (1, 1, _of_number(pc.log10)),
    "lower": (1, 1, _of_text(pc.utf8_lower)),
    "max": (2, MANY, _of_number(pc.max_element_wise)),
    "min": (2, MANY, _of_number(pc.min_element_wise)),
    "notnull": (1, 1, lambda value: pc.invert(_is_null(value))),
    "number": (1, 1, as_number),
    "round": (1, 1, _of_number(pc.round)),
    "sqrt": (1, 1, _of_number(pc.sqrt)),
    "startswith": (2, 2, _pattern(pc.starts_with)),
    "strip": (1, 1, _of_text(pc.utf8_trim_whitespace)),
    "text": (1, 1, as_text),
    "upper": (1, 1, _of_text(pc.utf8_upper)),
}
"""Function by name: least and most arguments, and what it does."""

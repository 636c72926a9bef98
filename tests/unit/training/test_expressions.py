"""The language of rules: what it says, what it refuses, and that missing values are never true."""

from __future__ import annotations

import contextlib
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.errors import ColumnError, ConfigError
from pzcenter.training.expressions import compile_expression

COLUMNS = {
    "z_flag": pa.array([1.0, 12.0, None, 29.0, -10.0]),
    "z_spec": pa.array([0.1, math.nan, 0.3, -1.0, 2.0]),
    "class": pa.array(["STAR ", "GALAXY", None, "a'b", "3"]),
    "bits": pa.array([0, 1, 4, 5, None], pa.int64()),
    "good": pa.array([True, False, None, True, False]),
    "odd name": pa.array([1, 2, 3, 4, 5]),
}
BIG = pa.array([2**60, 2**60 + 1, None, 3, 4], pa.int64())


def value(text, columns=COLUMNS):
    return compile_expression(text).evaluate(columns, 5).to_pylist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("z_flag % 10 in (2, 9)", [False, True, False, True, False]),
        ("z_flag % 10 == 0", [False, False, False, False, True]),
        ("z_flag != 1", [False, True, False, True, True]),
        ("z_flag not in (1, 12)", [False, False, False, True, True]),
        ("0 < z_flag <= 12", [True, True, False, False, False]),
        ("not z_flag > 5", [True, False, True, False, True]),
        ("z_spec > 0 and z_flag > 0 or good", [True, False, False, True, False]),
        ("isnull(z_spec)", [False, True, False, False, False]),
        ("notnull(z_spec) and isfinite(z_spec)", [True, False, True, True, True]),
        ("strip(class) == 'STAR'", [True, False, False, False, False]),
        ('`class` == "a\'b"', [False, False, False, True, False]),
        ("class == 3", [False, False, False, False, True]),
        ("lower(class) in ('galaxy', 'qso')", [False, True, False, False, False]),
        ("startswith(class, 'GAL') or endswith(class, 'b') or contains(class, 'TA')", [True, True, False, True, False]),
        ("bit(bits, 2)", [False, False, True, True, None]),
        ("`odd name` // 2 ** 1", [0.0, 1.0, 1.0, 2.0, 2.0]),
        ("if(z_flag > 5, 'high', 'low')", ["low", "high", "low", "high", "low"]),
        ("max(abs(z_flag), 5)", [5.0, 12.0, 5.0, 29.0, 10.0]),
        ("coalesce(z_flag, 7)", [1.0, 12.0, 7.0, 29.0, -10.0]),
        ("-z_spec + 1 - 2 * 3 / 4", [pytest.approx(-0.6), None, pytest.approx(-0.8), pytest.approx(0.5), -2.5]),
        ("true", [True] * 5),
        ("null == null", [False] * 5),
    ],
)
def test_what_it_says(text, wanted):
    assert value(text) == wanted


def test_large_integers_are_compared_exactly():
    assert value(f"id == {2**60 + 1}", {"id": BIG}) == [False, True, False, False, False]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "z_flag.real", "z_flag[0]", "[x for x in z_flag]", "lambda: 1",
        "f'{z_flag}'", "open('x')", "abs(z_flag", "abs()", "abs(1, 2)", "abs(x=1)", "z_flag in z_spec", "z_flag = 1",
        "1; 2", "", "z_flag if good else 1", "(" * 500 + ")" * 500, "1 + " * 600 + "1", "b'x' == class", "1j",
        "*z_flag", "z_flag is 1", "(x := 3)", "await z_flag", f"z_flag == {2**70}",
    ],
)  # fmt: skip
def test_what_it_refuses(text):
    with pytest.raises(ConfigError):
        compile_expression(text)


def test_a_column_that_is_not_there_is_named():
    expression = compile_expression("nowhere > 1 and `odd name` == 1")
    assert expression.names == {"nowhere", "odd name"}
    with pytest.raises(ColumnError, match="nowhere"):
        expression.evaluate(COLUMNS, 5)


def test_text_is_no_condition():
    with pytest.raises(ConfigError, match="text stands"):
        compile_expression("class and good").mask(COLUMNS, 5)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_compile_or_fail(text):
    with contextlib.suppress(ConfigError):
        compile_expression(text)


@given(st.lists(st.floats(-50, 50, allow_nan=False) | st.none(), min_size=1, max_size=20), st.integers(1, 12))
def test_remainder_is_pythons(values, divisor):
    column = pa.array(values, pa.float64())
    found = compile_expression(f"x % {divisor}").evaluate({"x": column}, len(values)).to_pylist()
    for x, y in zip(values, found, strict=True):
        assert (y is None) if x is None else y == pytest.approx(x % divisor, abs=1e-9) or abs(y - divisor) < 1e-9

"""A small language for rules on columns: ``z_flag % 10 in (2, 9) and z_spec > 0``.

Comparisons, arithmetic, ``and or not in`` and a fixed list of functions on the columns of a table, and nothing else: no
attributes, no indices, no names that are not columns. Text is parsed by Python's own grammar, then every node is
checked against the list below; nothing is ever handed to ``eval``. Work is done by Arrow, column by column.

Missing values, NaN among them, make a comparison false; ``isnull(x)`` finds them.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ColumnError, ConfigError
from pzcenter.training.expression_functions import FUNCTIONS, as_bool, as_number, as_text, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Expression", "compile_expression"]

MAX_LENGTH = 2000
MAX_NODES = 400
WORD = re.compile(r"""'[^']*'|"[^"]*"|`(?P<quoted>[^`]+)`|(?P<name>[A-Za-z_]\w*)""")
TAKEN = frozenset(keyword.kwlist) - {"and", "or", "not", "in", "True", "False", "None"}
"""Words of Python's grammar that are none of ours: columns may have these names."""
WORDS = {"true": True, "false": False, "null": None}
COMPARE = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
ACCEPTED = (
    "columns, numbers, quoted text, true, false, null, + - * / // % **, comparisons, in (...), and, or, not, and the "
    f"functions {', '.join(sorted(FUNCTIONS))}"
)


@dataclass(frozen=True)
class Expression:
    """A compiled expression.

    Parameters
    ----------
    text : str
        As it was written.
    names : frozenset of str
        Columns that it reads.
    tree : ast.expr
        Checked.
    quoted : dict of str to str
        Column by the name that stands for it in the tree.
    """

    text: str
    names: frozenset[str]
    tree: ast.expr
    quoted: Mapping[str, str]

    def evaluate(self, columns: Mapping[str, Any], n_rows: int) -> Any:
        """Value for each row.

        Parameters
        ----------
        columns : mapping of str to pa.Array or pa.ChunkedArray
        n_rows : int

        Returns
        -------
        pa.Array, (n_rows,)

        Raises
        ------
        ColumnError
            A column is not there.
        """
        missing = sorted(self.names - set(columns))
        if missing:
            raise ColumnError(f"the expression {self.text!r} reads {', '.join(missing)}, which the table does not have")
        value = _Evaluation(columns, self.quoted).value(self.tree)
        return value if isinstance(value, (pa.Array, pa.ChunkedArray)) else pa.repeat(value, n_rows)

    def mask(self, columns: Mapping[str, Any], n_rows: int) -> NDArray[np.bool_]:
        """Rows for which it holds, as booleans; missing is false."""
        value = as_bool(self.evaluate(columns, n_rows))
        return np.asarray(pc.fill_null(value, False).to_numpy(zero_copy_only=False), dtype=bool)


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text : str

    Returns
    -------
    Expression

    Raises
    ------
    ConfigError
        It is not of the language; the message says what is accepted.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"an expression of {len(text)} letters; at most {MAX_LENGTH} are accepted")
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        column = match["quoted"] or match["name"]
        if column is None or (match["name"] and column not in TAKEN):
            return match[0]
        name = f"_quoted_{len(quoted)}"
        quoted[name] = column
        return name

    try:
        tree = ast.parse(WORD.sub(stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ConfigError(f"the expression {text!r} is not understood; accepted are {ACCEPTED}") from error
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise ConfigError(f"the expression {text[:60]!r}... has {len(nodes)} parts; at most {MAX_NODES} are accepted")
    functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if id(node) in functions and isinstance(node, ast.Name):
            node.id = quoted.get(node.id, node.id)
    for node in nodes:
        _check(node, text)
    names = {
        quoted.get(node.id, node.id)
        for node in nodes
        if isinstance(node, ast.Name) and id(node) not in functions and node.id not in WORDS
    }
    return Expression(text, frozenset(names), tree, quoted)


ALLOWED = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In,
    ast.NotIn, ast.Name, ast.Load, ast.Constant, ast.Call, ast.Tuple, ast.List,
)  # fmt: skip


def _check(node: ast.AST, text: str) -> None:
    """Refuse what is not of the language."""
    wrong = ""
    if not isinstance(node, ALLOWED):
        wrong = f"{type(node).__name__} is not part of it"
    elif isinstance(node, ast.Constant) and not isinstance(node.value, (bool, int, float, str, type(None))):
        wrong = f"the value {node.value!r} is not accepted"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) >= 2**63:
        wrong = f"the number {str(node.value)[:24]} is too large"
    elif isinstance(node, ast.Call):
        wrong = _wrong_call(node)
    elif isinstance(node, ast.Compare):
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)) and not isinstance(right, (ast.Tuple, ast.List)):
                wrong = "'in' needs a list in brackets"
    if wrong:
        raise ConfigError(f"the expression {text!r} is not understood: {wrong}; accepted are {ACCEPTED}")


def _wrong_call(node: ast.Call) -> str:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
        return f"there is no function {ast.unparse(node.func)}"
    least, most, _ = FUNCTIONS[node.func.id]
    if node.keywords or not least <= len(node.args) <= most:
        return f"{node.func.id} takes {least if least == most else f'{least} to {most}'} values"
    return ""


class _Evaluation:
    """Values of the nodes of one tree."""

    def __init__(self, columns: Mapping[str, Any], quoted: Mapping[str, str]) -> None:
        self.columns, self.quoted = columns, quoted

    def value(self, node: ast.expr) -> Any:
        return getattr(self, f"_{type(node).__name__.lower()}")(node)

    def _constant(self, node: ast.Constant) -> Any:
        return pa.scalar(node.value)

    def _name(self, node: ast.Name) -> Any:
        if node.id in WORDS:
            return pa.scalar(WORDS[node.id])
        column = self.columns[self.quoted.get(node.id, node.id)]
        if pa.types.is_floating(column.type):
            return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        return column

    def _boolop(self, node: ast.BoolOp) -> Any:
        join = pc.and_ if isinstance(node.op, ast.And) else pc.or_
        result = self._truth(node.values[0])
        for each in node.values[1:]:
            result = join(result, self._truth(each))
        return result

    def _truth(self, node: ast.expr) -> Any:
        return pc.fill_null(as_bool(self.value(node)), False)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return pc.invert(self._truth(node.operand))
        number = as_number(self.value(node.operand))
        return pc.negate(number) if isinstance(node.op, ast.USub) else number

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = as_number(self.value(node.left)), as_number(self.value(node.right))
        match node.op:
            case ast.Add():
                return pc.add(left, right)
            case ast.Sub():
                return pc.subtract(left, right)
            case ast.Mult():
                return pc.multiply(left, right)
            case ast.Pow():
                return pc.power(left, right)
            case ast.Div():
                return pc.divide(left, right)
            case ast.FloorDiv():
                return pc.floor(pc.divide(left, right))
        return pc.subtract(left, pc.multiply(right, pc.floor(pc.divide(left, right))))

    def _compare(self, node: ast.Compare) -> Any:
        result, left = None, self.value(node.left)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                found, right = self._is_in(left, comparator, isinstance(operator, ast.NotIn)), None
            else:
                right = self.value(comparator)
                found = pc.fill_null(COMPARE[type(operator)](*_alike(left, right)), False)
            result = found if result is None else pc.and_(result, found)
            left = right
        return result

    def _is_in(self, left: Any, node: ast.expr, outside: bool) -> Any:
        elements = node.elts if isinstance(node, (ast.Tuple, ast.List)) else []
        found: Any = pa.scalar(False)
        for element in elements:
            found = pc.or_(found, pc.fill_null(pc.equal(*_alike(left, self.value(element))), False))
        return pc.and_(pc.invert(found), pc.is_valid(left)) if outside else found

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        return FUNCTIONS[name][2](*[self.value(each) for each in node.args])


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values that can be compared: text with text, or number with number."""
    if is_text(left) and is_text(right):
        return as_text(left), as_text(right)
    if pa.types.is_integer(left.type) and pa.types.is_integer(right.type):
        return left, right
    if pa.types.is_boolean(left.type) and pa.types.is_boolean(right.type):
        return left, right
    return as_number(left), as_number(right)

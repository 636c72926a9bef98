"""One scale of quality: the native flags of many surveys, row by row, by the rules of each survey.

Nothing is guessed: a row that no rule catches gets the survey's ``otherwise`` (missing by default), and the report says
how many there were and what they looked like.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ColumnError, ConfigError
from pzcenter.training.expressions import compile_expression
from pzcenter.training.surveys import FLAG_MEANINGS, TYPE_MEANINGS, survey_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.training.surveys import Survey

__all__ = ["NO_FLAG", "Homogenised", "RuleCount", "RuleReport", "homogenise"]

NO_FLAG = -1
"""Stands for a missing flag in integer arrays."""
PROBABILITY_LIMITS = (0.7, 0.9, 0.99)
"""Lowest probability of the flags 2, 3 and 4."""
N_EXAMPLES = 5


@dataclass(frozen=True)
class RuleCount:
    """Rows that one rule caught.

    Parameters
    ----------
    survey : str
    rule : str
        ``SURVEY#n``, counted from 1; ``SURVEY#-`` for rows that none caught.
    when, note : str
    value : int or None
    n : int
    examples : tuple of str
        Native flags of some rows, for those that no rule caught.
    """

    survey: str
    rule: str
    when: str
    note: str
    value: int | None
    n: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleReport:
    """How the flags of one catalogue were found.

    Parameters
    ----------
    scale : str
        ``survey``: by rules; ``common``: they were on the common scale; ``probability``.
    counts : list of RuleCount
    """

    scale: str
    counts: list[RuleCount] = field(default_factory=list)

    @property
    def n_uncaught(self) -> int:
        """Rows that no rule caught."""
        return sum(each.n for each in self.counts if each.rule.endswith("#-"))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"n_uncaught": self.n_uncaught}


@dataclass(frozen=True)
class Homogenised:
    """Flags and types on the common scale.

    Parameters
    ----------
    z_flag : ndarray of int8, (n_rows,)
        0 to 4, 6, or -1 where it is missing.
    z_type : ndarray of str, (n_rows,)
        ``s``, ``g``, ``p``, or empty.
    survey : pa.Array of str, (n_rows,)
        Canonical names.
    rule : pa.Array of str, (n_rows,)
    report : RuleReport
    """

    z_flag: NDArray[np.int8]
    z_type: NDArray[np.str_]
    survey: pa.Array
    rule: pa.Array
    report: RuleReport


class _RuleLike(Protocol):
    @property
    def when(self) -> str: ...


def homogenise(
    columns: Mapping[str, Any],
    survey: Any,
    *,
    further: Sequence[Survey] = (),
    scale: str = "survey",
    types_known: bool = False,
) -> Homogenised:
    """Put the flags of a catalogue on the common scale.

    Parameters
    ----------
    columns : mapping of str to pa.Array
        Raw columns by their names, and ``z_spec, z_err, z_flag, z_type`` where there are such.
    survey : pa.Array of str, (n_rows,)
        Survey of each row, by name or alias.
    further : sequence of Survey
        Surveys of the user; they win over ours.
    scale : str
        ``survey``: by the rules of each survey; ``common``: ``z_flag`` is on the common scale already;
        ``probability``: it is the probability that the redshift is right, 0 to 1.
    types_known : bool
        ``z_type`` has the letters s, g and p already.

    Returns
    -------
    Homogenised

    Raises
    ------
    NotFoundError
        A survey is not known.
    ColumnError
        A rule reads a column that is not there.
    ConfigError
        A flag or type is not on the scale that was promised.
    """
    n_rows = len(survey)
    names, codes = _surveys(survey, further)
    flag = np.full(n_rows, NO_FLAG, dtype=np.int8)
    rule_of = np.zeros(n_rows, dtype=np.int32)
    rule_names, counts = [""], []
    if scale == "common":
        flag = _common(columns, n_rows)
    elif scale == "probability":
        flag = _by_probability(columns, n_rows)
    elif scale != "survey":
        raise ConfigError(f"the scale {scale!r} is not known; survey, common and probability are accepted")
    kinds = np.full(n_rows, "", dtype="<U1")
    if types_known:
        kinds = _known_types(columns, n_rows)
    for number, each in enumerate(names):
        rows = np.flatnonzero(codes == number)
        part = _Part(each, columns, rows, whole=rows.size == n_rows)
        if scale == "survey":
            flag[rows], numbers, found = part.flags()
            counts += found
            rule_of[rows] = numbers + len(rule_names)
            rule_names += [count.rule for count in found]
        if not types_known:
            kinds[rows] = part.types()
    words = pa.DictionaryArray.from_arrays(pa.array(rule_of), pa.array(rule_names)).cast(pa.string())
    canonical = pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array([each.name for each in names], pa.string())
    ).cast(pa.string())
    rules = words if scale == "survey" else pa.array([f"{scale} scale"] * n_rows)
    return Homogenised(flag, kinds, canonical, rules, RuleReport(scale, counts))


def _surveys(survey: Any, further: Iterable[Survey]) -> tuple[list[Survey], NDArray[np.int64]]:
    """Surveys that occur, and which of them each row is of."""
    encoded = pc.dictionary_encode(survey)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    if encoded.null_count:
        raise ColumnError(f"{encoded.null_count} rows have no survey; name one for all, or fill the column")
    found: dict[str, int] = {}
    surveys: list[Survey] = []
    place: list[int] = []
    for name in encoded.dictionary.to_pylist():
        known = survey_named(name, further)
        if known.name not in found:
            found[known.name] = len(surveys)
            surveys.append(known)
        place.append(found[known.name])
    return surveys, np.asarray(place, dtype=np.int64)[np.asarray(encoded.indices)]


class _Part:
    """Rows of one survey."""

    def __init__(self, survey: Survey, columns: Mapping[str, Any], rows: NDArray[np.int64], *, whole: bool) -> None:
        self.survey, self.rows = survey, rows
        self.columns = columns if whole else _Taken(columns, pa.array(rows))

    def flags(self) -> tuple[NDArray[np.int8], NDArray[np.int32], list[RuleCount]]:
        """Flags, numbers of the rules that gave them, and how many rows each caught."""
        first, counts = self._first(self.survey.quality), []
        n_rules = len(self.survey.quality)
        caught = np.bincount(first, minlength=n_rules + 1)
        for number, rule in enumerate(self.survey.quality):
            name = f"{self.survey.name}#{number + 1}"
            counts.append(RuleCount(self.survey.name, name, rule.when, rule.note, rule.value, int(caught[number])))
        examples = self._examples(first == n_rules) if caught[n_rules] else ()
        counts.append(
            RuleCount(
                self.survey.name, f"{self.survey.name}#-", "", "caught by no rule", self.survey.otherwise,
                int(caught[n_rules]), examples,
            )
        )  # fmt: skip
        values = [NO_FLAG if count.value is None else count.value for count in counts]
        return np.asarray(values, dtype=np.int8)[first], first.astype(np.int32), counts

    def types(self) -> NDArray[np.str_]:
        """Letter of each row."""
        if isinstance(self.survey.z_type, str):
            return np.full(self.rows.size, self.survey.z_type, dtype="<U1")
        first = self._first(self.survey.z_type)
        return np.asarray([*(rule.value for rule in self.survey.z_type), ""], dtype="<U1")[first]

    def _first(self, rules: Sequence[_RuleLike]) -> NDArray[np.int64]:
        """Number of the first rule that holds for each row; their number where none does."""
        first = np.full(self.rows.size, len(rules), dtype=np.int64)
        for number, rule in reversed(list(enumerate(rules))):
            try:
                first[compile_expression(rule.when).mask(self.columns, self.rows.size)] = number
            except ColumnError as error:
                raise ColumnError(f"survey {self.survey.name}, rule {number + 1}: {error}") from error
        return first

    def _examples(self, which: NDArray[np.bool_]) -> tuple[str, ...]:
        if "z_flag" not in self.columns:
            return ()
        values = pc.cast(self.columns["z_flag"], pa.string()).filter(pa.array(which)).to_pylist()
        most = Counter("missing" if value is None else value for value in values).most_common(N_EXAMPLES)
        return tuple(value for value, _ in most)


class _Taken(dict[str, Any]):
    """Columns of some rows, taken when they are first asked for."""

    def __init__(self, columns: Mapping[str, Any], rows: Any) -> None:
        super().__init__()
        self._columns, self._rows = columns, rows

    def __missing__(self, name: str) -> Any:
        self[name] = self._columns[name].take(self._rows)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Any:
        return iter(self._columns)

    def keys(self) -> Any:
        return self._columns.keys()


def _common(columns: Mapping[str, Any], n_rows: int) -> NDArray[np.int8]:
    value = _numbers(columns, n_rows)
    there = np.isfinite(value)
    wrong = there & ~np.isin(value, list(FLAG_MEANINGS))
    if wrong.any():
        raise ConfigError(
            f"{int(wrong.sum())} flags are not on the common scale, such as {value[wrong][0]:g}; "
            f"{', '.join(map(str, FLAG_MEANINGS))} are accepted"
        )
    return np.where(there, np.where(there, value, 0), NO_FLAG).astype(np.int8)


def _by_probability(columns: Mapping[str, Any], n_rows: int) -> NDArray[np.int8]:
    value = _numbers(columns, n_rows)
    there = np.isfinite(value)
    wrong = there & ((value < 0) | (value > 1))
    if wrong.any():
        raise ConfigError(f"{int(wrong.sum())} flags are no probabilities, such as {value[wrong][0]:g}; 0 to 1 are")
    flag = np.searchsorted(PROBABILITY_LIMITS, np.where(there, value, 0), side="right") + 1
    flag = np.where(value == 0, 0, flag)
    return np.where(there, flag, NO_FLAG).astype(np.int8)


def _numbers(columns: Mapping[str, Any], n_rows: int) -> NDArray[np.float64]:
    number = compile_expression("number(z_flag)").evaluate(columns, n_rows)
    return np.asarray(pc.fill_null(number, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _known_types(columns: Mapping[str, Any], n_rows: int) -> NDArray[np.str_]:
    text = compile_expression("lower(strip(z_type))").evaluate(columns, n_rows)
    kinds = np.asarray(pc.fill_null(text, "").to_numpy(zero_copy_only=False), dtype=np.str_)
    wrong = ~np.isin(kinds, [*TYPE_MEANINGS, ""])
    if wrong.any():
        raise ConfigError(
            f"{int(wrong.sum())} types of redshift are not known, such as {kinds[wrong][0]!r}; s, g and p are accepted"
        )
    return kinds.astype("<U1")

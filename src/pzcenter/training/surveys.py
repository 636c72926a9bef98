"""Redshift surveys as data: where their tables are, what their columns and flags mean, whom to cite."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.training.expressions import compile_expression
from pzcenter.training.settings_files import faults_of, read_yaml

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = [
    "FLAG_MEANINGS",
    "TYPE_MEANINGS",
    "FlagRule",
    "Survey",
    "TypeRule",
    "load_survey",
    "shipped_surveys",
    "survey_named",
]

FLAG_MEANINGS = {
    0: "no redshift",
    1: "less than 70 %",
    2: "70 to 90 %",
    3: "90 to 99 %",
    4: "more than 99 %",
    6: "star, or another object that is not a galaxy",
}
"""The common scale of quality: how probable it is that a redshift is right."""
TYPE_MEANINGS = {"s": "spectroscopic", "g": "grism or prism", "p": "photometric"}
STANDARD_COLUMNS = ("source_id", "ra", "dec", "z_spec", "z_err", "z_flag", "z_type", "survey")
MAX_BYTES = 1_000_000

Flag = Annotated[Literal[0, 1, 2, 3, 4, 6], Field(title="on the common scale")]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Annotated[str, Field(title="expression on the columns of the catalogue")]
    note: Annotated[str, Field(title="in words")] = ""

    @field_validator("when", mode="before")
    @classmethod
    def _compiles(cls, text: Any) -> str:
        words = {True: "true", False: "false"}.get(text, text) if isinstance(text, bool) else text
        compile_expression(str(words))
        return str(words)


class FlagRule(_Rule):
    """Rows for which ``when`` holds have this quality."""

    value: Flag | None


class TypeRule(_Rule):
    """Rows for which ``when`` holds are of this type."""

    value: Literal["s", "g", "p"]


class Survey(BaseModel):
    """One survey."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, title="as it stands in the column survey")]
    aliases: Annotated[tuple[str, ...], Field(title="other names, without regard to case")] = ()
    title: str = ""
    citation: str = ""
    bibcode: str | None = None
    bibtex: str | None = None
    doi: str | None = None
    site: str | None = None
    licence: str = ""
    object_types: str = ""
    sources: Annotated[tuple[dict[str, Any], ...], Field(title="where it can be fetched, in order")] = ()
    columns: Annotated[dict[str, str | list[str]], Field(title="raw column by standard name")] = {}
    meaning: Annotated[dict[str | int | float, str], Field(title="of the native flags, in words")] = {}
    z_type: Annotated[Literal["s", "g", "p"] | tuple[TypeRule, ...], Field(title="of all rows, or rules")] = "s"
    quality: Annotated[tuple[FlagRule, ...], Field(title="the first rule that holds wins")] = ()
    otherwise: Annotated[Flag | None, Field(title="quality of rows that no rule catches")] = None
    unsure: Annotated[str, Field(title="what was not verified")] = ""

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(columns) - set(STANDARD_COLUMNS))
        if unknown:
            raise ValueError(f"{', '.join(unknown)} are no standard columns; {', '.join(STANDARD_COLUMNS)} are")
        return columns

    def raw_name(self, column: str, there: Iterable[str]) -> str | None:
        """Raw column for a standard one: the first of its names that a table has."""
        names = self.columns.get(column, [])
        known = set(there)
        return next((name for name in ([names] if isinstance(names, str) else names) if name in known), None)


def load_survey(path: str | os.PathLike[str]) -> Survey:
    """Read the file of a survey.

    Raises
    ------
    NotFoundError
        There is no such file.
    ConfigError
        It is not YAML, or says something that is not understood; the field is named.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path} has {path.stat().st_size} bytes; the file of a survey has at most {MAX_BYTES}")
    return _survey(read_yaml(path), str(path))


def _survey(content: Any, where: str) -> Survey:
    try:
        return Survey.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{where}: {faults_of(error)}") from error


@cache
def shipped_surveys() -> Mapping[str, Survey]:
    """Surveys that come with the package, by name."""
    folder = files("pzcenter.data") / "surveys"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".yaml"))
    found = [_survey(yaml.safe_load((folder / name).read_text(encoding="utf-8")), name) for name in names]
    return {survey.name: survey for survey in found}


def survey_named(name: str, further: Iterable[Survey] = ()) -> Survey:
    """Survey by its name or an alias, without regard to case.

    Parameters
    ----------
    name : str
    further : iterable of Survey
        Those of a user; they win over ours.

    Raises
    ------
    NotFoundError
        No such survey; similar names are listed.
    """
    known = _by_key((*shipped_surveys().values(), *further))
    if (key := _key(name)) in known:
        return known[key]
    from difflib import get_close_matches

    near = get_close_matches(key, list(known), n=3, cutoff=0.5)
    words = f"; similar are {', '.join(sorted({known[each].name for each in near}))}" if near else ""
    raise NotFoundError(
        f"no survey {name!r}{words}. 'pz specz surveys' lists all; --survey-file, or survey_files in the settings, "
        "adds one of your own"
    )


def _by_key(surveys: Iterable[Survey]) -> dict[str, Survey]:
    return {_key(name): survey for survey in surveys for name in (survey.name, *survey.aliases)}


def _key(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(" ", "-")

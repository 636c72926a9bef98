"""``pz specz``: redshifts of surveys on one scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pzcenter.cli.options import FLAG, JsonOutput, Overwrite, WithPage
from pzcenter.cli.verbs import add_verb, verb_group

__all__ = ["group"]

SURVEYS_EXAMPLES = (
    ("pz specz surveys", "all surveys whose flags are known"),
    ("pz specz surveys VVDS", "columns, flags and rules of one, and whom to cite"),
)
FETCH_EXAMPLES = (
    ("pz specz fetch 2MRS VVDS", "keep what public services have"),
    ("pz specz fetch 2MRS --offline", "say what is kept, ask nobody"),
)
CHECK_EXAMPLES = (
    ("pz specz check vvds.fits --survey VVDS", "how many rows each rule catches, and which none does"),
    ("pz specz check mine.csv --survey MYSURVEY --survey-file mysurvey.yaml", "by rules of your own"),
    ("pz specz check mine.csv --survey VVDS --column ra=RAdeg --column z_spec=zbest", "columns with other names"),
)
SAMPLES_EXAMPLES = (("pz specz samples samples", "18 small catalogues and the settings that combine them"),)
INIT_EXAMPLES = (
    ("pz specz init combine.yaml vvds.fits=VVDS deep2.fits=DEEP2", "settings to begin with"),
    ("pz specz init combine.yaml mine.csv=MYSURVEY --survey-file mysurvey.yaml", "with a survey of your own"),
)
COMBINE_EXAMPLES = (
    ("pz specz combine combine.yaml redshifts", "one catalogue of all, repeated measurements marked"),
    ("pz specz combine combine.yaml best --mode remove", "only the best measurement of each galaxy"),
)
N_SHOWN = 12

CacheDir = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="Where fetched files are kept; $PZ_CACHE/sources.")
]
Offline = Annotated[bool, typer.Option("--offline", metavar=FLAG, help="Ask nobody: only what is kept.")]
Refresh = Annotated[bool, typer.Option("--refresh", metavar=FLAG, help="Ask again, although an answer is kept.")]
SurveyFiles = Annotated[
    list[Path] | None,
    typer.Option("--survey-file", metavar="FILE", help="Survey of your own; may be given several times."),
]


def surveys(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show all that is known of this one.")] = None,
    *,
    survey_file: SurveyFiles = None,
    as_json: JsonOutput = False,
) -> None:
    """List the surveys whose flags are known, or the rules of one."""
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.cli.specz_screen import print_survey
    from pzcenter.training.surveys import load_survey, shipped_surveys, survey_named

    further = [load_survey(path) for path in survey_file or []]
    if name is not None:
        survey = survey_named(name, further)
        if as_json:
            print_json(survey.model_dump(mode="json"))
            return
        print_survey(survey)
        return
    known = sorted([*shipped_surveys().values(), *further], key=lambda each: each.name.casefold())
    if as_json:
        print_json([each.model_dump(mode="json") for each in known])
        return
    table = plain_table(survey="left", fetched_by="left", title="left")
    for each in known:
        ways = ", ".join(dict.fromkeys(str(source.get("connector", "")) for source in each.sources)) or "by hand"
        table.add_row(each.name, ways, each.title)
    stdout().print(table)
    stdout().print(f"\n[dim]{len(known)} surveys; pz specz surveys NAME shows one[/]")


def fetch(
    names: Annotated[list[str], typer.Argument(metavar="SURVEY...", help="Names or aliases.")],
    *,
    survey_file: SurveyFiles = None,
    cache: CacheDir = None,
    offline: Offline = False,
    refresh: Refresh = False,
    as_json: JsonOutput = False,
) -> None:
    """Fetch surveys from public services, and keep them.

    One that cannot be reached harms no other. Ends with 1 when one failed.
    """
    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.errors import PZCenterError
    from pzcenter.training.sources import fetch as fetch_source
    from pzcenter.training.surveys import load_survey, survey_named

    rows, failed, further = [], 0, [load_survey(path) for path in survey_file or []]
    for name in names:
        try:
            found = fetch_source(survey_named(name, further), cache, offline=offline, refresh=refresh)
        except PZCenterError as error:
            failed += 1
            stderr().print(f"error[{error.code}] {name}: {error}", markup=False, soft_wrap=True)
            continue
        rows.append(
            {
                "survey": found.survey, "path": str(found.path), "sha256": found.sha256, "n_rows": found.n_rows,
                "from_cache": found.from_cache, "changed": found.changed, "notes": list(found.notes),
            }
        )  # fmt: skip
        if not as_json:
            how = "kept already" if found.from_cache else "fetched"
            n_rows = "" if found.n_rows is None else f"{found.n_rows:,} rows, "
            stdout().print(f"{found.survey}: {how}, {n_rows}{found.path}", markup=False, soft_wrap=True)
            for note in found.notes:
                stderr().print(f"  {note}", markup=False, soft_wrap=True)
    if as_json:
        print_json(rows)
    if failed:
        raise typer.Exit(1)


def check(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="Catalogue of redshifts.")],
    *,
    survey: Annotated[str | None, typer.Option("--survey", metavar="NAME", help="Survey of all rows.")] = None,
    survey_file: SurveyFiles = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="NAME=RAW", help="Raw column, as in z_spec=zbest.")
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", metavar="SCALE", help="Of the flags: auto, survey, common or probability.")
    ] = "auto",
    angle: Annotated[
        str, typer.Option("--angle", metavar="UNIT", help="Of the positions: auto, deg, hourangle or rad.")
    ] = "auto",
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Of an HDF5 file with several tables.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Read a catalogue as 'combine' will, and say what was found: columns, rules, what is missing."""
    from pzcenter.cli.screen import print_json
    from pzcenter.cli.specz_screen import print_source
    from pzcenter.training.redshift_source import RedshiftSource, read_source
    from pzcenter.training.surveys import load_survey

    further = [load_survey(path) for path in survey_file or []]
    if survey is None and len(further) == 1:
        survey = further[0].name
    source = _source(
        name=_name_of(table), path=str(table), survey=survey, columns=_pairs(column), scale=scale, angle=angle,
        group=group, model=RedshiftSource,
    )  # fmt: skip
    _, report = read_source(source, table, further=further)
    if as_json:
        print_json(report.as_dict())
        return
    print_source(report)


def _source(*, model: Any, **words: Any) -> Any:
    from pydantic import ValidationError

    from pzcenter.errors import ConfigError
    from pzcenter.training.settings_files import faults_of

    try:
        return model(**words)
    except ValidationError as error:
        raise ConfigError(faults_of(error)) from error


def _name_of(path: Path) -> str:
    name = "".join(letter if letter.isalnum() or letter in "._+-" else "_" for letter in path.name.split(".")[0])
    return name.lstrip("._+-") or "catalogue"


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _pairs(words: list[str] | None) -> dict[str, str]:
    found = {}
    for text in words or []:
        name, equals, raw = text.partition("=")
        if not (name and equals and raw):
            raise typer.BadParameter(f"--column {text!r} is not of the form NAME=RAW, such as z_spec=zbest")
        found[name] = raw
    return found


def init(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file to write.")],
    catalogues: Annotated[
        list[str], typer.Argument(metavar="FILE[=SURVEY]...", help="Catalogues; a survey alone is fetched.")
    ],
    *,
    survey_file: SurveyFiles = None,
    overwrite: Overwrite = False,
) -> None:
    """Write settings for 'combine' with all defaults, to be edited."""
    from pzcenter.cli.screen import stdout
    from pzcenter.training.combine import CombineConfig
    from pzcenter.training.init_files import write_settings
    from pzcenter.training.redshift_source import RedshiftSource
    from pzcenter.training.surveys import load_survey, survey_named

    further = [load_survey(each) for each in survey_file or []]
    sources: list[RedshiftSource] = []
    for text in catalogues:
        file, _, survey = text.partition("=")
        there = Path(file).exists()
        if not there and (survey or "." in file or "/" in file):
            from pzcenter.errors import NotFoundError

            raise NotFoundError(f"{file} does not exist")
        if survey or not there:
            survey_named(survey or file, further)
        sources.append(
            RedshiftSource(
                name=_free_name(_name_of(Path(file)), {each.name for each in sources}),
                path=file if there else None,
                survey=survey or (None if there else file),
            )
        )
    settings = CombineConfig(sources=tuple(sources), survey_files=tuple(str(each) for each in survey_file or []))
    write_settings(path, settings, "What is combined, and how.", overwrite=overwrite)
    stdout().print(f"{path}; next: pz specz combine {path} redshifts", markup=False, soft_wrap=True)


def samples(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory.")],
) -> None:
    """Copy samples of public catalogues that come with PZ Center, to try things on."""
    from pzcenter.cli.screen import stdout
    from pzcenter.training.samples import copy_samples

    path = copy_samples(directory)
    stdout().print(f"next: pz specz combine {path} redshifts", markup=False, soft_wrap=True)


def combine(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, such as 'init' writes.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory of the product.")],
    *,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="MODE", help="concatenate, mark or remove, in place of the file's."),
    ] = None,
    cache: CacheDir = None,
    offline: Offline = False,
    refresh: Refresh = False,
    page: WithPage = True,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Combine catalogues of redshifts: one scale of quality, repeated measurements found.

    Rows are never dropped without being counted: the numbers are printed, and kept with the product.
    """
    from pydantic import ValidationError

    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.cli.specz_screen import print_combined
    from pzcenter.errors import ConfigError
    from pzcenter.training.build import Fetcher, build_redshifts

    console = stderr()
    try:
        product, made = build_redshifts(
            config, directory, changes={"mode": mode} if mode else None, overwrite=overwrite, with_page=page,
            fetcher=Fetcher(cache, offline, refresh),
            progress=lambda done, n: console.print(f"read {done} of {n} catalogues") if n > N_SHOWN else None,
        )  # fmt: skip
    except ValidationError as error:
        raise ConfigError(f"--mode {mode!r}: concatenate, mark and remove are accepted") from error
    if as_json:
        print_json(product.report)
        return
    print_combined(made.report, product.directory)


group = verb_group("Redshifts of surveys: fetch, check, combine on one scale of quality.", COMBINE_EXAMPLES)
add_verb(group, surveys, SURVEYS_EXAMPLES)
add_verb(group, fetch, FETCH_EXAMPLES)
add_verb(group, check, CHECK_EXAMPLES)
add_verb(group, samples, SAMPLES_EXAMPLES)
add_verb(group, init, INIT_EXAMPLES)
add_verb(group, combine, COMBINE_EXAMPLES)

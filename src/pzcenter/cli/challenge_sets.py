"""``pz challenge sets`` and ``pz challenge stress``: what challenges are made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import JsonOutput, Workers

if TYPE_CHECKING:
    from pzcenter.pipelines.stress_tests import StressResult

__all__ = ["SETS_EXAMPLES", "STRESS_EXAMPLES", "sets", "stress"]

SETS_EXAMPLES = (("pz challenge sets sets.yaml my-sets", "train, validation and test of every variant"),)
STRESS_EXAMPLES = (
    ("pz challenge stress my-sets/representative stress --mag-cut i=23.5 --missing-z 1.0:1.4 --missing-band u",
     "degraded sets, and the challenge.yaml of them"),
    ("pz challenge stress my-sets/representative stress --mag-cut i=23 --method neighbours", "try one method"),
)  # fmt: skip


def sets(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="YAML: source, split, variants.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory, for its owner alone.")],
    *,
    workers: Workers = None,
    as_json: JsonOutput = False,
) -> None:
    """Make standard sets from a simulation or a training set, representative and not, with declared selections.

    All variants share one test sample. The same settings give the same bytes.
    """
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.pipelines.standard_sets import make_standard_sets

    made = make_standard_sets(settings, directory, workers=workers)
    if as_json:
        print_json({"directory": made.directory, **made.report})
        return
    table = plain_table(
        str(made.directory), variant="left", representative="left", train="right", validation="right", test="right",
        distance_in_z="right",
    )  # fmt: skip
    for name, words in made.report["variants"].items():
        rows = [f"{words['samples'].get(each, {}).get('n_out', 0):,}" for each in ("train", "validation", "test")]
        distance = words["distance_of_train_from_test"].get("z_spec", float("nan"))
        table.add_row(name, "yes" if words["is_representative"] else "no", *rows, f"{distance:.3f}")
    stdout().print(table)


def stress(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SET", help="Standard set, training set that is split, or (with --test) a training table."
        ),
    ],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory, for its owner alone.")],
    *,
    test: Annotated[Path | None, typer.Option("--test", metavar="TABLE", help="Test table with z_spec.")] = None,
    mag_cut: Annotated[
        list[str] | None,
        typer.Option("--mag-cut", metavar="BAND=MAG", help="Train on brighter objects only; several times."),
    ] = None,
    missing_z: Annotated[
        list[str] | None,
        typer.Option("--missing-z", metavar="LOW:HIGH", help="Train without this range of redshift; several times."),
    ] = None,
    missing_band: Annotated[
        list[str] | None,
        typer.Option("--missing-band", metavar="BAND", help="Train without this band; several times."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", help="Train this method on each set, and score it; of 'pz methods'."),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Degrade a training set in declared ways: scenarios of a challenge, or a trial of one method.

    The test set stays as it is. DIR/challenge.yaml is for 'pz challenge create'; with a method the numbers are in
    DIR/stress.json.
    """
    from pzcenter.cli.screen import print_json, stdout
    from pzcenter.pipelines.stress_tests import read_stress_sources, run_stress_tests, write_stress_challenge
    from pzcenter.training.degradations import degradations_of

    wanted = degradations_of(
        mag_cuts=[_band_and_limit(text) for text in mag_cut or []],
        missing_z=[_range(text) for text in missing_z or []],
        missing_bands=missing_band or [],
    )
    sources = read_stress_sources(source, test)
    path = write_stress_challenge(sources, wanted, directory)
    if method is None:
        if as_json:
            print_json({"settings": path, "scenarios": [each.name for each in wanted]})
            return
        stdout().print(f"{len(wanted)} scenarios; next: pz challenge create {path} CHALLENGE", soft_wrap=True)
        return
    results = run_stress_tests(sources, wanted, method, path=directory / "stress.json")
    if as_json:
        print_json([{"name": each.name, "values": each.values, "failure": each.failure} for each in results])
    else:
        _print_results(method, results)
    if any(each.failure for each in results):
        raise typer.Exit(1)


def _print_results(method: str, results: tuple[StressResult, ...]) -> None:
    from pzcenter.cli.screen import plain_table, stderr, stdout
    from pzcenter.pipelines.stress_tests import STRESS_METRICS

    table = plain_table(method, training_set="left", objects="right", **dict.fromkeys(STRESS_METRICS, "right"))
    for each in results:
        numbers = [each.values.get(name, (float("nan"), float("nan"))) for name in STRESS_METRICS]
        table.add_row(each.name, f"{each.n_train:,}", *(f"{value:.4f} ± {error:.4f}" for value, error in numbers))
        if each.failure:
            stderr().print(f"{each.name}: {each.failure}", markup=False, soft_wrap=True)
    stdout().print(table)


def _band_and_limit(text: str) -> tuple[str, float]:
    from pzcenter.errors import ConfigError

    band, _, limit = text.partition("=")
    try:
        return band, float(limit)
    except ValueError:
        raise ConfigError(f"--mag-cut takes BAND=MAG, such as i=23.5; got {text!r}") from None


def _range(text: str) -> tuple[float, float]:
    from pzcenter.errors import ConfigError

    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise ConfigError(f"--missing-z takes LOW:HIGH, such as 1.0:1.4; got {text!r}") from None

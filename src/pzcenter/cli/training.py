"""``pz training``: training sets from redshifts and an object catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import JsonOutput, MappingName, Overwrite, WithPage
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.training.make import TrainingSet

__all__ = ["group"]

INIT_EXAMPLES = (("pz training init training.yaml redshifts objects.parquet", "settings to begin with"),)
MAKE_EXAMPLES = (("pz training make training.yaml training", "match, select, split, and see what it covers"),)
REHEARSE_EXAMPLES = (
    ("pz training rehearse redshifts sky objects.parquet", "simulated galaxies where the redshifts are"),
)
EXPORT_EXAMPLES = (
    ("pz training export training train.parquet --split train", "rows to train on"),
    ("pz training export training test.fits --split test", "rows to test with, as FITS"),
)
REPORT_EXAMPLES = (
    ("pz training report training", "the page of a product, made again in training/report.html"),
    ("pz training report training --out page.html", "the same in a file of its own"),
)
INFO_EXAMPLES = (("pz training info training", "what is in a training set, after a look at every checksum"),)


def init(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file to write.")],
    redshifts: Annotated[Path, typer.Argument(metavar="REDSHIFTS", help="Product of 'pz specz combine'.")],
    objects: Annotated[Path, typer.Argument(metavar="OBJECTS", help="Object catalogue: file, directory or HATS.")],
    *,
    mapping: MappingName = None,
    overwrite: Overwrite = False,
) -> None:
    """Write settings for 'make' with all defaults, to be edited."""
    from pzcenter.cli.screen import stdout
    from pzcenter.training.init_files import write_settings
    from pzcenter.training.make import TrainingConfig

    config = TrainingConfig(redshifts=str(redshifts), objects=str(objects), mapping=mapping)
    write_settings(path, config, "A training set: what it is made of, and how.", overwrite=overwrite)
    stdout().print(f"{path}; next: pz training make {path} training", markup=False, soft_wrap=True)


def make(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, such as 'init' writes.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory of the product.")],
    *,
    page: WithPage = True,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Make a training set: match redshifts with objects, select, split, thin out, and see what it covers."""
    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.training.build import build_training_set

    console, said = stderr(), set[tuple[str, int]]()

    def tell(stage: str, done: int, n_all: int) -> None:
        tenth = 10 * done // max(n_all, 1)
        if n_all > 1 and done and (stage, tenth) not in said:
            said.add((stage, tenth))
            console.print(f"{stage}: {done} of {n_all}")

    product, made = build_training_set(config, directory, overwrite=overwrite, with_page=page, progress=tell)
    if as_json:
        print_json(product.report)
        return
    _print_training_set(made, product.directory)


def _print_training_set(made: TrainingSet, directory: Path) -> None:
    from pzcenter.cli.screen import stderr, stdout

    out, match = stdout(), made.match
    out.print(
        f"{match.n_matched:,} of {made.n_redshifts:,} redshifts have an object within {match.radius_arcsec:g} arcsec; "
        f"median distance {match.median_separation_arcsec:.3f} arcsec; about {match.false_share:.2%} of the pairs are "
        "chance",
        soft_wrap=True,
    )
    for words in (*made.selection.sentences, *made.split.sentences):
        out.print(words, markup=False, soft_wrap=True)
    for report in made.subsamples:
        for words in report.sentences:
            out.print(words, markup=False, soft_wrap=True)
    if made.coverage is not None:
        for words in made.coverage.summary_sentences:
            out.print(words, markup=False, soft_wrap=True)
    out.print(f"{made.table.num_rows:,} rows in {directory}", soft_wrap=True)
    for words in match.warnings:
        stderr().print(f"warning: {words}", markup=False, soft_wrap=True)


def rehearse(
    redshifts: Annotated[Path, typer.Argument(metavar="REDSHIFTS", help="Product of 'pz specz combine'.")],
    sky: Annotated[Path, typer.Argument(metavar="SKY", help="Directory that 'pz simulate' made.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Parquet file to write.")],
    *,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the errors of positions.", min=0)] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Put simulated galaxies where real redshifts are: an object catalogue to rehearse with.

    Each galaxy that a measurement was kept for gets a simulated one of nearly its redshift.
    """
    import numpy as np
    import pyarrow.compute as pc

    from pzcenter.catalogs.writers import write_partition
    from pzcenter.cli.screen import stdout
    from pzcenter.errors import OutputExistsError
    from pzcenter.simulation.placed import place_objects
    from pzcenter.training.product import open_product

    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is there already; --overwrite replaces it")
    table = open_product(redshifts).table()
    if "tie_result" in table.column_names:
        table = table.filter(pc.equal(table.column("tie_result"), 1))
    ra, dec, z_spec = (
        np.asarray(pc.fill_null(table.column(name), np.nan).to_numpy()) for name in ("ra", "dec", "z_spec")
    )
    objects = place_objects(sky, ra, dec, z_spec, seed=seed)
    write_partition(objects, path.parent, path.name)
    n_placed = int((np.isfinite(ra) & (z_spec > 0)).sum())
    stdout().print(f"{path}: {objects.num_rows:,} objects, {n_placed:,} of them at redshifts", soft_wrap=True)


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Product of 'training make' or 'specz combine'.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; its name says the format.")],
    *,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Sample: train, validation or test; all by default.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FORMAT", help="parquet, fits, csv, hdf5, votable, rail or hats.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a product, or one of its samples, in another format."""
    from pzcenter.cli.screen import stdout
    from pzcenter.training.product import export_product

    report = export_product(directory, path, split=split, to=to, overwrite=overwrite)
    stdout().print(f"{report.destination}: {report.n_rows:,} rows", markup=False, soft_wrap=True)


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Product of 'training make' or 'specz combine'.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="HTML file to write; DIR/report.html by default.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make the page of a finished product again: everything that was counted, with figures, in one HTML file.

    Figures of redshifts or objects that are not there any more are left out, and the page says so.
    """
    from pzcenter.cli.screen import stderr, stdout
    from pzcenter.training.product_page import make_product_page

    page = make_product_page(directory, out, overwrite=overwrite)
    for words in page.left_out:
        stderr().print(f"warning: {words}", markup=False, soft_wrap=True)
    stdout().print(f"{page.path}; open it in a browser", markup=False, soft_wrap=True)


def info(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Product of 'specz combine' or 'training make'.")],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Look at a product: every checksum, its rows and samples, and the command that made it."""
    import pyarrow.compute as pc

    from pzcenter.catalogs import read_provenance
    from pzcenter.cli.screen import print_json, stdout
    from pzcenter.training.product import open_product

    product = open_product(directory, verify=True)
    record = read_provenance(directory)
    table = product.table()
    counts = {
        name: {str(each["values"]): each["counts"] for each in pc.value_counts(table.column(name)).to_pylist()}
        for name in ("survey", "z_flag", "z_type", "split", "tie_result")
        if name in table.column_names
    }
    facts = {
        "table": product.table_name, "n_rows": product.n_rows, "sha256": product.sha256, "command": record["command"],
        "pzcenter": record["pzcenter"], "counts": counts,
    }  # fmt: skip
    if as_json:
        print_json(facts)
        return
    out = stdout()
    out.print(f"{product.table_name}: {product.n_rows:,} rows, all files as their checksums say", soft_wrap=True)
    for name, values in counts.items():
        most = sorted(values.items(), key=lambda each: -each[1])
        out.print(f"  {name}: {', '.join(f'{value} {n:,}' for value, n in most)}", markup=False, soft_wrap=True)
    out.print(f"  made by: {' '.join(record['command'])}", markup=False, soft_wrap=True)
    out.print(f"  sha256 of the table: {product.sha256}", soft_wrap=True)


group = verb_group("Training sets: match redshifts with objects, select, split, see what is covered.", MAKE_EXAMPLES)
add_verb(group, init, INIT_EXAMPLES)
add_verb(group, make, MAKE_EXAMPLES)
add_verb(group, rehearse, REHEARSE_EXAMPLES)
add_verb(group, report, REPORT_EXAMPLES)
add_verb(group, export, EXPORT_EXAMPLES)
add_verb(group, info, INFO_EXAMPLES)

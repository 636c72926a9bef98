"""``pz nz``: redshift distributions of the tomographic bins of a PZ table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from pzcenter.cli.options import FLAG, JsonOutput, MappingName, Overwrite, WithPage
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.pipelines.nz import NzProduct

__all__ = ["ESTIMATE_EXAMPLES", "SHOW_EXAMPLES", "estimate", "group", "show"]

ESTIMATE_EXAMPLES = (
    ("pz nz estimate my-pz my-nz --bins equal:5", "five bins of equal numbers, by summing p(z)"),
    ("pz nz estimate my-pz my-nz --bins lens_y1 --method som --training specz.parquet", "known redshifts, reweighted"),
    ("pz nz estimate my-pz my-nz --bins 0.2,0.5,0.8,1.2 --method hierarchical", "with the prior of the p(z) taken out"),
)
SHOW_EXAMPLES = (("pz nz show my-nz", "mean and width of each bin, after a check of the files"),)


def estimate(
    run_dir: Annotated[Path, typer.Argument(metavar="PZ_TABLE", help="Directory of a finished 'pz estimate'.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to make for the n(z).")],
    *,
    bins: Annotated[
        str,
        typer.Option(
            "--bins",
            metavar="BINS",
            help="Edges (0,0.3,0.6), ranges (0.2:0.4,0.5:0.8), lens_y1, lens_y10, or equal:N for equal numbers.",
        ),
    ] = "equal:5",
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="stack, som or hierarchical; see the how-to.")
    ] = "stack",
    training: Annotated[
        Path | None,
        typer.Option("--training", metavar="TABLE", help="Objects of known redshift with fluxes like the target's."),
    ] = None,
    redshifts: Annotated[
        Path | None, typer.Option("--redshifts", metavar="TABLE", help="Object ids and redshifts for --training.")
    ] = None,
    mapping: MappingName = None,
    point: Annotated[
        str, typer.Option("--point", metavar="NAME", help="Point estimate that puts objects into bins.")
    ] = "z_best",
    step: Annotated[float, typer.Option("--step", metavar="DZ", help="Width of the cells of the histograms.")] = 0.05,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="FLAG", help="Leave objects with this flag out; may be repeated."),
    ] = None,
    n_sample: Annotated[
        int, typer.Option("--n-sample", metavar="N", help="Resamples, or draws of the posterior.", min=2)
    ] = 200,
    groups: Annotated[
        str,
        typer.Option(
            "--groups",
            metavar="KIND",
            help="stack: resample random groups of objects, or cells of the sky (0.8 square degrees).",
        ),
    ] = "random",
    prior: Annotated[
        str,
        typer.Option(
            "--prior",
            metavar="KIND",
            help="hierarchical: the prior in the p(z): model (its card), training (redshifts of --training) or flat.",
        ),
    ] = "model",
    n_max: Annotated[
        int, typer.Option("--n-max", metavar="N", help="hierarchical: most objects that take part.", min=1)
    ] = 50_000,
    n_iter: Annotated[
        int, typer.Option("--n-iter", metavar="N", help="hierarchical: steps of each of two chains.", min=4)
    ] = 3000,
    band: Annotated[
        list[str] | None,
        typer.Option("--band", metavar="BAND", help="som: band of the map, in order of wavelength; may be repeated."),
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option("--cells", metavar="N", help="som: rows and columns of the map; by the training by default."),
    ] = None,
    spec_bins: Annotated[
        bool,
        typer.Option(
            "--spec-bins/--no-spec-bins",
            metavar=FLAG,
            help="som: put the objects of known redshift into bins with the model of the table.",
        ),
    ] = True,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of all random numbers.")] = 0,
    page: WithPage = True,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Estimate n(z) of tomographic bins with its uncertainty.

    Writes Parquet tables (n(z) with errors, samples, covariance, bins), qp ensembles, a manifest with provenance and
    a page. The table is streamed: its size does not matter for the memory.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.pipelines.nz import NzSettings, estimate_nz

    settings = NzSettings(
        method=method,
        bins=bins,
        point=point,
        step=step,
        exclude=tuple(exclude or ()),
        n_sample=n_sample,
        n_max=n_max,
        groups=cast("Literal['random', 'sky']", groups),
        prior=cast("Literal['model', 'training', 'flat']", prior),
        n_iter=n_iter,
        bands=tuple(band) if band else None,
        shape=None if cells is None else (cells, cells),
        use_bins=spec_bins,
        seed=seed,
    )
    with StepProgress() as progress:
        made = estimate_nz(
            run_dir,
            directory,
            settings,
            training=training,
            redshifts=redshifts,
            mapping=mapping,
            page=page,
            overwrite=overwrite,
            progress=progress.for_step("n(z)"),
        )
    _print_product(made, as_json=as_json)


def show(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What 'pz nz estimate' made.")],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Show the bins of an n(z) product; its checksums are verified first."""
    from pzcenter.pipelines.nz import read_nz

    _print_product(read_nz(directory), as_json=as_json)


def _print_product(made: NzProduct, *, as_json: bool) -> None:
    from pzcenter.cli.screen import plain_table, print_json, stderr, stdout

    if as_json:
        print_json({"directory": made.directory, **made.plain()})
        return
    columns = {"bin": "left", "objects": "right", "mean": "right", "error": "right", "width": "right"}
    table = plain_table(f"n(z), {made.method}", **columns, error_="right", not_represented="right")
    for row, name in zip(made.bin_rows(), made.bins.names, strict=True):
        table.add_row(
            name,
            f"{row['n_obj']:,}",
            f"{row['mean']:.4f}",
            f"± {row['mean_err']:.4f}",
            f"{row['width']:.4f}",
            f"± {row['width_err']:.4f}",
            f"{100 * row['share_without_redshifts']:.1f} %",
        )
    stdout().print(table)
    stdout().print(f"[dim]{made.label}[/]", soft_wrap=True)
    for note in made.notes:
        stderr().print(note, markup=False, soft_wrap=True)
    stdout().print(f"[dim]n(z)[/]  {made.directory}", soft_wrap=True)


group = verb_group("Redshift distributions n(z) of the tomographic bins of a PZ table.", ESTIMATE_EXAMPLES)
add_verb(group, estimate, ESTIMATE_EXAMPLES)
add_verb(group, show, SHOW_EXAMPLES)

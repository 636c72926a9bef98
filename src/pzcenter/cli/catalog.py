"""``pz catalog``: look at tables, make skinny ones, convert, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import FLAG, EbvMap, JsonOutput, MappingName, Overwrite

__all__ = [
    "CONVERT_EXAMPLES",
    "INFO_EXAMPLES",
    "SKINNY_EXAMPLES",
    "VERIFY_EXAMPLES",
    "convert",
    "info",
    "skinny",
    "verify",
]

INFO_EXAMPLES = (
    ("pz catalog info galaxies.fits", "columns, rows, place on the sky, and which mapping fits"),
    ("pz catalog info training.hdf5 --group photometry --json", "one group, for programs"),
)
SKINNY_EXAMPLES = (
    ("pz catalog skinny galaxies.parquet skinny", "mapping found, cuts as it says"),
    ("pz catalog skinny cat.csv skinny -m mine.yaml --cut 'i_snr > 5'", "own columns and cut"),
    ("pz catalog skinny cat.fits skinny --bands g,r,i,z --ebv-map sfd", "four bands, dust from a map"),
)
CONVERT_EXAMPLES = (
    ("pz catalog convert my-pz pz.fits", "the PZ table of a run, format by the name"),
    ("pz catalog convert my-pz pdf.hdf5 --to qp", "its p(z), for qp and RAIL"),
    ("pz catalog convert galaxies.csv galaxies --to hats", "any table, for LSDB"),
)
VERIFY_EXAMPLES = (
    ("pz catalog verify my-pz", "all tables of a run"),
    ("pz catalog verify my-pz/pz", "one of them"),
)

Group = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="HDF5 group or FITS extension, where a file has several tables."),
]


def info(
    path: Annotated[Path, typer.Argument(metavar="TABLE", help="Table of any format that can be read.")],
    *,
    group: Group = None,
    sky: Annotated[
        bool, typer.Option("--sky/--no-sky", metavar=FLAG, help="Read the positions for the place on the sky.")
    ] = True,
    as_json: JsonOutput = False,
) -> None:
    """Say what a catalogue is: columns with units, rows, partitions, place on the sky, and the mapping that fits."""
    from rich.markup import escape

    from pzcenter.catalogs import catalog_info
    from pzcenter.cli.screen import plain_table, print_json, stdout

    found = catalog_info(path, group=group, sky=sky)
    if as_json:
        print_json(found.as_dict())
        return
    box = found.sky
    facts = {
        "path": found.path,
        "format": found.format,
        "rows": "not known before they are read" if found.n_rows is None else f"{found.n_rows:,}",
        "partitions": f"{found.n_partitions:,}",
        "mapping": found.mapping or "none fits",
        "bands": ", ".join(found.bands) or "-",
        "sky": "-"
        if box is None
        else f"ra {box.ra_min:.4f} to {box.ra_max:.4f}, dec {box.dec_min:+.4f} to {box.dec_max:+.4f} deg",
        "manifest": "yes: 'pz catalog verify' checks it" if found.has_manifest else "no",
    }
    table = plain_table(what="left", value="left")
    table.show_header = False
    for name, words in facts.items():
        table.add_row(f"[dim]{name}[/]", escape(words))
    stdout().print(table)
    if found.note:
        stdout().print(f"\n{found.note}", markup=False, soft_wrap=True)
    columns = plain_table(f"{len(found.columns)} columns", name="left", type="left", unit="left")
    for column in found.columns:
        columns.add_row(escape(column.name), column.type, escape(column.unit))
    stdout().print()
    stdout().print(columns)


def skinny(
    catalogue: Annotated[Path, typer.Argument(metavar="CATALOGUE", help="Object table of any format.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to make.")],
    *,
    mapping: MappingName = None,
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="LIST", help="Bands that must be there, such as g,r,i,z.")
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            "--cut", metavar="CUT", help="Keep rows that fulfil this, in place of the mapping's cuts; may be repeated."
        ),
    ] = None,
    no_cuts: Annotated[bool, typer.Option("--no-cuts", metavar=FLAG, help="Keep all rows.")] = False,
    deredden: Annotated[
        bool, typer.Option("--deredden/--no-deredden", metavar=FLAG, help="Take out Galactic extinction.")
    ] = True,
    ebv_map: EbvMap = None,
    row_numbers: Annotated[
        bool, typer.Option("--row-numbers", metavar=FLAG, help="Number the rows in place of an id column.")
    ] = False,
    rows_per_partition: Annotated[
        int, typer.Option("--rows-per-partition", metavar="N", help="Most rows of one file.", min=1)
    ] = 150_000,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Make the skinny table: the columns that photo-z methods need, in nJy, dereddened, cut and partitioned.

    'pz estimate' does this by itself; make it alone to use one skinny table for several models. When it is
    interrupted, the same command continues.
    """
    from rich.markup import escape

    from pzcenter.catalogs import make_skinny
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.cli.settings import dust_map

    if cut and no_cuts:
        raise typer.BadParameter("give either --cut or --no-cuts")
    with StepProgress() as progress:
        made = make_skinny(
            catalogue,
            directory,
            mapping,
            bands=None if bands is None else [band.strip() for band in bands.split(",") if band.strip()],
            cuts=[] if no_cuts else cut or None,
            deredden=deredden,
            ebv_map=dust_map(ebv_map),
            row_numbers=row_numbers,
            rows_per_partition=rows_per_partition,
            resume=not overwrite,
            overwrite=overwrite,
            progress=progress.for_step("skinny"),
        )
    if as_json:
        print_json(made.as_dict())
        return
    table = plain_table(f"Mapping {made.mapping}, bands {', '.join(made.bands)}", rows="left", number="right")
    table.add_row("read", f"{made.n_in:,}")
    for name, number in made.n_cut.items():
        table.add_row(f"removed by the cut '{escape(name)}'", f"{number:,}")
    table.add_row("written", f"{made.n_out:,}")
    for name, number in made.n_flagged.items():
        table.add_row(f"[dim]flagged {name}[/]", f"[dim]{number:,}[/]")
    stdout().print(table)
    for note in made.notes:
        stdout().print(f"[yellow]note[/]  {escape(note)}", soft_wrap=True)
    stdout().print(f"[dim]{made.n_partitions} partitions in[/]  {made.path}", soft_wrap=True)


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Table of any format, directory of a run, or qp file.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DESTINATION", help="File, or directory for hats.")],
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="qp, parquet, hats, fits, csv, hdf5, rail or pz_pdf; by default that of the name.",
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="LIST", help="Columns to write, such as objectId,z_best.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Write a catalogue or a PZ table in another format, whole or not at all."""
    from dataclasses import asdict

    from pzcenter.catalogs import convert as convert_catalog
    from pzcenter.cli.screen import print_json, stdout

    made = convert_catalog(
        source,
        destination,
        to,
        columns=None if columns is None else [name.strip() for name in columns.split(",") if name.strip()],
        overwrite=overwrite,
    )
    if as_json:
        print_json(asdict(made))
    else:
        stdout().print(f"{made.n_rows:,} rows as {made.to} in  {made.destination}", soft_wrap=True)


def verify(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Data set with a manifest.json, or directory of a run.")
    ],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Check every file against its manifest: size and SHA-256."""
    from pzcenter.catalogs.manifest import MANIFEST_NAME, verify_manifest
    from pzcenter.cli.screen import bytes_text, plain_table, print_json, stdout

    inside = [directory / name for name in ("skinny", "pz", "pz_pdf") if (directory / name / MANIFEST_NAME).is_file()]
    roots = [directory] if (directory / MANIFEST_NAME).is_file() or not inside else inside
    verified = {root: verify_manifest(root) for root in roots}
    if as_json:
        print_json(
            [
                {"path": root, "table": found.table, "n_files": len(found.files), "n_rows": found.n_rows,
                 "n_bytes": found.n_bytes}
                for root, found in verified.items()
            ]
        )  # fmt: skip
        return
    table = plain_table(path="left", table="left", files="right", rows="right", size="right", result="left")
    for root, found in verified.items():
        size = bytes_text(found.n_bytes)
        table.add_row(
            str(root), found.table, f"{len(found.files):,}", f"{found.n_rows:,}", size, "[green]as written[/]"
        )
    stdout().print(table)

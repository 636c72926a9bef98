"""``pz repo``: the Butler repository of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pzcenter.cli import bundle
from pzcenter.cli.options import FLAG, JsonOutput, MappingName
from pzcenter.cli.verbs import add_verb, verb_group

__all__ = ["group"]

EXAMPLES = (
    ("pz repo create repo", "SQLite and files below one directory"),
    ("pz repo ingest repo objects --release dp1", "object tables, by reference"),
    ("pz repo model repo template --release dp1", "models of a method that needs no training"),
    ("pz repo counts repo --collection dp1/first", "what a campaign made, and what it lacks"),
)
CREATE_EXAMPLES = (
    EXAMPLES[0],
    ("pz repo create repo --db postgresql://pz@db.example/pz --store s3://bucket/pz", "for a site"),
)
INGEST_EXAMPLES = (
    EXAMPLES[1],
    ("pz repo ingest repo hats/object --release dp2", "a HATS catalogue; its pixels become tracts"),
    ("pz repo ingest repo all.parquet --release dp1 --transfer copy", "one file, split by its column tract"),
)
TRUTH_EXAMPLES = (("pz repo truth repo specz.csv --release dp1", "redshifts to measure on"),)
TRAINING_EXAMPLES = (("pz repo training repo specz.parquet --release dp1", "redshifts to learn from"),)
MODEL_EXAMPLES = (
    EXAMPLES[2],
    (
        "pz repo model repo neighbours --release dp1 --model six --model four",
        "trained models, one for each set of bands",
    ),
)
LIST_EXAMPLES = (("pz repo list repo", "collections, and how many datasets each has"),)
TYPES_EXAMPLES = (("pz repo types repo", "names, dimensions, storage classes"),)
QUERY_EXAMPLES = (
    ("pz repo query repo object --id tract=9813..9815", "some tracts"),
    ("pz repo query repo pz_template --collection dp1/first --where 'tract > 9000'", "expression of the Butler"),
)
COLLECTIONS_EXAMPLES = (("pz repo collections repo", "runs and chains"),)
CHAIN_EXAMPLES = (("pz repo chain repo dp1/published dp1/first", "the chain becomes what is named"),)
COUNTS_EXAMPLES = EXAMPLES[3:]

Repo = Annotated[str, typer.Argument(metavar="REPO", help="Directory or URI of the repository.")]
Release = Annotated[str, typer.Option("--release", metavar="NAME", help="First part of the names of collections.")]
Skymap = Annotated[str | None, typer.Option("--skymap", metavar="NAME", help="Tiling; found by default.")]
IdColumn = Annotated[str | None, typer.Option("--id-column", metavar="NAME", help="Column of the object ids.")]
ZColumn = Annotated[str | None, typer.Option("--z-column", metavar="NAME", help="Column of the redshifts.")]
Collection = Annotated[str | None, typer.Option("--collection", metavar="COLL", help="Only this; all by default.")]

group = verb_group("Keep a Butler repository: objects, redshifts, models, and what was made of them.", EXAMPLES)


def create(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="New directory, or URI.")],
    *,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Registry: postgresql://USER@HOST/NAME; SQLite by default."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URI", help="Place of the files: a directory or s3://BUCKET/PREFIX."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="Schema of the database, to share one.")
    ] = None,
) -> None:
    """Make a repository with our dataset types."""
    from pzcenter.cli.screen import stderr
    from pzcenter.pipelines.repository.create import create_repository

    create_repository(repo, db=db, store=store, namespace=namespace)
    stderr().print(f"made the repository {repo}", markup=False)


def ingest(
    repo: Repo,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Directory of Parquet files by tract, HATS catalogue, or one file.")
    ],
    *,
    release: Release,
    skymap: Skymap = None,
    dataset_type: Annotated[str, typer.Option("--type", metavar="NAME", help="Dataset type.")] = "object",
    transfer: Annotated[
        str, typer.Option("--transfer", metavar="HOW", help="direct (by reference) or copy.")
    ] = "direct",
    keep_going: Annotated[
        bool, typer.Option("--keep-going", metavar=FLAG, help="Report files that are refused, and take the others.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Tell a repository of object tables. Again, it takes what is new; a file that changed is an error."""
    from dataclasses import asdict

    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.pipelines.repository.ingest import ingest_objects

    made = ingest_objects(
        repo,
        source,
        release=release,
        skymap=skymap,
        dataset_type=dataset_type,
        transfer=transfer,
        keep_going=keep_going,
    )
    if as_json:
        print_json(asdict(made))
    else:
        words = f"{made.run}: {made.n_new} new files, {made.n_known} known, {made.n_obj:,} objects ({made.skymap})"
        stdout().print(words, markup=False, highlight=False)
        for path, reason in made.refused.items():
            stderr().print(f"refused {path}: {reason}", markup=False)
    if made.refused:
        raise typer.Exit(1)


def truth(
    repo: Repo,
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Object ids and redshifts.")],
    *,
    release: Release,
    skymap: Skymap = None,
    id_column: IdColumn = None,
    z_column: ZColumn = None,
) -> None:
    """Give the objects of a release their known redshifts, to measure on; estimates never see them."""
    from pzcenter.pipelines.repository.known_redshifts import ingest_truth

    _tell_redshifts(ingest_truth(repo, table, release=release, skymap=skymap, id_column=id_column, z_column=z_column))


def training(
    repo: Repo,
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Object ids and redshifts.")],
    *,
    release: Release,
    skymap: Skymap = None,
    mapping: MappingName = None,
    id_column: IdColumn = None,
    z_column: ZColumn = None,
) -> None:
    """Make the training set of a release: photometry of its objects that have a known redshift."""
    from pzcenter.pipelines.repository.known_redshifts import ingest_training_set

    _tell_redshifts(
        ingest_training_set(
            repo, table, release=release, skymap=skymap, mapping=mapping, id_column=id_column, z_column=z_column
        )
    )


def _tell_redshifts(made: Any) -> None:
    from pzcenter.cli.screen import stdout

    known = "" if made.is_new else "known already, "
    share = f"{made.n_found:,} of {made.n_known:,} redshifts are of objects here"
    words = f"{made.run}: {known}{share}, in {made.n_tract} tracts"
    stdout().print(words, markup=False, highlight=False)


def model(
    repo: Repo,
    algo: Annotated[str, typer.Argument(metavar="NAME", help="Method, or the name that its estimates will have.")],
    *,
    release: Release,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="DIR", help="Trained model; one for each set of bands. Without, defaults."),
    ] = None,
    bands: Annotated[
        list[str] | None, typer.Option("--bands", metavar="BANDS", help="Sets of bands of default models.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Setting of default models.")
    ] = None,
) -> None:
    """Add the models of a method; campaigns that begin later use the newest."""
    from pzcenter.cli.screen import stdout
    from pzcenter.cli.settings import method_settings
    from pzcenter.pipelines.repository.models import DEFAULT_BANDS, add_models

    run = add_models(
        repo, algo, models, release=release, bands=tuple(bands or DEFAULT_BANDS), config=method_settings(None, settings)
    )
    stdout().print(f"{run}: photoz_model_{algo}", markup=False, highlight=False)


def list_(repo: Repo, *, as_json: JsonOutput = False) -> None:
    """List the collections with the number of datasets in each."""
    from pzcenter.pipelines.repository.queries import collection_rows, counts

    rows = [
        {
            "collection": row["name"],
            "type": row["type"],
            "datasets": sum(each.n for each in counts(repo, row["name"], with_origin=False)),
        }
        for row in collection_rows(repo)
    ]
    _print_rows(rows, as_json=as_json)


def types(repo: Repo, *, as_json: JsonOutput = False) -> None:
    """List the dataset types with their dimensions and storage classes."""
    from pzcenter.pipelines.repository.queries import type_rows

    _print_rows(type_rows(repo), as_json=as_json)


def query(
    repo: Repo,
    dataset_type: Annotated[str, typer.Argument(metavar="TYPE", help="Dataset type, such as object.")],
    *,
    identifier: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="KEY=VALUE ...", help="Data ids, as in 'tract=1..3:2^7'; several are united."),
    ] = None,
    where: Annotated[str, typer.Option("--where", metavar="EXPR", help="Expression of the Butler.")] = "",
    collection: Collection = None,
    skymap: Annotated[
        str, typer.Option("--skymap", metavar="NAME", help="Tiling, where no data id names one.")
    ] = "lsst_cells_v1",
    as_json: JsonOutput = False,
) -> None:
    """List datasets: data id, run, place."""
    from pzcenter.pipelines.repository.data_ids import where_of
    from pzcenter.pipelines.repository.queries import datasets

    defaults = {"skymap": skymap} if identifier or where else {}
    parts = [f"({text})" for text in (where_of(identifier or [], defaults=defaults), where) if text]
    chosen = " AND ".join(parts)
    if where and "skymap" not in chosen:
        chosen = f"skymap = '{skymap}' AND {chosen}"
    _print_rows(datasets(repo, dataset_type, collections=collection, where=chosen), as_json=as_json)


def collections(repo: Repo, *, as_json: JsonOutput = False) -> None:
    """List the collections: their types, and what chains hold."""
    from pzcenter.pipelines.repository.queries import collection_rows

    _print_rows(collection_rows(repo), as_json=as_json)


def chain(
    repo: Repo,
    name: Annotated[str, typer.Argument(metavar="CHAIN", help="Chain, made where it is not there.")],
    children: Annotated[list[str], typer.Argument(metavar="COLL...", help="Collections, searched in this order.")],
    *,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="redefine, prepend, extend or remove.")
    ] = "redefine",
) -> None:
    """Change what a chained collection holds."""
    from pzcenter.cli.screen import stdout
    from pzcenter.pipelines.repository.queries import edit_chain

    if mode not in ("redefine", "prepend", "extend", "remove"):
        raise typer.BadParameter(f"--mode {mode!r} is not known; redefine, prepend, extend and remove are")
    stdout().print("\n".join(edit_chain(repo, name, children, mode=mode)), markup=False, highlight=False)


def counts(repo: Repo, *, collection: Collection = None, as_json: JsonOutput = False) -> None:
    """Count the datasets of each type, and say how many of those that should be there are."""
    from pzcenter.pipelines.repository.queries import counts as count

    rows = [
        {
            "dataset type": each.dataset_type,
            "number": each.n,
            "made from": each.made_from,
            "expected": each.n_expected,
            "there": None if each.success is None else f"{100 * each.success:.3f} %",
        }
        for each in count(repo, collection)
    ]
    _print_rows(rows, as_json=as_json)


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout

    if as_json:
        print_json(rows)
        return
    if not rows:
        stdout().print("none")
        return
    numbers = {name for name, value in rows[0].items() if isinstance(value, int) and name != "tract"}
    table = plain_table(**{name: "right" if name in numbers else "left" for name in rows[0]})
    for row in rows:
        values = (", ".join(map(str, value)) if isinstance(value, list) else value for value in row.values())
        table.add_row(*("" if value is None else escape(str(value)) for value in values))
    stdout().print(table, soft_wrap=True)


add_verb(group, create, CREATE_EXAMPLES)
add_verb(group, ingest, INGEST_EXAMPLES)
add_verb(group, truth, TRUTH_EXAMPLES)
add_verb(group, training, TRAINING_EXAMPLES)
add_verb(group, model, MODEL_EXAMPLES)
add_verb(group, list_, LIST_EXAMPLES, name="list")
add_verb(group, types, TYPES_EXAMPLES)
add_verb(group, query, QUERY_EXAMPLES)
add_verb(group, collections, COLLECTIONS_EXAMPLES)
add_verb(group, chain, CHAIN_EXAMPLES)
add_verb(group, counts, COUNTS_EXAMPLES)
add_verb(group, bundle.export_run, bundle.EXPORT_EXAMPLES, name="export-run")
add_verb(group, bundle.import_run, bundle.IMPORT_EXAMPLES, name="import-run")
add_verb(group, bundle.imported, bundle.IMPORTED_EXAMPLES)

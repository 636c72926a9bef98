"""``pz provenance``: where a row of a PZ table comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput

if TYPE_CHECKING:
    from pzcenter.pipelines.lineage.records import DatasetFacts, Lineage, QuantumFacts

__all__ = ["EXAMPLES", "provenance"]

EXAMPLES = (
    ("pz provenance 600000000000012345 --campaign campaign", "by the directory of its campaign"),
    ("pz provenance 600000000000012345 --repo repo --collections dp2/first", "by repository and collection"),
    ("pz provenance 600000000000012345 --package package --prov row.json", "from a delivery, as a PROV document"),
)
MAIN_PACKAGES = ("pzcenter", "python", "numpy", "numba", "pyarrow", "daf_butler", "pipe_base")


def provenance(
    object_id: Annotated[int | None, typer.Argument(metavar="OBJECTID", help="Id of the object.")] = None,
    *,
    first: Annotated[
        bool, typer.Option("--first", metavar=FLAG, help="Any object, in place of an id: the first there is.")
    ] = False,
    campaign: Annotated[
        Path | None, typer.Option("--campaign", metavar="DIR", help="Directory of the campaign that made the table.")
    ] = None,
    package: Annotated[
        Path | None, typer.Option("--package", metavar="DIR", help="Delivery package; no repository is needed.")
    ] = None,
    repo: Annotated[str | None, typer.Option("--repo", metavar="REPO", help="Repository.")] = None,
    collections: Annotated[
        str | None,
        typer.Option("--collections", metavar="LIST", help="Where to look in the repository, joined by commas."),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="Whose table; the campaign's main method by default.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="TYPE", help="Dataset type of another table of tracts, such as pz_skinny."),
    ] = None,
    skymap: Annotated[
        str | None, typer.Option("--skymap", metavar="NAME", help="Needed where there are several.")
    ] = None,
    checksums: Annotated[
        bool,
        typer.Option("--checksums/--no-checksums", metavar=FLAG, help="Read the files to take their SHA-256."),
    ] = True,
    prov: Annotated[
        Path | None, typer.Option("--prov", metavar="FILE", help="Write the chain as W3C PROV-JSON to this file.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Say where the row of an object comes from: files, tasks, configuration, versions, model, sign-offs.

    Give the campaign, the repository with its collections, or a delivery package.
    """
    from pzcenter.cli.screen import json_text, print_json, stderr
    from pzcenter.pipelines.lineage.prov import lineage_document

    if sum(place is not None for place in (campaign, package, repo)) != 1:
        raise typer.BadParameter("give one of --campaign, --repo and --package")
    if (object_id is None) != first:
        raise typer.BadParameter("give an object id, or --first")
    if repo is not None and collections is None:
        raise typer.BadParameter("--repo needs --collections, such as --collections dp2/first")
    if package is not None:
        from pzcenter.pipelines.lineage.package import first_object_of_package, trace_in_package

        number = first_object_of_package(package) if object_id is None else object_id
        found = trace_in_package(package, number, checksums=checksums)
    elif campaign is not None:
        from pzcenter.pipelines.lineage.campaigns import trace_in_campaign

        found = trace_in_campaign(
            campaign, object_id, method=method, table=table, skymap=skymap, checksums=checksums
        )  # fmt: skip
    else:
        from pzcenter.pipelines.lineage.chain import trace_object
        from pzcenter.pipelines.lineage.evidence import open_for_reading
        from pzcenter.pipelines.lineage.find import first_object

        butler = open_for_reading(str(repo))
        names = [name.strip() for name in str(collections).split(",") if name.strip()]
        method = method or "template"
        number = first_object(butler, table or f"pz_{method}", collections=names) if object_id is None else object_id
        found = trace_object(
            butler, number, collections=names, method=method, table=table, skymap=skymap, checksums=checksums
        )  # fmt: skip
    if prov is not None:
        from pzcenter.catalogs.storage import write_text_atomically

        write_text_atomically(prov, json_text(lineage_document(found)) + "\n")
        stderr().print(f"PROV document in  {prov}", markup=False, soft_wrap=True)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)


def _print(found: Lineage) -> None:
    """The row, its model, then from the table back to the files."""
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, stdout

    values = ", ".join(_value(name, value) for name, value in found.row.items())
    facts = {"object": str(found.object_id), "row": values, "tract": f"{found.tract} of {found.skymap}"}
    if found.model is not None:
        trained = "no data" if found.model.n_train is None else f"{found.model.n_train:,} objects"
        used = f", used by {found.model.code_version}" if found.model.code_version else ""
        facts["model"] = f"{found.model.algorithm} {found.model.bands}, made by {found.model.version}{used}"
        facts["model digest"] = found.model.digest
        facts["trained on"] = f"{trained} {found.model.training_sha256 or ''}".strip()
    if found.campaign is not None:
        facts["campaign"] = f"{found.campaign.name} of {found.campaign.release}"
        for sign_off in found.campaign.sign_offs:
            note = f": {sign_off.note}" if sign_off.note else ""
            facts[f"{sign_off.step} signed"] = f"{sign_off.by}, {sign_off.when}{note}"
    table = plain_table(what="left", value="left")
    table.show_header = False
    for name, words in facts.items():
        table.add_row(f"[dim]{name}[/]", escape(words))
    stdout().print(table)
    makers = {quantum.id: quantum for quantum in found.quanta}
    shown: str | None = None
    for dataset in found.datasets:
        stdout().print()
        _print_dataset(dataset)
        quantum = makers.pop(dataset.made_by or "", None)
        if quantum is not None:
            versions = _versions(quantum)
            _print_quantum(quantum, found, "as above" if versions == shown else versions)
            shown = versions
        elif dataset.made_by is not None:
            stdout().print(f"  [dim]made by  [/]{escape(dataset.made_by)}, as above", soft_wrap=True)
    for note in found.notes:
        stdout().print(f"[yellow]note[/]  {escape(note)}", soft_wrap=True)


def _value(name: str, value: object) -> str:
    """Column of the row with its value; flags by their names."""
    from pzcenter.schema.flags import flag_names

    if name == "flags" and isinstance(value, int):
        return f"flags {' '.join(flag_names(value)) or 'none'}"
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _versions(quantum: QuantumFacts) -> str:
    known = [f"{name} {quantum.versions[name].split()[0]}" for name in MAIN_PACKAGES if name in quantum.versions]
    return ", ".join(known) or "not known"


def _print_dataset(dataset: DatasetFacts) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import stdout

    place = ", ".join(f"{name} {value}" for name, value in dataset.data_id.items())
    stdout().print(f"[bold]{escape(dataset.dataset_type)}[/]  {escape(place)}  [dim]{escape(dataset.run)}[/]")
    if dataset.uri:
        stdout().print(f"  {dataset.uri}", markup=False, soft_wrap=True)
    if dataset.sha256:
        same = ", as recorded" if dataset.recorded_sha256 == dataset.sha256 else ""
        stdout().print(f"  sha256 {dataset.sha256}{same}", markup=False, soft_wrap=True)
    if dataset.recorded_sha256 and dataset.recorded_sha256 != dataset.sha256:
        word = "[red]but recorded as[/]" if dataset.sha256 else "recorded as"
        stdout().print(f"  {word} {dataset.recorded_sha256}", soft_wrap=True)


def _print_quantum(quantum: QuantumFacts, found: Lineage, versions: str) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import stdout

    names = {dataset.id: dataset.dataset_type for dataset in found.datasets}
    inputs = ", ".join(names.get(number, number) for number in quantum.inputs) or "-"
    more = f" and {quantum.n_other_inputs} of other tracts" if quantum.n_other_inputs else ""
    lines = {
        "made by": f"{quantum.label} {quantum.id}",
        "from": inputs + more + ("" if quantum.evidence != "pipeline" else " (by the pipeline; no graph is left)"),
        "when": f"{quantum.started or '?'} to {quantum.finished or '?'}",
        "config": quantum.config_sha256 or "not known",
        "versions": versions,
    }
    for name, words in lines.items():
        stdout().print(f"  [dim]{name:<9}[/]{escape(words)}", soft_wrap=True)

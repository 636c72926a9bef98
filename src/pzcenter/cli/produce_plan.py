"""``pz produce plan``: what a release would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput

if TYPE_CHECKING:
    from pzcenter.pipelines.lineage.plan import ProductionPlan

__all__ = ["EXAMPLES", "plan"]

EXAMPLES = (
    ("pz produce plan --objects 4.7e10 --cores 2000", "the last release of the survey"),
    ("pz produce plan --objects 8e8 --cores 64 --days 2 --json", "for programs"),
    ("pz produce plan --objects 1e9 --cores 200 --method template --measure", "after a change of the machine"),
)


def plan(
    *,
    objects: Annotated[float, typer.Option("--objects", metavar="N", help="Objects of the release, such as 4.7e10.")],
    cores: Annotated[int, typer.Option("--cores", metavar="N", help="Processor cores, one worker on each.", min=1)],
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="Name of a method, or directory of a trained model.")
    ] = "template",
    days: Annotated[float, typer.Option("--days", metavar="D", help="Time there is.")] = 7.0,
    rows_per_partition: Annotated[
        int, typer.Option("--rows-per-partition", metavar="N", help="Objects of a partition.", min=1)
    ] = 150_000,
    tracts_per_submission: Annotated[
        int, typer.Option("--tracts-per-submission", metavar="N", help="Most partitions of one graph.", min=1)
    ] = 2000,
    measure: Annotated[
        bool, typer.Option("--measure", metavar=FLAG, help="Measure the rates anew; otherwise those kept are used.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Say what a release would take: core-hours, time, bytes, memory, datasets, and whether it is ready in time.

    The rates are measured on this installation with a small simulated tract, which takes some seconds, and kept in the
    user's cache directory until the version or the processor changes.
    """
    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.pipelines.lineage.plan import plan_production
    from pzcenter.pipelines.lineage.rates import installation, measured_rates, rates_path

    if measure or not rates_path(installation(method)).is_file():
        stderr().print(f"measuring what {method} costs here", markup=False)
    rates = measured_rates(method, measure=measure)
    made = plan_production(
        round(objects),
        cores,
        rates,
        days=days,
        rows_per_partition=rows_per_partition,
        tracts_per_submission=tracts_per_submission,
    )
    if as_json:
        print_json(made.as_dict())
    else:
        _print(made)


def _print(made: ProductionPlan) -> None:
    from pzcenter.cli.screen import bytes_text, plain_table, seconds_text, stdout

    rates = made.rates
    noun = "core" if made.cores == 1 else "cores"
    stdout().print(f"[bold]{made.n_obj:,} objects with {made.method} on {made.cores:,} {noun}[/]\n", soft_wrap=True)
    work = plain_table(step="left", core_hours="right", ms_per_object="right")
    for step, seconds in {**made.step_core_s, "middleware": made.middleware_core_s}.items():
        work.add_row(step, _hours(seconds), f"{1e3 * seconds / made.n_obj:.4f}")
    total = made.core_hours * 3600
    work.add_row("all", _hours(total), f"{1e3 * total / made.n_obj:.4f}")
    stdout().print(work)

    needed = _enough(made.cores_needed)
    answer = "fits" if made.fits else "does not fit"
    facts = {
        "wall time": f"{_days(made.wall_s)}; {answer} in {made.days:g} days, for which {needed}",
        "of which": f"driver alone {seconds_text(made.driver_s)}, last partitions {seconds_text(made.tail_s)}",
        "memory": f"{bytes_text(made.memory_worker_bytes)} for a worker, {bytes_text(made.memory_all_bytes)} in all",
        "partitions": f"{made.n_partition:,}, {seconds_text(made.partition_s)} of one core each",
        "graphs": f"{made.n_graphs:,} submissions, {made.n_quanta:,} quanta, {bytes_text(made.graph_bytes)}",
        "registry": f"{made.n_datasets:,} datasets, {bytes_text(made.registry_bytes)}",
        "in flight": f"{100 * made.in_flight_share:.2g} % of the work, lost when all workers die at once",
        "object table": f"{bytes_text(made.bytes_in)}, the columns that are needed",
        "storage": f"{bytes_text(made.bytes_written)} written, {bytes_text(made.bytes_read)} read: "
        f"{bytes_text(made.throughput)}/s while it lasts",
        "delivered": f"{bytes_text(made.bytes_out)}",
    }
    table = plain_table(what="left", value="left")
    table.show_header = False
    for name, words in facts.items():
        table.add_row(f"[dim]{name}[/]", words)
    stdout().print()
    stdout().print(table)

    stdout().print()
    pdf = plain_table("Storage of p(z)", encoding="left", plain="right", on_disk="right", bytes_per_object="right")
    for name, sizes in made.pdf_bytes.items():
        disk, plain = sizes["disk"], sizes["plain"] or 0.0
        shown = "-" if disk is None else bytes_text(disk)
        pdf.add_row(name, bytes_text(plain), shown, f"{(disk or plain) / made.n_obj:.0f}")
    stdout().print(pdf)

    stdout().print()
    transfer = plain_table("Transfer", rate="left", object_table="right", delivery="right")
    for rate, seconds_of in made.transfer_s.items():
        transfer.add_row(rate, seconds_text(seconds_of["in"]), seconds_text(seconds_of["out"]))
    stdout().print(transfer)
    where = f"on {rates['n_obj']:,} objects, {rates['installation']['processor']}"
    source = f"\nRates measured {rates['measured']} {where}. Middleware: {made.middleware['source']}."
    stdout().print(source, style="dim", markup=False, soft_wrap=True)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f}" if seconds >= 3600 else f"{seconds / 3600:.2g}"


def _enough(cores: int | None) -> str:
    if cores is None:
        return "no number of cores is enough"
    return "one core is enough" if cores == 1 else f"{cores:,} cores are enough"


def _days(seconds: float) -> str:
    from pzcenter.cli.screen import seconds_text

    return f"{seconds / 86400:.1f} days" if seconds > 86400 else seconds_text(seconds)

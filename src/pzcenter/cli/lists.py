"""``pz methods`` and ``pz mappings``: what there is to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from pzcenter.cli.options import JsonOutput

__all__ = ["MAPPINGS_EXAMPLES", "METHODS_EXAMPLES", "mappings", "methods"]

METHODS_EXAMPLES = (
    ("pz methods", "names of all methods"),
    ("pz methods template", "the settings of one, with their defaults"),
    ("pz methods rail:FlexZBoost", "those of a method of RAIL"),
)
MAPPINGS_EXAMPLES = (
    ("pz mappings", "names of the mappings that are shipped"),
    ("pz mappings rubin_cmodel > mine.yaml", "a start for your own columns"),
)


def methods(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show the settings of this method.")] = None,
    *,
    as_json: JsonOutput = False,
) -> None:
    """List the photo-z methods that are installed, or the settings of one.

    Settings are given to 'pz train' and 'pz estimate' with --set or --config.
    """
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout

    if name is not None:
        _settings_of(name, as_json=as_json)
        return
    from pzcenter.estimators import registered_estimators

    rows = [
        {
            "name": entry.name,
            "training": None if entry.estimator is None else entry.estimator.needs_training,
            "description": _first_line(entry.estimator.__doc__) if entry.estimator else "",
            "module": _module_line(entry.estimator),
            "problem": entry.problem,
        }
        for entry in registered_estimators()
    ]
    names, why_none = _methods_of_rail()
    rows += [
        {"name": each, "training": True, "description": "", "module": "a method of RAIL", "problem": ""}
        for each in names
    ]
    if as_json:
        print_json(rows)
        return
    table = plain_table(name="left", training="left", what_it_does="left")
    for row in rows:
        words = f"[red]cannot be used: {row['problem']}[/]" if row["problem"] else str(row["module"])
        table.add_row(f"[bold]{row['name']}[/]", "needed" if row["training"] else "optional", words)
    stdout().print(table)
    if why_none:
        stdout().print(f"\n[dim]methods of RAIL: {escape(why_none)}[/]", soft_wrap=True)
    stdout().print("\n[dim]pz methods NAME shows the settings of a method[/]")


def _methods_of_rail() -> tuple[tuple[str, ...], str]:
    """Names of the methods of RAIL, or why there are none."""
    from pzcenter.errors import PZCenterError
    from pzcenter.estimators.rail import rail_names

    try:
        return rail_names(), ""
    except PZCenterError as error:
        return (), str(error)


def _settings_of(name: str, *, as_json: bool) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.estimators import get_estimator

    estimator = get_estimator(name)
    if as_json:
        print_json(estimator.Config.model_json_schema())
        return
    stdout().print(f"[bold]{name}[/]  {escape(_module_line(estimator))}\n")
    table = plain_table(setting="left", default="left", meaning="left")
    for key, field in estimator.Config.model_fields.items():
        default = "(required)" if field.is_required() else escape(_short(field.get_default(call_default_factory=True)))
        words = ": ".join(part for part in (field.title, field.description) if part)
        table.add_row(f"[bold]{key}[/]", default, escape(words))
    stdout().print(table)


def _short(value: object, limit: int = 40) -> str:
    text = str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _module_line(estimator: type | None) -> str:
    """First line of the module of a method, or of the class where many have one module: what it does, in a sentence."""
    import sys

    from pzcenter.estimators.rail import RailEstimator

    if estimator is not None and issubclass(estimator, RailEstimator):
        return _first_line(estimator.__doc__)

    module = sys.modules.get(getattr(estimator, "__module__", ""))
    return _first_line(module.__doc__ if module else "")


def mappings(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print the YAML of this mapping.")] = None,
    *,
    as_json: JsonOutput = False,
) -> None:
    """List the mappings of survey columns that are shipped, or print one as YAML.

    A mapping says which columns hold ids, positions, fluxes or magnitudes, their units, and what to cut. The one that
    fits a catalogue is found by itself; 'pz catalog info' tells which.
    """
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.schema import load_mapping, mapping_names

    if name is not None:
        chosen = load_mapping(name)
        if as_json:
            print_json(chosen.model_dump(mode="json"))
        else:
            import yaml

            content = chosen.model_dump(mode="json", exclude_defaults=True)
            typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110), nl=False)
        return
    known = [load_mapping(each) for each in mapping_names()]
    if as_json:
        print_json([{"name": each.name, "bands": each.bands, "description": each.description} for each in known])
        return
    table = plain_table(name="left", bands="left", what_for="left")
    for each in known:
        table.add_row(f"[bold]{each.name}[/]", "".join(each.bands), each.description)
    stdout().print(table)
    stdout().print("\n[dim]pz mappings NAME prints one as YAML[/]")

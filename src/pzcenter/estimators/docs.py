"""The reference page of the estimators, made from the classes: ``python -m pzcenter.estimators.docs PAGE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.estimators.registry import get_estimator

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from pzcenter.estimators.protocol import Estimator

__all__ = ["OUR_OWN", "estimators_page"]

OUR_OWN = ("template", "density_network", "neighbours", "trainz")
"""Methods on the page, in its order; plug-ins document themselves."""

_HEAD = """# Estimators

Made from the classes; do not edit. Run `python -m pzcenter.estimators.docs docs/reference/estimators.md`.

Which one to take: [choosing an estimator](../explanation/choosing-an-estimator.md). To add one:
[how to add an estimator](../develop/how-to-add-an-estimator.md). All that are installed, with the reason for those that
do not work: `pzcenter.estimators.registered_estimators()`.

## What all of them do

| object | what happens |
|---|---|
| a band without a flux | is not used |
| a flux that is infinite, or whose error is not positive and finite | is not used, and `bad_error` |
| fewer than four usable bands | a density, and `few_bands` |
| no usable band | a row of NaN, and `no_estimate` |
| a negative flux | is data |
| fluxes with Galactic extinction in them | a density, and `not_dereddened` where the method needs dereddened fluxes |

| call | error |
|---|---|
| photometry without a band of the model | `BandError` (`band`) |
| grid that does not cover the training redshifts, or does not increase | `GridError` (`grid`) |
| redshifts that are not finite, too few training objects | `ModelError` (`model`) |
| unknown setting, refused value | `ConfigError` (`config`) |
| saved model with a changed byte | `ChecksumError` (`checksum`) |
| saved model with foreign files, links, another method | `ModelError` (`model`) |
"""


def estimators_page() -> str:
    """Write the page.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join([_HEAD, *(_section(get_estimator(name)) for name in OUR_OWN)])


def _section(estimator: type[Estimator]) -> str:
    module = sys.modules[estimator.__module__]
    title = (module.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    declaration = estimator.declaration
    fills = ", ".join(f"`{name}`" for name in sorted(declaration.fills)) or "none"
    lines = [
        f"## `{estimator.name}`",
        "",
        title,
        "",
        f"- Works without training: {'no' if estimator.needs_training else 'yes'}.",
        f"- Trains on {declaration.n_train_min} objects or more.",
        f"- Needs dereddened fluxes: {'yes' if declaration.needs_dereddened else 'no'}.",
        f"- Optional columns it fills: {fills}.",
        "",
        "| setting | default | accepted | what |",
        "|---|---|---|---|",
        *(_row(name, field) for name, field in estimator.Config.model_fields.items()),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(rule, attribute)}"
        for rule in field.metadata
        for attribute, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        if hasattr(rule, attribute)
    ]
    choices = _choices(field.annotation)
    accepted = ", ".join([*choices, *limits]).replace("|", "\\|")
    return f"| `{name}` | {_default(field.default)} | {accepted} | {field.title}. {field.description} |"


def _default(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {entry}" for key, entry in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(str(entry) for entry in value) or "none"
    return f"{value}"


def _choices(annotation: Any) -> list[str]:
    """Values of a Literal, wherever it is in the annotation."""
    from typing import Literal, get_args, get_origin

    if get_origin(annotation) is Literal:
        return [f"`{value}`" for value in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(estimators_page(), encoding="utf-8")

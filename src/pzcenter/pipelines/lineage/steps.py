"""Which step of the production a task belongs to, and what comes before a step."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["pipeline_definition", "step_of_label", "steps_before"]


@cache
def pipeline_definition() -> dict[str, Any]:
    """The pipeline of the production, as plain values."""
    text = files("pzcenter.pipelines").joinpath("definitions/pz.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def step_of_label(label: str) -> str:
    """Step in which a task first runs.

    Parameters
    ----------
    label : str
        Of the task.

    Returns
    -------
    str
        Empty where no step has it.
    """
    return next((step for step, subset in _subsets().items() if label in subset), "")


def steps_before(step: str) -> tuple[str, ...]:
    """Steps that are finished when this one begins.

    Parameters
    ----------
    step : str

    Returns
    -------
    tuple of str
        In the order of the production; empty for an unknown step.
    """
    order = list(_subsets())
    return tuple(order[: order.index(step)]) if step in order else ()


def _subsets() -> dict[str, list[str]]:
    return {step: list(content["subset"]) for step, content in pipeline_definition()["subsets"].items()}

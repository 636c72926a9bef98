"""Which step of the production a task belongs to, and what comes before a step."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["base_step", "pipeline_definition", "step_of_label", "steps_before"]

ORDER = ("step1", "step2", "inform", "step3", "step4", "step5", "step6", "step7")
"""Of the steps in a campaign: models are trained when the depths of the release are known."""


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
        That of a further method, such as ``step5-neighbours``, counts as the step itself.

    Returns
    -------
    tuple of str
        In the order of a campaign; empty for an unknown step.
    """
    step = base_step(step)
    return ORDER[: ORDER.index(step)] if step in ORDER else ()


def base_step(step: str) -> str:
    """Step without the method: ``step5`` of ``step5-neighbours``."""
    return step.partition("-")[0]


def _subsets() -> dict[str, list[str]]:
    return {step: list(content["subset"]) for step, content in pipeline_definition()["subsets"].items()}

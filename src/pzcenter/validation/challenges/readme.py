"""What a participant reads first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import ChallengeSettings

__all__ = ["readme_text"]


def readme_text(settings: ChallengeSettings, counts: Mapping[str, int]) -> str:
    """Text of ``README.md`` in the tree for participants.

    Parameters
    ----------
    settings : ChallengeSettings
    counts : mapping of str to int
        Rows by path of the table.

    Returns
    -------
    str
    """
    lines = [f"# {settings.title or settings.name}, version {settings.version}", ""]
    if settings.description:
        lines += [settings.description.strip(), ""]
    lines += ["| scenario | what | training | validation | test |", "|---|---|---:|---:|---:|"]
    for scenario in settings.scenarios:
        rows = [counts.get(f"{scenario.name}/{role}.parquet", 0) for role in ("training", "validation", "test")]
        what = f"{scenario.title} {scenario.description}".replace("\n", " ").strip()
        lines.append(f"| `{scenario.name}` | {what} | {' | '.join(f'{n:,}' if n else 'none' for n in rows)} |")
    lines += [
        "",
        "Each scenario is a directory with `training.parquet` (photometry and `z_spec`), `test.parquet` (photometry),",
        "and `validation.parquet` where there is one. Fluxes `flux_BAND` and their errors `flux_err_BAND` are in nJy",
        "(AB zero point 31.4), NaN where a band is missing. `objectId` means nothing but this row. `manifest.json` has",
        "the SHA-256 of every file.",
        "",
        "Hand in one file for each scenario, with the ids of its test set, each once, in any order, and p(z) or a",
        "point estimate for each: qp, HDF5, Parquet, FITS or CSV. An object without estimate is a row of NaN; at least",
        f"{settings.rules.min_estimates:.0%} need one. Name the files after the scenarios, such as",
        f"`{settings.scenario_names[0]}.hdf5`, and put them into one directory, zip or tar, if you like with a",
        "`submission.yaml`:",
        "",
        "```yaml",
        "name: my method, first try",
        "author: Ada Lovelace",
        "method: my_method",
        "description: what it does, trained on what",
        "technical: {train_s: 12.5, estimate_ms: 0.3}",
        "```",
        "",
        f"Scored are {', '.join(f'`{name}`' for name in settings.scoring.metrics)}; points are given for",
        f"{', '.join(f'`{band.metric}`' for band in settings.scoring.bands)}.",
    ]
    rules = settings.rules
    for label, moment in (("Opens", rules.opens), ("Closes", rules.closes)):
        if moment is not None:
            lines += ["", f"{label}: {moment.isoformat()}"]
    if rules.max_per_author is not None:
        lines += ["", f"Submissions of one author: {rules.max_per_author} at most."]
    lines += ["", rules.text.strip()] if rules.text else []
    lines += ["", f"Questions: {settings.contact}"] if settings.contact else []
    return "\n".join(lines) + "\n"

"""A first look at submissions: opened and their ids compared, nothing scored."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pzcenter.validation.submissions import align, grid_cover

from .entries import failure_of, open_entries
from .truth import read_training, read_truth

if TYPE_CHECKING:
    from .settings import ComparisonSettings

__all__ = ["look_at"]


def look_at(settings: ComparisonSettings) -> dict[str, Any]:
    """Open the truth set and every submission, and compare their ids.

    Parameters
    ----------
    settings : ComparisonSettings

    Returns
    -------
    dict
        ``n_truth``; ``notes``; ``submissions``: name, form, rows, coverage, and in sentences what does not agree;
        ``failures``.

    Raises
    ------
    UsageError
        The truth set or the training set cannot be used.
    """
    training = None
    if settings.training is not None:
        training = read_training(settings.training, photometry=settings.photometry, mapping=settings.mapping)
    truth = read_truth(
        settings.truth,
        photometry=settings.photometry,
        mapping=settings.mapping,
        mag_band=settings.mag_band,
        mag_max=settings.mag_max,
        training=training,
    )
    entries, failures = open_entries(settings.submissions)
    seen = []
    for entry in entries:
        submission = entry.submission
        try:
            alignment = align(submission, truth.object_id)
            cover = grid_cover(submission.z_grid, truth.z_spec).sentences() if submission.has_pdf else []
        except Exception as error:  # noqa: BLE001 - one bad submission must not stop the others
            failures.append(failure_of(entry.name, entry.settings.path, error))
            continue
        seen.append(
            {
                "name": entry.name,
                "form": submission.form_name,
                "n_rows": submission.n_rows,
                "coverage": alignment.coverage,
                "sentences": [*alignment.sentences(), *cover],
            }
        )
    notes = [*truth.notes, *(() if training is None else training.notes)]
    return {
        "n_truth": truth.n_obj,
        "notes": notes,
        "submissions": seen,
        "failures": [asdict(failure) for failure in failures],
    }

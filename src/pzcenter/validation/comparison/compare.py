"""Score every submission and the controls on one truth set, rank them, and write all of it.

Methods are scored one after the other: of each, what remains is on disk before the next is read. A result that is
there already, from the same bytes and settings, is not made again. What cannot be scored is a failure with its reason.
"""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.provenance import provenance_record
from pzcenter.errors import OutputExistsError, PZCenterError

from .common_objects import compare_common
from .entries import failure_of, open_entries
from .method_runs import MethodRuns
from .results import Comparison
from .store import STATE_NAME
from .truth import read_training, read_truth
from .writing import SETTINGS_NAME, write_comparison

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from .results import Failure, MethodResult
    from .settings import ComparisonSettings

    Progress = Callable[[int, int, str], None]

__all__ = ["METHODS_FOLDER", "compare"]

log = logging.getLogger(__name__)
METHODS_FOLDER = "methods"


def compare(
    settings: ComparisonSettings,
    directory: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    pages: bool = True,
    pdf: bool = True,
    command: Sequence[str] | None = None,
    progress: Progress | None = None,
    made_at: datetime | None = None,
) -> Comparison:
    """Run the whole validation of many submissions and write its results.

    Parameters
    ----------
    settings : ComparisonSettings
    directory : path
        Made when it is not there. With results of an earlier run in it, those whose inputs and settings are the same
        are taken over.
    overwrite : bool
        Score everything again.
    pages, pdf : bool
        Write the HTML pages, and the same as PDF.
    command : sequence of str, optional
        Command line for the record; that of this process by default.
    progress : callable, optional
        Called with the number of steps done, their number in all, and what is done next.
    made_at : datetime, optional
        Time on the pages; now when not given. With it fixed, the same input gives the same bytes.

    Returns
    -------
    Comparison
        A submission that cannot be scored is in its ``failures``.

    Raises
    ------
    OutputExistsError
        The directory holds something else.
    UsageError
        The truth set, the training set or the settings cannot be used.
    StorageError
        The file system refused.
    """
    started = datetime.now(UTC)
    root = Path(directory)
    _prepare(root, overwrite=overwrite)
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
    taken = [entry.name for entry in entries] + [failure.name for failure in failures]
    run = MethodRuns(settings, truth, training, root / METHODS_FOLDER, taken=taken)
    n_steps = len(entries) + len(run.control_names) + 2
    tell = progress or (lambda _done, _all, _text: None)
    methods: list[MethodResult] = []
    for done, entry in enumerate(entries):
        tell(done, n_steps, f"scoring {entry.name}")
        _add(methods, failures, entry.name, entry.settings.path, partial(run.submission, entry))
    for done, name in enumerate(run.control_names, start=len(entries)):
        tell(done, n_steps, f"training and scoring the control {name}")
        _add(methods, failures, name, "", partial(run.control, name))
    tell(n_steps - 2, n_steps, "ranking")
    common = compare_common(methods, settings)
    sources = [*truth.sources, *(() if training is None else training.sources), *(entry.source for entry in entries)]
    record = provenance_record(
        "validate run",
        started=started,
        configuration=settings.model_dump(mode="json", exclude_defaults=True),
        counts={"truth": truth.n_obj, "scored": len(methods), "failed": len(failures), "common": common.n_common},
        command=command,
    )
    record["inputs"] = list({source["path"]: dict(source) for source in sources}.values())
    made = Comparison(
        settings=settings,
        truth=truth,
        training=training,
        methods=tuple(methods),
        failures=_in_order(failures, settings),
        rankings=common.rankings,
        n_common=common.n_common,
        unranked=common.unranked,
        common_tables=common.tables,
        notes=(*run.notes, *_left_over(root, methods)),
        directory=root,
        record=record,
    )
    tell(n_steps - 1, n_steps, "writing")
    write_comparison(made, pages=pages, pdf=pdf, made_at=made_at)
    tell(n_steps, n_steps, "done")
    return made


def _in_order(failures: Sequence[Failure], settings: ComparisonSettings) -> tuple[Failure, ...]:
    """Failures in the order of the submissions, those of controls last."""
    places = {each.path: place for place, each in reversed(list(enumerate(settings.submissions)))}
    return tuple(sorted(failures, key=lambda failure: places.get(failure.path, len(places))))


def _prepare(root: Path, *, overwrite: bool) -> None:
    """Refuse a directory with other content; with ``overwrite``, remove the results that are there."""
    if root.is_file():
        raise OutputExistsError(f"{root} is a file; a directory is needed")
    is_mine = (root / SETTINGS_NAME).is_file() or (root / METHODS_FOLDER).is_dir()
    if root.is_dir() and any(root.iterdir()) and not is_mine:
        raise OutputExistsError(f"{root} is a directory with other content; give another name")
    if overwrite:
        for state in root.glob(f"{METHODS_FOLDER}/*/{STATE_NAME}"):
            shutil.rmtree(state.parent)


def _left_over(root: Path, methods: Sequence[MethodResult]) -> list[str]:
    """Results of earlier runs that are not part of this one."""
    mine = {method.directory.name for method in methods}
    others = sorted(state.parent.name for state in root.glob(f"{METHODS_FOLDER}/*/{STATE_NAME}"))
    left = [name for name in others if name not in mine]
    if not left:
        return []
    return [f"{METHODS_FOLDER}/ still holds results of an earlier run that are not part of this one: {', '.join(left)}"]


def _add(
    methods: list[MethodResult],
    failures: list[Failure],
    name: str,
    path: str,
    score: Callable[[], MethodResult],
) -> None:
    """Score one method; whatever goes wrong with it is recorded and stops no other."""
    try:
        methods.append(score())
    except Exception as error:
        failures.append(failure_of(name, path, error))
        if not isinstance(error, PZCenterError):
            log.debug("unexpected failure", exc_info=True)

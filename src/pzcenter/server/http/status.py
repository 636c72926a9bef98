"""Status of each error of PZ Center in answers to requests."""

from __future__ import annotations

from pzcenter.errors import InternalError, PZCenterError, TransientError, error_classes

__all__ = ["status_of"]

BY_CODE = {
    "authentication": 401, "permission": 403, "embargo": 403, "not_found": 404, "conflict": 409,
    "output_exists": 409, "merge_conflict": 409, "precondition": 412, "precondition_required": 428,
    "quota": 413, "rate_limit": 429,
    "file_format": 422, "column": 422, "schema": 422, "missing_dependency": 501, "storage": 507,
}  # fmt: skip


def status_of(error: PZCenterError) -> int:
    """HTTP status of an error.

    Parameters
    ----------
    error : PZCenterError

    Returns
    -------
    int
        The one of its code, or of the family: 400 for what the caller can mend, 503 for what may work later, 500.
    """
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    if isinstance(error, TransientError):
        return 503
    return 500 if isinstance(error, InternalError) else 400


assert set(BY_CODE) <= set(error_classes()), "a status for an error that is not there"

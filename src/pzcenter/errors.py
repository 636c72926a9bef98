"""Every error that PZ Center raises on purpose.

Three families tell a caller what to do: :class:`UsageError` (mend the input or the call), :class:`TransientError`
(try again), :class:`InternalError` (report it). Each class has a ``code`` that never changes: it goes out by
every interface and is what programs should compare.

A message says what was wrong, the value that was seen, and what is accepted. One bad object in a batch is a flag
(see :mod:`pzcenter.schema.flags`), not an error; a bad partition is an error that names the partition.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "BandError",
    "ChecksumError",
    "ColumnError",
    "ConfigError",
    "ConflictError",
    "DataIdError",
    "DuplicateIdError",
    "EmbargoError",
    "EmptyTableError",
    "EngineError",
    "ExecutorError",
    "FileFormatError",
    "GridError",
    "InternalError",
    "MergeConflictError",
    "MissingDependencyError",
    "ModelError",
    "NotFoundError",
    "OutputExistsError",
    "PZCenterError",
    "PartitionError",
    "PermissionDeniedError",
    "PreconditionError",
    "PreconditionMissingError",
    "QuotaError",
    "RateLimitError",
    "RegistryError",
    "SchemaError",
    "SequencePointError",
    "ShapeError",
    "SourceUnavailableError",
    "StorageError",
    "TransientError",
    "UnitError",
    "UsageError",
    "error_classes",
]


class PZCenterError(Exception):
    """Root of all errors of PZ Center."""

    code = "pzcenter"


class UsageError(PZCenterError, ValueError):
    """The caller can mend it: wrong argument, wrong file, wrong configuration."""

    code = "usage"


class TransientError(PZCenterError):
    """Nothing is wrong with the request: the same call may succeed later."""

    code = "transient"


class InternalError(PZCenterError):
    """A fault of PZ Center itself: please report it."""

    code = "internal"


class ShapeError(UsageError):
    """Arrays whose shapes do not fit each other."""

    code = "shape"


class GridError(UsageError):
    """A redshift grid that is not increasing, too short, or does not cover what it must."""

    code = "grid"


class UnitError(UsageError):
    """Numbers that are not in the unit they are declared in, such as magnitudes given as fluxes."""

    code = "unit"


class BandError(UsageError):
    """Bands that the model, the filter set or the table does not have."""

    code = "band"


class ColumnError(UsageError):
    """Columns that are missing, doubled or of the wrong type."""

    code = "column"


class SchemaError(UsageError):
    """A table definition that cannot be read, or a table that does not satisfy its definition."""

    code = "schema"


class DuplicateIdError(UsageError):
    """Object ids that must be unique and are not."""

    code = "duplicate_id"


class EmptyTableError(UsageError):
    """A table without rows where at least one is needed."""

    code = "empty_table"


class FileFormatError(UsageError):
    """A file that cannot be read as what it claims to be: truncated, mislabelled, not a table."""

    code = "file_format"


class NotFoundError(UsageError, LookupError):
    """A file, method, mapping or template set that does not exist under this name."""

    code = "not_found"


class OutputExistsError(UsageError):
    """The output is already there, and neither resuming nor overwriting was asked for."""

    code = "output_exists"


class ConfigError(UsageError):
    """A setting that is unknown, or whose value is not accepted."""

    code = "config"


class ModelError(UsageError):
    """A trained model that is damaged, of another method, or does not fit the data it is used on."""

    code = "model"


class ChecksumError(UsageError):
    """A file whose content is not what its manifest recorded."""

    code = "checksum"


class MissingDependencyError(UsageError, ImportError):
    """An optional package is needed for this and is not installed."""

    code = "missing_dependency"


class DataIdError(UsageError):
    """A data id that cannot be read, names nothing, or names more than one dataset where one is asked for."""

    code = "data_id"


class SequencePointError(UsageError):
    """A step of a campaign that may not begin: the step before it is not finished, or nobody has signed it off."""

    code = "sequence_point"


class MergeConflictError(UsageError):
    """Datasets of two repositories that have the same name and different content."""

    code = "merge_conflict"


class EmbargoError(UsageError):
    """A product that may not leave yet."""

    code = "embargo"


class AuthenticationError(UsageError):
    """Nobody is signed in: no token or session, or one that is unknown, expired or revoked."""

    code = "authentication"


class PermissionDeniedError(UsageError):
    """Somebody is signed in who may not do this."""

    code = "permission"


class ConflictError(UsageError):
    """A change that does not fit the state in which the thing is, such as one of a published product."""

    code = "conflict"


class PreconditionError(UsageError):
    """A change of something that somebody else has changed meanwhile."""

    code = "precondition"


class PreconditionMissingError(UsageError):
    """A change that must say which state of the thing it was made for, and does not."""

    code = "precondition_required"


class QuotaError(UsageError):
    """More than one user may keep or send."""

    code = "quota"


class RateLimitError(TransientError):
    """More requests than one user may make in a while; ``retry_after_s`` says when to come again."""

    code = "rate_limit"

    def __init__(self, message: str, *, retry_after_s: float = 60.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RegistryError(TransientError):
    """The registry of a repository does not answer, or is locked."""

    code = "registry"


class SourceUnavailableError(TransientError):
    """A public service or server that does not answer, or breaks off."""

    code = "source_unavailable"


class StorageError(TransientError, OSError):
    """The disk or object store refused: no space left, quota, permission."""

    code = "storage"


class PartitionError(InternalError):
    """One or more partitions of a run failed; the others are complete and kept."""

    code = "partition"


class ExecutorError(InternalError):
    """An executor that ended without doing, or without telling, what it was asked to do."""

    code = "executor"


class EngineError(InternalError):
    """A numerical engine gave something that it must never give."""

    code = "engine"


def error_classes() -> dict[str, type[PZCenterError]]:
    """All error classes by their stable code.

    Returns
    -------
    dict of str to type
        One entry per class that has a code of its own.
    """
    found: dict[str, type[PZCenterError]] = {}
    queue: list[type[PZCenterError]] = [PZCenterError]
    while queue:
        cls = queue.pop()
        if "code" in vars(cls):
            found[cls.code] = cls
        queue.extend(cls.__subclasses__())
    return dict(sorted(found.items()))

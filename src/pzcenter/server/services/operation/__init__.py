"""What the operator of a server needs: backups, restoring them, checking every byte, health, numbers, logs."""

from __future__ import annotations

from pzcenter.server.services.operation.backup import BackupReport, back_up
from pzcenter.server.services.operation.fixity import FixityReport, verify_store
from pzcenter.server.services.operation.health import Health, health_of
from pzcenter.server.services.operation.restore import restore

__all__ = ["BackupReport", "FixityReport", "Health", "back_up", "health_of", "restore", "verify_store"]

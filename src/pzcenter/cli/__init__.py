"""The command ``pz``: one file per verb group; what a command needs is imported when it runs."""

from __future__ import annotations

from pzcenter.cli.app import main

__all__ = ["main"]

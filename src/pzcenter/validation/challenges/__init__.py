"""Challenges: blind test sets, submissions that cannot change, scores that come out the same, a leaderboard.

``create_challenge`` makes one from its settings, ``pack`` what participants get; ``submit``, ``score`` and
``leaderboard`` do what their names say.
"""

from __future__ import annotations

from .board import leaderboard, write_leaderboard
from .creation import create_challenge
from .handing_out import PackReport, check_tree, pack
from .layout import Challenge, open_challenge
from .scoring import ScoreFailure, ScoreReport, score, scoring_version
from .settings import ChallengeSettings, read_settings
from .submitting import Outcome, submit, submit_many

__all__ = [
    "Challenge",
    "ChallengeSettings",
    "Outcome",
    "PackReport",
    "ScoreFailure",
    "ScoreReport",
    "check_tree",
    "create_challenge",
    "leaderboard",
    "open_challenge",
    "pack",
    "read_settings",
    "score",
    "scoring_version",
    "submit",
    "submit_many",
    "write_leaderboard",
]

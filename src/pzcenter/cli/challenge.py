"""``pz challenge``: blind tests for many methods, from the sets to the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli import challenge_sets
from pzcenter.cli.options import FLAG, JsonOutput, Workers
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.validation.challenges import Challenge

__all__ = ["group"]

CREATE_EXAMPLES = (
    ("pz challenge create challenge.yaml my-challenge", "truth goes to my-challenge.truth"),
    ("pz challenge create challenge.yaml v2 --key-of my-challenge.truth", "the same ids for the same objects"),
)
PACK_EXAMPLES = (("pz challenge pack my-challenge for-participants.tar.gz", "after a look for leaks"),)
SUBMIT_EXAMPLES = (
    ("pz challenge submit my-challenge ada.zip", "with submission.yaml in it"),
    ("pz challenge submit my-challenge wide.hdf5 --author Ada --method mine", "one file named after its scenario"),
    ("pz challenge submit my-challenge received/*", "all that came in; a refused one stops no other"),
)
SCORE_EXAMPLES = (
    ("pz challenge score my-challenge", "all that is not scored, and the controls"),
    ("pz challenge score my-challenge --again", "score once more and compare"),
)
LEADERBOARD_EXAMPLES = (("pz challenge leaderboard my-challenge", "page, Parquet and JSON"),)
INFO_EXAMPLES = (("pz challenge info my-challenge", "scenarios, dates, checksums, leaks"),)
LIST_EXAMPLES = (("pz challenge list my-challenge", "what was handed in, and what was refused"),)

ChallengeDir = Annotated[Path, typer.Argument(metavar="CHALLENGE", help="Directory that 'pz challenge create' made.")]


def create(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="YAML file that describes the challenge.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New directory of the organiser.")],
    *,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="DIR", help="New directory of what is withheld; by default DIR.truth."),
    ] = None,
    key_of: Annotated[
        Path | None,
        typer.Option("--key-of", metavar="DIR", help="Truth of an earlier version, whose key of the ids is taken."),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Make a challenge: blind test sets for participants, and apart from them the truth.

    Objects get new ids in an order that only the secret key knows. The truth can be read by its owner alone.
    """
    from pzcenter.validation.challenges import create_challenge
    from pzcenter.validation.challenges.layout import Vault

    key = None if key_of is None else Vault(key_of).key
    made = create_challenge(settings, directory, truth=truth, key=key)
    _print_info(made, as_json=as_json)


def pack(
    challenge: ChallengeDir,
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="Directory, or archive: .tar, .tar.gz, .tgz, to make for participants."),
    ],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Make what participants get, after a look at every file for what it could tell of the truth."""
    from pzcenter.cli.screen import bytes_text, print_json, stdout
    from pzcenter.validation.challenges import open_challenge
    from pzcenter.validation.challenges import pack as make

    report = make(open_challenge(challenge), path)
    if as_json:
        print_json({"path": report.path, "n_files": report.n_files, "n_bytes": report.n_bytes, "sha256": report.sha256})
        return
    out = stdout()
    out.print(f"{report.path}: {report.n_files} files, {bytes_text(report.n_bytes)}; no leak was found", soft_wrap=True)
    out.print(f"sha256 {report.sha256}", soft_wrap=True)


def submit(
    challenge: ChallengeDir,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Submissions: each a directory or archive with a file per scenario, or a file."
        ),
    ],
    *,
    author: Annotated[str, typer.Option("--author", metavar="NAME", help="Who hands in.")] = "",
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="Of the method.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the submission.")] = "",
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What the method does.")] = "",
    scenario: Annotated[
        str | None,
        typer.Option("--scenario", metavar="NAME", help="Which one a single file is for; else its name says."),
    ] = None,
    technical: Annotated[
        list[str] | None,
        typer.Option(
            "--technical", metavar="KEY=NUMBER", help="train_s, estimate_ms, peak_gb or model_mb; several times."
        ),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Hand in one submission or more: ids and densities are checked, and what is accepted never changes.

    A refused submission is recorded with the reason and does not stop the others. The same files are the same
    submission.
    """
    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.errors import ConfigError
    from pzcenter.validation.challenges import open_challenge, submit_many

    if scenario is not None and len(paths) > 1:
        raise ConfigError(f"--scenario goes with one file; got {len(paths)}")
    outcomes = submit_many(
        open_challenge(challenge),
        paths,
        scenario=scenario,
        author=author,
        method=method,
        name=name,
        description=description,
        technical=_numbers(technical or []),
    )
    for outcome in outcomes:
        if outcome.error is not None:
            stderr().print(
                f"refused {outcome.path}: [{outcome.error.code}] {outcome.error}", markup=False, soft_wrap=True
            )
    if as_json:
        print_json(
            [
                {
                    "path": outcome.path,
                    "submission_id": outcome.record.submission_id if outcome.record else None,
                    "is_new": outcome.record.is_new if outcome.record else None,
                    "scenarios": list(outcome.record.scenarios) if outcome.record else [],
                    "error": str(outcome.error) if outcome.error else None,
                }
                for outcome in outcomes
            ]
        )
    else:
        for outcome in outcomes:
            if outcome.record is not None:
                said = "accepted" if outcome.record.is_new else "was there already"
                words = (
                    f"{outcome.path}: {outcome.record.submission_id} {said}, for {', '.join(outcome.record.scenarios)}"
                )
                stdout().print(words, markup=False, soft_wrap=True)
                for file in outcome.record.files:
                    for note in file.notes:
                        stdout().print(f"  {file.scenario}: {note}", markup=False, soft_wrap=True)
    if any(outcome.error is not None for outcome in outcomes):
        raise typer.Exit(1)


def score(
    challenge: ChallengeDir,
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="A submission, by the beginning of its id.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", metavar=FLAG, help="Score once more what is scored, and compare every byte.")
    ] = False,
    controls: Annotated[
        bool,
        typer.Option("--controls/--no-controls", metavar=FLAG, help="Train the controls where they are not there."),
    ] = True,
    workers: Workers = None,
    as_json: JsonOutput = False,
) -> None:
    """Score submissions from their stored predictions: metrics with errors, requirements, points.

    The same predictions give the same bytes. Scores of other versions of the metrics, the bands or the truth are kept.
    """
    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.pipelines.challenge_scores import score_challenge
    from pzcenter.validation.challenges import open_challenge

    report = score_challenge(
        open_challenge(challenge), workers=workers, submissions=only or None, again=again, controls=controls
    )
    for failure in report.failures:
        words = f"failed {failure.submission_id}, {failure.scenario}: [{failure.code}] {failure.reason}"
        stderr().print(words, markup=False, soft_wrap=True)
    for words in report.refused_controls:
        stderr().print(f"control not made: {words}", markup=False, soft_wrap=True)
    if as_json:
        print_json(
            {
                "version": report.version, "n_scored": report.n_scored, "n_kept": report.n_kept,
                "n_compared": report.n_compared, "n_failed": len(report.failures),
            }
        )  # fmt: skip
    else:
        stdout().print(
            f"scores {report.version}: {report.n_scored} new, {report.n_kept} kept, {report.n_compared} made again and "
            f"the same, {len(report.failures)} failed",
            soft_wrap=True,
        )
    if report.failures:
        raise typer.Exit(1)


def leaderboard(
    challenge: ChallengeDir,
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to write; leaderboard/ of the challenge by default.")
    ] = None,
    *,
    version: Annotated[
        str | None, typer.Option("--scores", metavar="VERSION", help="Earlier scores, by the name of their directory.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Make the leaderboard: a page, a Parquet file and a JSON file, with ranks that know their errors."""
    import pyarrow.parquet as pq

    from pzcenter.cli.screen import plain_table, print_json, print_paths, stdout
    from pzcenter.validation.challenges import open_challenge, write_leaderboard

    opened = open_challenge(challenge)
    paths = write_leaderboard(opened, directory, version=version)
    rows = [
        row
        for row in pq.read_table(paths["parquet"]).to_pylist()
        if row["scenario"] == "overall" and row["metric"] == "score"
    ]
    if as_json:
        print_json({"overall": rows, "paths": paths})
        return
    table = plain_table(opened.settings.title or opened.settings.name, rank="right", submission="left", author="left",
                        score="right", points="right", beats="left")  # fmt: skip
    for row in rows:
        rank = "control" if row["kind"] == "control" else _rank_text(row["rank"], row["rank_low"], row["rank_high"])
        table.add_row(
            rank,
            row["name"],
            row["author"],
            f"{row['value']:.3f}",
            f"{row['points']}/{row['possible']}",
            ", ".join(row["beats"]),
        )
    stdout().print(table)
    print_paths(paths)


def info(challenge: ChallengeDir, *, as_json: JsonOutput = False) -> None:
    """Look at a challenge: scenarios, dates, every checksum, and whether something tells the truth."""
    from pzcenter.validation.challenges import open_challenge

    _print_info(open_challenge(challenge), as_json=as_json)


def list_submissions(challenge: ChallengeDir, *, as_json: JsonOutput = False) -> None:
    """List what was handed in, with its id and checksums, and what was refused and why."""
    from dataclasses import asdict

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.validation.challenges import open_challenge

    opened = open_challenge(challenge)
    records, refusals = opened.submissions(), opened.refusals()
    if as_json:
        print_json({"submissions": [asdict(each) for each in records], "refused": [asdict(each) for each in refusals]})
        return
    table = plain_table(f"{len(records)} accepted", id="left", name="left", author="left", method="left",
                        when="left", scenarios="left")  # fmt: skip
    for record in records:
        table.add_row(
            record.submission_id, record.name, record.author, record.method, record.submitted,
            ", ".join(record.scenarios),
        )  # fmt: skip
    stdout().print(table)
    for each in refusals:
        words = f"refused {each.time} {each.name or each.method} ({each.author}): [{each.code}] {each.reason}"
        stdout().print(words, markup=False, soft_wrap=True)


def _print_info(challenge: Challenge, *, as_json: bool) -> None:
    import pyarrow.parquet as pq

    from pzcenter.catalogs import verify_manifest
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.validation.challenges import check_tree
    from pzcenter.validation.challenges.layout import TEST, TRAINING, VALIDATION

    manifest = verify_manifest(challenge.public)
    has_truth = challenge.vault.directory.is_dir()
    told = check_tree(challenge) if has_truth else []
    records = challenge.submissions()
    rows = {}
    for name in challenge.settings.scenario_names:
        files = {role: challenge.public / name / role for role in (TRAINING, VALIDATION, TEST)}
        rows[name] = {
            role.removesuffix(".parquet"): pq.read_metadata(path).num_rows if path.is_file() else 0
            for role, path in files.items()
        }
    facts = {
        "name": challenge.settings.name, "version": challenge.settings.version, "scenarios": rows,
        "opens": challenge.settings.rules.opens, "closes": challenge.settings.rules.closes,
        "n_submissions": sum(record.kind == "participant" for record in records),
        "n_refused": len(challenge.refusals()), "n_files": len(manifest.files),
        "truth": challenge.vault.directory if has_truth else None, "leaks": told,
    }  # fmt: skip
    if as_json:
        print_json(facts)
        return
    out = stdout()
    table = plain_table(
        f"{facts['name']}, version {facts['version']}",
        scenario="left",
        training="right",
        validation="right",
        test="right",
    )
    for name, counts in rows.items():
        table.add_row(name, *(f"{n:,}" for n in counts.values()))
    out.print(table)
    out.print(f"{len(manifest.files)} files for participants, all as their checksums say", soft_wrap=True)
    if has_truth:
        out.print(f"truth in {challenge.vault.directory}, for its owner alone", markup=False, soft_wrap=True)
        out.print("; ".join(told) if told else "nothing in the files tells it", markup=False, soft_wrap=True)
    out.print(f"{facts['n_submissions']} submissions, {facts['n_refused']} refused", soft_wrap=True)


def _numbers(pairs: list[str]) -> dict[str, float]:
    from pzcenter.errors import ConfigError

    found = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            found[key] = float(value)
        except ValueError:
            raise ConfigError(f"--technical takes KEY=NUMBER, such as train_s=12.5; got {pair!r}") from None
    return found


def _rank_text(rank: int | None, low: int | None, high: int | None) -> str:
    if rank is None:
        return ""
    return str(rank) if low == high else f"{rank} ({low} to {high})"


group = verb_group(
    "Challenges: blind test sets, submissions, scores, leaderboard; standard sets and stress tests.", CREATE_EXAMPLES
)
add_verb(group, create, CREATE_EXAMPLES)
add_verb(group, pack, PACK_EXAMPLES)
add_verb(group, submit, SUBMIT_EXAMPLES)
add_verb(group, score, SCORE_EXAMPLES)
add_verb(group, leaderboard, LEADERBOARD_EXAMPLES)
add_verb(group, info, INFO_EXAMPLES)
add_verb(group, list_submissions, LIST_EXAMPLES, name="list")
add_verb(group, challenge_sets.sets, challenge_sets.SETS_EXAMPLES)
add_verb(group, challenge_sets.stress, challenge_sets.STRESS_EXAMPLES)

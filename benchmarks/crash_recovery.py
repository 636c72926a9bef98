"""Kill a campaign again and again, and compare what it makes in the end with an undisturbed one.

    python benchmarks/crash_recovery.py [--quick] [--objects N] [--kills N] [--seed N]

A campaign over many small partitions is driven by `pz produce run`, and at random moments a worker or the driver gets
SIGKILL; the driver is then started again, with nothing but the same command, until the campaign is done. The peer is
the same campaign that nobody disturbs. Compared are the rows with those of the object table, the ids, and the content
hash of the catalogue.

Work done twice: quanta that were executed in full and whose result was thrown away. A kill costs what is in flight;
`redone_share` is what was redone beyond that, as a share of all quanta.

The last line is JSON: `kills`, `rows_lost`, `rows_doubled`, `hash_equal`, `redone_share`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-c", "from pzcenter.cli import main; main()"]


def pz(*words: str, cwd: Path) -> str:
    """Run one command to its end."""
    made = subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"pz {' '.join(words)} ended with {made.returncode}:\n{made.stdout}\n{made.stderr}")
    return made.stdout


def prepare(work: Path, n_obj: int, rows: int) -> None:
    """Sky, repository, model."""
    pz("simulate", "sky", "--n-obj", str(n_obj), "--set", f"rows_per_tract={rows}", cwd=work)
    pz("repo", "create", "repo", cwd=work)
    pz("repo", "ingest", "repo", "sky/object", "--release", "bench", cwd=work)
    pz("repo", "model", "repo", "template", "--release", "bench", cwd=work)


def start(work: Path, name: str) -> None:
    """A campaign without sign-offs."""
    settings = {"name": name, "repository": "repo", "release": "bench", "sign_off": [], "executor": {"workers": 2}}
    (work / f"{name}.yaml").write_text(json.dumps(settings))
    pz("produce", "start", f"{name}.yaml", name, cwd=work)


def disturbed(work: Path, name: str, n_kills: int, longest_s: float, rng: random.Random) -> Counter[str]:
    """Drive a campaign to its end while it is killed; who was killed how often."""
    killed: Counter[str] = Counter()
    while True:
        driver = subprocess.Popen(
            [*COMMAND, "produce", "run", name], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        while driver.poll() is None and killed.total() < n_kills:
            time.sleep(rng.uniform(2.0, longest_s))
            who = rng.choice(["driver", "worker"])
            try:
                workers = psutil.Process(driver.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                break
            workers = [each for each in workers if "forkserver" in " ".join(each.cmdline()) and not each.children()]
            if who == "worker" and not workers:
                who = "driver"
            victim = driver.pid if who == "driver" else rng.choice(workers).pid
            try:
                psutil.Process(victim).send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
            killed[who] += 1
            print(f"  killed a {who} after {killed.total()} of {n_kills}")
        said = driver.communicate()[0]
        status = json.loads(pz("produce", "status", name, "--json", cwd=work))
        if all(step["state"] == "done" for step in status["steps"]):
            return killed
        if killed.total() >= n_kills and driver.returncode not in (0, 1, -signal.SIGKILL):
            raise SystemExit(f"the driver ended with {driver.returncode}:\n{said}")


def redone(directory: Path) -> tuple[int, int]:
    """Quanta done more than once, and all quanta, from the journal."""
    done: Counter[str] = Counter()
    for line in (directory / "state.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "quantum" and event["state"] == "done":
            done[json.dumps([event["step"], event["task"], event["data_id"]], sort_keys=True)] += 1
    return sum(n - 1 for n in done.values()), len(done)


def main() -> None:
    """Disturb, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few partitions, 3 kills")
    parser.add_argument("--objects", type=int, help="200,000 by default")
    parser.add_argument("--kills", type=int, help="10 by default")
    parser.add_argument("--longest", type=float, default=12.0, help="between two kills, s")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    n_obj = words.objects or (20_000 if words.quick else 200_000)
    n_kills = words.kills or (3 if words.quick else 10)

    from pzcenter.catalogs import open_catalog
    from pzcenter.catalogs.content_hash import content_hash

    work = Path(tempfile.mkdtemp(prefix="pz-crash-"))
    try:
        prepare(work, n_obj, n_obj // 40)
        start(work, "calm")
        pz("produce", "run", "calm", cwd=work)
        start(work, "disturbed")
        killed = disturbed(work, "disturbed", n_kills, words.longest, random.Random(words.seed))
        ids = {}
        for name, path in (
            ("object", work / "sky" / "object"),
            ("calm", work / "calm" / "catalog" / "template" / "pz"),
            ("disturbed", work / "disturbed" / "catalog" / "template" / "pz"),
        ):
            ids[name] = open_catalog(path).read(["objectId"]).column("objectId").to_pylist()
        counts = Counter(ids["disturbed"])
        n_redone, n_quanta = redone(work / "disturbed")
        hashes = [content_hash(work / name / "catalog" / "template") for name in ("calm", "disturbed")]
        figures = {
            "kills": killed.total(),
            "driver_kills": killed["driver"],
            "worker_kills": killed["worker"],
            "rows": len(ids["disturbed"]),
            "rows_lost": len(set(ids["object"]) - set(counts)),
            "rows_doubled": sum(n - 1 for n in counts.values()),
            "hash_equal": hashes[0] == hashes[1],
            "quanta": n_quanta,
            "redone_share": n_redone / n_quanta,
        }
        print(json.dumps(figures))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()

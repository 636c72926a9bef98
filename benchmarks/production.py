"""The production of a release beside the bare work: rate, memory and what the middleware costs.

    python benchmarks/production.py [--quick] [--objects N ...] [--workers N] [--keep DIR]

For each size: a simulated sky in partitions of 150,000 objects, a Butler repository on SQLite, and a campaign with the
template engine on two processes: skinny tables, plan, estimates, join, catalogue, maps. Each step is a command of its
own, as a user would type it; its wall and processor time are taken from the operating system, its largest process from
the campaign's journal.

The peer of step 3 is the same function over the same skinny tables by a bare pool of processes, without registry,
graph or butler (`pzcenter.pipelines.run_estimate`). Runs alternate, medians are quoted. `middleware_overhead` compares
the time from the first partition begun to the last done, `middleware_overhead_cpu` their processor time (which
neighbours on the machine disturb less), `step_overhead` the whole processes, with the start of everything, the graph
and the registry in it.

The last line is JSON: the overheads, and by size `objects_per_s` (wall, all steps), `objects_per_cpu_s`,
`peak_rss_gb`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

STEPS = ("step1", "step2", "step3", "step5", "step6", "step7")
ROWS = 150_000


def pz(*words: str, cwd: Path) -> dict[str, float]:
    """Run one command; its times and its largest process."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-c", "from pzcenter.cli import main; main()", *words]
    made = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"pz {' '.join(words)} ended with {made.returncode}:\n{made.stdout}\n{made.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": time.monotonic() - begin,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_gb": after.ru_maxrss / 2**20,
    }


def prepare(work: Path, n_obj: int, workers: int) -> None:
    """Sky, repository, model."""
    pz("simulate", "sky", "--n-obj", str(n_obj), "--set", f"rows_per_tract={ROWS}", "-j", str(workers), cwd=work)
    pz("repo", "create", "repo", cwd=work)
    pz("repo", "ingest", "repo", "sky/object", "--release", "bench", cwd=work)
    pz("repo", "truth", "repo", "sky/truth", "--release", "bench", cwd=work)
    pz("repo", "model", "repo", "template", "--release", "bench", cwd=work)


def campaign(work: Path, name: str, workers: int, steps: tuple[str, ...] = STEPS) -> dict[str, dict[str, float]]:
    """One campaign, step by step."""
    settings = {
        "name": name, "repository": "repo", "release": "bench", "sign_off": [],
        "executor": {"kind": "local", "workers": workers},
    }  # fmt: skip
    (work / f"{name}.yaml").write_text(json.dumps(settings))
    pz("produce", "start", f"{name}.yaml", name, cwd=work)
    return {step: pz("produce", "run", name, "--until", step, cwd=work) for step in steps}


def seconds_of_quanta(campaign_dir: Path, step: str) -> tuple[float, float]:
    """From the first quantum begun to the last done, and processor seconds of all."""
    events = [json.loads(line) for line in (campaign_dir / "state.jsonl").read_text().splitlines()]
    quanta = [event for event in events if event["event"] == "quantum" and event["step"] == step]
    begin = min(datetime.fromisoformat(event["time"]).timestamp() - event["wall_s"] for event in quanta)
    end = max(datetime.fromisoformat(event["time"]).timestamp() for event in quanta)
    return end - begin, sum(event["cpu_s"] for event in quanta)


def bare(work: Path, skinny: Path, model: Path, name: str, workers: int) -> dict[str, float]:
    """The same estimates by a bare pool."""
    script = (
        "import sys, time\n"
        "from pzcenter.pipelines import run_estimate\n"
        "if __name__ == '__main__':\n"
        "    ticks = []\n"
        "    report = run_estimate(sys.argv[1], sys.argv[2], sys.argv[3], workers=int(sys.argv[4]), overwrite=True,\n"
        "                          progress=lambda done, total: ticks.append((time.monotonic(), done)))\n"
        "    print(ticks[1][0], ticks[-1][0])\n"
    )
    path = work / "bare.py"
    path.write_text(script)
    begin = time.monotonic()
    command = [sys.executable, str(path), str(skinny), str(work / name), str(model), str(workers)]
    made = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True)
    wall_s = time.monotonic() - begin
    first, last = (float(word) for word in made.stdout.split()[-2:])
    journal = [json.loads(line) for line in (work / name / "journal.jsonl").read_text().splitlines()]
    done = [entry["quality"]["cpu_s"] for entry in journal if "quality" in entry]
    shutil.rmtree(work / name)
    # The first partition began as long before its end as it took.
    return {"wall_s": wall_s, "run_s": last - first + done[0], "cpu_s": sum(done)}


def gather_skinny(work: Path) -> Path:
    """The skinny tables of the repository in one directory, as a catalogue of partitions."""
    folder = work / "skinny"
    folder.mkdir(exist_ok=True)
    for path in (work / "repo").rglob("pz_skinny_*.parquet"):
        if "/pz_skinny/" in path.as_posix() and not (folder / path.name).exists():
            os.link(path, folder / path.name)
    return folder


def overhead(work: Path, workers: int, repeats: int) -> dict[str, Any]:
    """Step 3 by the middleware and by the bare pool, in turn."""
    from pzcenter.pipelines.prepare import prepare_model

    skinny, model = gather_skinny(work), prepare_model("template", work / "for-bare", config={"filters": "lsst"})
    ratios, processor, steps = [], [], []
    for number in range(repeats):
        name = f"overhead{number}"
        step = campaign(work, name, workers, STEPS[:3])["step3"]
        quanta, cpu_s = seconds_of_quanta(work / name, "step3")
        peer = bare(work, skinny, model, f"bare{number}", workers)
        ratios.append(quanta / peer["run_s"] - 1)
        processor.append(cpu_s / peer["cpu_s"] - 1)
        steps.append(step["wall_s"] / peer["wall_s"] - 1)
        print(
            f"  step 3: quanta {quanta:.1f} s ({cpu_s:.1f} CPU-s), whole command {step['wall_s']:.1f} s; "
            f"bare pool {peer['run_s']:.1f} s ({peer['cpu_s']:.1f} CPU-s), whole process {peer['wall_s']:.1f} s"
        )
    return {
        "middleware_overhead": statistics.median(ratios),
        "middleware_overhead_cpu": statistics.median(processor),
        "step_overhead": statistics.median(steps),
    }


def measure(n_obj: int, workers: int, keep: Path | None, repeats: int) -> dict[str, Any]:
    """One size."""
    work = Path(tempfile.mkdtemp(prefix="pz-production-", dir=keep))
    try:
        prepare(work, n_obj, workers)
        steps = campaign(work, "whole", workers)
        wall = sum(step["wall_s"] for step in steps.values())
        print(f"{n_obj:,} objects, {workers} workers")
        for name, step in steps.items():
            rate = n_obj / step["wall_s"]
            print(f"  {name}: {step['wall_s']:7.1f} s, {rate:10,.0f} objects/s")
        status = json.loads(
            subprocess.run(
                [sys.executable, "-c", "from pzcenter.cli import main; main()", "produce", "status", "whole", "--json"],
                cwd=work, capture_output=True, text=True, check=True,
            ).stdout
        )  # fmt: skip
        # Workers are no children of the command: the journal has their processor time.
        cpu = sum(step["cpu_s"] for step in (*steps.values(), *status["steps"]))
        found: dict[str, Any] = {
            "objects_per_s": n_obj / wall,
            "objects_per_cpu_s": n_obj / cpu,
            "peak_rss_gb": max(step["peak_bytes"] for step in status["steps"]) / 1e9,
        }
        if repeats:
            found |= overhead(work, workers, repeats)
        return found
    finally:
        if keep is None:
            shutil.rmtree(work, ignore_errors=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small skies, one repeat")
    parser.add_argument("--objects", type=float, nargs="+", help="sizes; 1e6 and 2e7 by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--repeats", type=int, default=3, help="of the comparison with the bare pool, at the first size"
    )
    parser.add_argument("--keep", type=Path, help="directory to work in and to keep")
    words = parser.parse_args()
    sizes = [int(size) for size in words.objects or ([3e5] if words.quick else [1e6, 2e7])]
    figures: dict[str, Any] = {"objects_per_s": {}, "objects_per_cpu_s": {}, "peak_rss_gb": {}}
    for number, n_obj in enumerate(sizes):
        found = measure(n_obj, words.workers, words.keep, 0 if number else (1 if words.quick else words.repeats))
        for key in ("objects_per_s", "objects_per_cpu_s", "peak_rss_gb"):
            figures[key][str(n_obj)] = found.pop(key)
        figures |= found
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

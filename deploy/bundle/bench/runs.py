"""Clips, manifests and jobs, all answered by `winnow run`; records and kept cells, read back from its state."""

import hashlib
import json
import random
import re
import struct
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

BUNDLES = Path(__file__).resolve().parents[1]
TRAIN, ROOT = BUNDLES / "train", BUNDLES.parents[1]
PER_CLIP = 4  # questions
CLIP_SEED = 9_300_017  # clips of this seed are in no training and not among the demo clips
SWAP_SEED = 17


def add_arguments(p):
    p.add_argument("--work", type=Path, default=ROOT / ".winnow/bench", help="clips, jobs and winnow's state (default .winnow/bench)")
    p.add_argument("--bundle", type=Path, default=BUNDLES / "demo", help="the bundle measured (default deploy/bundle/demo)")
    p.add_argument("--winnow", type=Path, default=ROOT / "bin/winnow", help="the program (default bin/winnow)")


def clips(work, questions, grey):
    """the folder of the clips and their manifest; made where it is not there yet"""
    recipe = hashlib.sha256(b"".join((TRAIN / f).read_bytes() for f in ("clips.py", "questions.py", "world.py"))).hexdigest()[:8]
    count = -(-questions // PER_CLIP)
    folder = work / f"{'grey' if grey else 'clips'}-{count}-{CLIP_SEED}-{recipe}"
    if not (folder / "manifest.jsonl").exists():  # written last
        command = [sys.executable, TRAIN / "clips.py", "--out", folder, "--clips", count, "--questions", PER_CLIP, "--seed", CLIP_SEED, "--small"]
        subprocess.run([str(c) for c in command + ["--grey"] * grey], check=True, stdout=sys.stderr)
    return folder


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def swapped(folder, lines):
    """a manifest beside the first: each question's query is a different question, of another clip"""
    rng = random.Random(SWAP_SEED)
    for line in lines:
        others = [o["question"] for o in lines if o["video"] != line["video"] and o["question"] != line["question"]]
        line["query"] = rng.choice(others)
    path = folder / "swapped.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def variant(setting):
    """what records call a pruning setting that names only what is not the default"""
    if setting["method"] == "none":
        return "none"
    marks = [setting.get("query"), setting.get("scope"), f"s{setting['seed']}" if "seed" in setting else None]
    return "-".join([setting["method"], f"{setting['keep']:g}", *filter(None, marks)])


class Winnow:
    """runs jobs in one state folder, so that a second run is answered from what the first left"""

    def __init__(self, args):
        self.program, self.work, self.bundle = args.winnow.resolve(), args.work.resolve(), args.bundle.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.state = self.work / "state"
        self.records, self.failed, self.model = 0, 0, None  # of all jobs so far

    def run(self, name, manifest_path, prune):
        """{variant: {id: record}} of a job with these pruning settings; failed records among them"""
        spec = {"name": name, "manifest": str(manifest_path), "bundle": str(self.bundle), "prune": prune}
        path = self.work / f"{name}.yaml"
        path.write_text(json.dumps(spec, indent=1))  # JSON is YAML
        print(f"\n{name}: {self.program} --state {self.state} run --json {path}", file=sys.stderr, flush=True)
        done = subprocess.run([str(self.program), "--state", str(self.state), "run", "--json", str(path)], stdout=subprocess.PIPE, text=True)
        if done.returncode not in (0, 3):  # 3: done, with failed items
            raise SystemExit(f"{name}: winnow ended with {done.returncode}")
        records = {}
        for line in done.stdout.splitlines():
            record = json.loads(line)
            records.setdefault(record["variant"], {})[record["id"]] = record
            self.count(record)
        return records

    def count(self, record):
        self.records += 1
        self.failed += record["status"] != "ok"
        self.model = record.get("model", self.model)

    def version(self):
        return self.say("version").strip()

    def methods(self):
        """the pruning methods that the program has"""
        return re.search(r"pruning method: ([\w, -]+?) \(", self.say("prune", "-h")).group(1).split(", ")

    def say(self, *args):
        return subprocess.run([str(self.program), *args], capture_output=True, text=True, check=True).stdout

    def kept(self, record):
        """{(frame, cell)} that the answer was given from; empty for a failed record"""
        return read_kept(self.state / "s3" / "winnow" / record["kept_ref"]) if record["status"] == "ok" else frozenset()


@lru_cache(maxsize=64)  # neighbours share one where the method does not look at the question
def read_kept(path):
    """tensors frame and cell of a kept artifact, as pairs"""
    body = path.read_bytes()
    (size,) = struct.unpack("<Q", body[:8])
    header = json.loads(body[8 : 8 + size])

    def column(name):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(body[8 + size + begin : 8 + size + end], "<i4").tolist()

    return frozenset(zip(column("frame"), column("cell")))

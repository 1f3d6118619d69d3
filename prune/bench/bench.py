#!/usr/bin/env python3
"""Measure ReDiPrune's selection beside the published one, `_select_text_cond`, in PyTorch on CPU. Prints Markdown.

    bench.py                  # fetches the published code at run time; about five minutes, most of it one row of the reference
    bench.py --quick          # without that row: about one
    bench.py --reference DIR  # a copy of github.com/UA-CVML/ReDiPrune that is there already

Both take turns on the same tokens and have to keep the same rows. Ours is charged for making the tokens ready (norms,
unit rows, the search for NaNs) and for selecting; the reference for its function. Both run on one core, where a row
does not say two. Progress goes to stderr.
"""

import argparse
import ast
import datetime
import json
import os
import re
import shlex
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "ba04aa4"  # of the published code
KEEP, ALPHA, TAU = 0.15, 0.5, 0.0

# name, tokens [T,P,D], scope, cores, times faster than the reference at least: declared before any result
CASES = [
    ("144 × 1024", (1, 144, 1024), "frame", 1, 20),
    ("576 × 1024", (1, 576, 1024), "frame", 1, 20),
    ("clip of 32 × 144 × 1024", (32, 144, 1024), "frame", 2, 30),
    ("demo bundle's tokens, 8 × 144 × 128", None, "frame", 1, 20),
    ("9,216 × 1024, one selection", (64, 144, 1024), "clip", 1, 100),
]


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    select = published(args.reference or fetch(args.work))
    binary = args.work / "prune.test"
    subprocess.run(["go", "test", "-c", "-o", str(binary), "./prune"], cwd=ROOT, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    header(args)
    peak, bandwidth = machine()
    rows = [row for case in CASES[: -1 if args.quick else None] for row in measure(case, args, select, binary)]
    speed(rows)
    limits(rows, peak, bandwidth)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="leave out the row in which the reference takes a minute a call")
    p.add_argument("--rounds", type=int, default=5, help="turns of each, of which the medians count (default %(default)s)")
    p.add_argument("--reference", type=Path, help="copy of the published repository (default: clone it into --work)")
    p.add_argument("--work", type=Path, default=ROOT / ".winnow/bench-prune", help="where inputs lie (default .winnow/bench-prune)")
    p.add_argument("--winnow", type=Path, default=ROOT / "bin/winnow", help="the program, for the demo bundle's tokens (default bin/winnow)")
    return p.parse_args()


def fetch(work):
    folder = work / "reference"
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", "https://github.com/UA-CVML/ReDiPrune", str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", COMMIT], check=True)
    return folder


def published(folder):
    """the published function, cut from its module, which would import the whole of LLaVA"""
    path = folder / "LLaVA-NeXT/llavavid/model/llava_arch.py"
    function = next(n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef) and n.name == "_select_text_cond")
    scope = {"torch": torch}
    exec(compile(ast.Module([function], []), str(path), "exec"), scope)
    return scope["_select_text_cond"]


# Inputs


def tokens(kind, shape, rng):
    """[T,P,D]: nothing alike; four kinds of thing; one thing that changes slowly along the rows"""
    n, d = shape[0] * shape[1], shape[2]
    if kind == "gaussian":
        v = rng.standard_normal((n, d))
    elif kind == "clustered":
        v = rng.standard_normal((4, d))[rng.integers(4, size=n)] + 0.05 * rng.standard_normal((n, d))
    else:
        v = np.sin(rng.random() + np.arange(n)[:, None] / 9 + np.arange(d)) + 0.02 * rng.standard_normal((n, d))
    return v.astype(np.float32).reshape(shape)


def demo_tokens(args):
    """the demo bundle's tokens of one of its clips, [8,144,128]"""
    state = args.work / "demo"
    command = [args.winnow.resolve(), "--state", state, "run", "--json", ROOT / "deploy/bundle/demo.yaml"]
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = sorted((state / "s3/winnow/v1").glob("*/tokens/*.safetensors"))[0]
    body = path.read_bytes()
    (size,) = struct.unpack("<Q", body[:8])
    at = json.loads(body[8 : 8 + size])["tokens"]
    first, last = at["data_offsets"]
    return np.frombuffer(body[8 + size + first : 8 + size + last], np.float16).reshape(at["shape"]).astype(np.float32)


def save(path, arrays):
    head, at = {}, 0
    for name, a in arrays.items():
        head[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values()))


# Measuring


def measure(case, args, select, binary):
    name, shape, scope, cores, want = case
    rng = np.random.default_rng(7)
    for kind in ["real"] if shape is None else ["gaussian", "clustered", "smooth"]:
        v = demo_tokens(args) if shape is None else tokens(kind, shape, rng)
        q = rng.standard_normal(v.shape[2]).astype(np.float32)
        path = args.work / "input.safetensors"
        save(path, {"visual_tokens": v, "text_query": q})
        groups = torch.from_numpy(v if scope == "frame" else v.reshape(1, -1, v.shape[2]))
        torch.set_num_threads(cores)
        slow = len(groups[0]) > 2000
        ours, theirs = [], []
        for turn in range(1 if slow else args.rounds):
            print(f"{name}, {kind}: turn {turn + 1}", file=sys.stderr, flush=True)
            ours.append(go(binary, path, scope, cores))
            theirs.append(reference(select, groups, torch.from_numpy(q), 1 if slow else 5))
        yield {"name": name, "kind": kind, "cores": cores, "want": want, "width": v.shape[2], "input": v.nbytes,
               "ours": statistics.median(o["median-ns"] for o in ours) / 1e6, "theirs": statistics.median(theirs) * 1e3,
               "further": statistics.median(o["further-ns"] for o in ours) / 1e6, "counts": ours[0],
               "same": same(args, path, scope, select, groups, q) if not slow else None}


def go(binary, path, scope, cores):
    command = [str(binary), "-test.run=^$", "-test.bench=^BenchmarkFile$", "-test.benchtime=0.5s", f"-test.cpu={cores}"]
    env = {**os.environ, "WINNOW_BENCH_FILE": str(path), "WINNOW_BENCH_SCOPE": scope}
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return {unit: float(value) for value, unit in re.findall(r"([\d.e+]+) (\S+)", next(x for x in out.splitlines() if x.startswith("BenchmarkFile")))}


def reference(select, groups, query, calls):
    samples = []
    for _ in range(calls):
        began = time.perf_counter()
        for group in groups:
            select(group, query, KEEP, ALPHA, TAU)
        samples.append(time.perf_counter() - began)
    return statistics.median(samples)


def same(args, path, scope, select, groups, query):
    """the share of the reference's rows that ours kept too"""
    out = args.work / "output.safetensors"
    command = [args.winnow.resolve(), "prune", path, "--keep", KEEP, "--alpha", ALPHA, "--tau", TAU, "--scope", scope, "--out", out, "--json"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
    ours = set(json.loads(done.stdout)["keep_idx"])
    theirs = {i * len(g) + r for i, g in enumerate(groups) for r in select(g, torch.from_numpy(query), KEEP, ALPHA, TAU).tolist()}
    return len(ours & theirs) / len(theirs)


def machine():
    """what one core can do: GFLOP/s in single precision, by torch's matrix product; GB/s read from memory, and from what a frame's tokens fit in"""
    torch.set_num_threads(1)
    a, b = torch.randn(768, 768), torch.randn(768, 768)
    peak = 2 * 768**3 / best(lambda: torch.mm(a, b)) / 1e9
    large, small = torch.randn(1 << 27), torch.randn(576 * 1024)
    return peak, {"memory": large.nbytes / best(lambda: large.max(), 5) / 1e9, "cache": small.nbytes / best(lambda: small.max()) / 1e9}


def best(call, times=30):
    samples = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        samples.append(time.perf_counter() - began)
    return min(samples)


# Telling


def header(args):
    models = [x.split(":", 1)[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    shown = ["--quick"] * args.quick + ["--rounds", str(args.rounds)] * (args.rounds != 5)
    print(f"- command: `{shlex.join(['make', 'bench-prune'] if not shown else ['prune/bench/bench.py', *shown])}`")
    print(f"- {datetime.date.today()}, {models[0] if models else 'unknown processor'}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; Winnow {commit}")
    print(f"- reference: UA-CVML/ReDiPrune at {COMMIT}, torch {torch.__version__}, CPU; keep {KEEP}, α {ALPHA}")


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def speed(rows):
    print("\n### Beside the published selection\n\nMedians of turns, in milliseconds. *further* is what one more question takes of a clip that is kept ready.")
    table(["tokens", "input", "cores", "reference", "ours", "further", "times faster", "wanted", "rows the same"], [
        [r["name"], r["kind"], str(r["cores"]), f"{r['theirs']:.2f}", f"{r['ours']:.3f}", f"{r['further']:.3f}", f"{r['theirs'] / r['ours']:.1f}×",
         f"≥ {r['want']}× {'reached' if r['theirs'] / r['ours'] >= r['want'] else '**missed**'}", "–" if r["same"] is None else f"{100 * r['same']:.2f} %"]
        for r in rows])


def limits(rows, peak, bandwidth):
    print("\n### How near to the machine's limit\n")
    print(f"One core multiplies matrices at {peak:.0f} GFLOP/s (torch), reads {bandwidth['memory']:.1f} GB/s from memory and {bandwidth['cache']:.1f} GB/s from the cache that "
          "576 × 1024 tokens fit in. Similarities are those taken, of those of the plain rule with a running minimum; bytes are rows read for them, in tiles of 7 to 63 rows × 4 picks, "
          "whatever cache they come from. Both rates are of the time that selecting from a clip kept ready takes, and per core. Extra memory is the unit rows held and what one selection allocates, by the input's size.")
    table(["tokens", "input", "similarities", "of the plain rule", "GFLOP/s", "of the peak", "GB/s", "extra memory"], [
        [r["name"], r["kind"], f"{r['counts']['similarities']:.0f}", f"{100 * r['counts']['similarities'] / r['counts']['plain-similarities']:.1f} %",
         f"{flops(r):.1f}", f"{100 * flops(r) / peak:.0f} %", f"{moved(r):.1f}", f"{(r['counts']['clip-bytes'] + r['counts']['B/op']) / r['input']:.2f}×"] for r in rows])


def flops(r):
    return 2 * r["width"] * r["counts"]["similarities"] / r["further"] / 1e6 / r["cores"]


def moved(r):
    return 4 * r["width"] * r["counts"]["rows-read"] / r["further"] / 1e6 / r["cores"]


if __name__ == "__main__":
    main()

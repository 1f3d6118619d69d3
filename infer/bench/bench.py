#!/usr/bin/env python3
"""Measure the engine beside Python's onnxruntime on the same graphs, CPU, and how busy winnow-infer keeps it. Prints Markdown.

    bench.py          # the demo bundle and one of random weights, 0.3 · 10⁹ parameters, which it exports first; about 25 minutes
    bench.py --quick  # the demo bundle alone

Both take turns, each turn in a process of its own. Ours is what winnow-infer runs: infer.Encoder and infer.Decoder over
infer/onnx. Progress goes to stderr.
"""

import argparse
import datetime
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROMPT, TOKENS = 256, 32  # rows read, tokens said

# Declared before any result.
NEAR = 0.10  # of the time that Python's onnxruntime takes, at most so much more, of the same options and threads
OUTSIDE = 0.01  # of a token's time outside the graph, at most
IDLE = 0.05  # of the time in which requests wait or run, at most

# Ours runs with `same`. `defaults` are a session's that nobody configured: threads spin while they wait.
PEERS = {"same": [], "defaults": ["--defaults"]}


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    binary = args.work / "onnx.test"
    subprocess.run(["go", "test", "-c", "-o", str(binary), "./infer/onnx"], cwd=ROOT, check=True)
    bundles = {"demo": ROOT / "deploy/bundle/demo"} | ({} if args.quick else {"large": large(args)})
    header(args)
    runs = [Runs(name, folder, args, binary) for name, folder in bundles.items()]
    told = [fact for run in runs for fact in run.facts()] + [overlap(args)]
    thresholds(told)
    visions(runs)
    decoders(runs)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="leave out the large bundle, which takes torch and transformers to make")
    p.add_argument("--rounds", type=int, default=5, help="turns of each, of which the medians count (default %(default)s)")
    p.add_argument("--seconds", type=float, default=10, help="of one turn: several answers of the large bundle (default %(default)s)")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="inside a graph (default: the cores)")
    p.add_argument("--large", type=Path, help="another bundle in place of the random one, with decoder.onnx")
    p.add_argument("--work", type=Path, default=ROOT / ".winnow/bench-infer", help="where what is made lies (default .winnow/bench-infer)")
    p.add_argument("--winnow", type=Path, default=ROOT / "bin/winnow", help="the program (default bin/winnow)")
    return p.parse_args()


def large(args):
    folder = args.large or args.work / "large"
    if not folder.exists():
        subprocess.run([sys.executable, str(HERE / "large.py"), str(folder)], stdout=sys.stderr, check=True)
    return folder.resolve()


class Runs:
    """all turns with one bundle"""

    def __init__(self, name, folder, args, binary):
        self.name, self.folder, self.args, self.binary = name, folder, args, binary
        self.samples = {}  # by who and what
        for turn in range(args.rounds):
            print(f"{name}: turn {turn + 1} of {args.rounds}", file=sys.stderr, flush=True)
            for graph in ("Vision", "Decoder"):
                self.beside(graph, turn)
            self.keep("trace", self.traced())

    def beside(self, graph, turn):
        """one graph by all, one right after the other, for the machine's speed drifts; another one begins each time"""
        takers = [("ours", lambda: self.ours(graph))]
        for options, flags in PEERS.items():
            takers.append((options, lambda flags=flags: self.peer(graph.lower(), *flags)))
            if graph == "Decoder":
                takers.append((f"{options}, bound", lambda flags=flags: self.peer("decoder", "--binding", *flags)))
        first = turn % len(takers)
        for who, run in takers[first:] + takers[:first]:
            self.keep(who, run())

    def keep(self, who, figures):
        for what, value in figures.items():
            self.samples.setdefault((who, what), []).append(value)

    def of(self, who, what):
        return statistics.median(self.samples[who, what])

    def ratio(self, who, what):
        """ours by theirs, the median of turns"""
        return statistics.median(o / t for o, t in zip(self.samples["ours", what], self.samples[who, what]))

    def ours(self, what, length=None, **env):
        env = os.environ | {
            "WINNOW_BENCH_BUNDLE": str(self.folder), "WINNOW_BENCH_THREADS": str(self.args.threads), "WINNOW_BENCH_PROMPT": str(PROMPT),
            "WINNOW_BENCH_TOKENS": str(TOKENS),
        } | env
        command = [str(self.binary), "-test.run=^$", f"-test.bench=^Benchmark{what}$", f"-test.benchtime={length or f'{self.args.seconds}s'}"]
        out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        line = next(x for x in out.splitlines() if x.startswith(f"Benchmark{what}"))
        return {unit: float(value) for value, unit in re.findall(r"([\d.e+]+) (\S+)", line)}

    def traced(self):
        """the runtime's trace holds a million events, and slows a token down: few answers, and only for what is outside"""
        with tempfile.TemporaryDirectory() as folder:
            return {"outside-ns": self.ours("Decoder", "5x", WINNOW_BENCH_PROFILE=folder)["outside-ns"]}

    def peer(self, graph, *flags):
        command = [sys.executable, HERE / "peer.py", graph, self.folder, *flags, "--threads", self.args.threads, "--seconds", self.args.seconds, "--prompt", PROMPT, "--tokens", TOKENS]
        return json.loads(subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout)

    def outside(self):
        return self.of("trace", "outside-ns") / self.of("ours", "token-ns")

    def faster(self, what):
        """of Python's two ways with the same options"""
        return max(self.ratio(who, what) for who in ("same", "same, bound"))

    def facts(self):
        slower = 1 / self.ratio("same", "frames/s") - 1
        yield f"{self.name}: encoding takes at most {100 * NEAR:.0f} % longer", f"{100 * slower:+.1f} %", slower <= NEAR
        for what, title in (("prefill-ns", "reading a prompt"), ("token-ns", "a token")):
            slower = self.faster(what) - 1
            yield f"{self.name}: {title} takes at most {100 * NEAR:.0f} % longer", f"{100 * slower:+.1f} %", slower <= NEAR
        yield f"{self.name}: less than {100 * OUTSIDE:.0f} % of a token outside the graph", f"{100 * self.outside():.2f} %", self.outside() < OUTSIDE


def overlap(args):
    """a job of the demo's questions, each with two settings, from an empty store"""
    state = args.work / "job"
    shutil.rmtree(state, ignore_errors=True)
    spec = args.work / "job.yaml"
    spec.write_text(f"name: overlap\nmanifest: {ROOT / 'deploy/bundle/demo-clips/manifest.jsonl'}\nbundle: {ROOT / 'deploy/bundle/demo'}\n"
                    "prune:\n  - {method: rediprune, keep: 0.15}\n  - {method: rediprune, keep: 0.5}\n")
    print("a job of 260 questions", file=sys.stderr, flush=True)
    command = [str(args.winnow.resolve()), "--state", str(state), "run", "--json", str(spec)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = last_load(state / "logs/infer-demo.log")
    share = told["idle_share"]
    figure = f"{100 * share:.1f} % ({told['idle_while_requests_wait_s']:.2f} s beside {told['busy_s']:.1f} s busy)"
    return f"winnow-infer idle less than {100 * IDLE:.0f} % of the time in which requests wait or run", figure, share < IDLE


def last_load(log):
    """what winnow-infer says last: it ends after the job"""
    for _ in range(30):
        before = log.stat().st_size
        time.sleep(1)
        lines = [x for x in log.read_text().splitlines() if "idle_share=" in x]
        if lines and log.stat().st_size == before:
            return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.e+-]+)(?: |$)", lines[-1].split("msg=device", 1)[1])}
    raise SystemExit(f"{log}: winnow-infer does not tell how busy it was")


# Telling


def header(args):
    import onnxruntime

    models = [x.split(":", 1)[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    shown = ["--quick"] * args.quick + ["--rounds", str(args.rounds)] * (args.rounds != 5) + ["--seconds", str(args.seconds)] * (args.seconds != 3)
    print(f"- command: `{shlex.join(['make', 'bench-infer'] if not shown else ['infer/bench/bench.py', *shown])}`")
    print(f"- {datetime.date.today()}, {models[0] if models else 'unknown processor'}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; Winnow {commit}")
    print(f"- Python's onnxruntime {onnxruntime.__version__}; {args.threads} threads; prompt of {PROMPT} rows, {TOKENS} tokens said", flush=True)


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def thresholds(facts):
    print("\n### Declared\n\nBeside Python's onnxruntime with the same options; of its two ways with the cache, the one that is faster.")
    table(["declared", "figure", ""], [[what, figure, "reached" if ok else "**missed**"] for what, figure, ok in facts])


def visions(runs):
    print("\n### Vision tower, frames a second\n\nBatches of 8. In brackets theirs by ours: the median of turns, above 1 they are faster.")
    table(["bundle", "ours", "Python, same options", "Python, default options"], [
        [r.name, f"{r.of('ours', 'frames/s'):.1f}", *(f"{r.of(who, 'frames/s'):.1f} ({1 / r.ratio(who, 'frames/s'):.2f})" for who in PEERS)] for r in runs])


def decoders(runs):
    print("\n### Decoder, milliseconds\n\nIn brackets ours by theirs: the median of turns, above 1 they are faster. *Bound* keeps the cache in the runtime's memory, "
          "the other way takes it out as arrays and puts it in again.")
    peers = [f"{options}{bound}" for options in PEERS for bound in ("", ", bound")]
    rows = []
    for r in runs:
        for what, title in (("prefill-ns", "prompt"), ("token-ns", "token")):
            rows.append([f"{r.name}, {title}", f"{r.of('ours', what) / 1e6:.2f}", *(f"{r.of(who, what) / 1e6:.2f} ({r.ratio(who, what):.2f})" for who in peers)])
    table(["", "ours", *(f"Python, {who}" for who in peers)], rows)
    print("\n" + "; ".join(f"{r.name}: {r.of('trace', 'outside-ns') / 1e3:.0f} µs of a token are outside the graph" for r in runs) + ".")


if __name__ == "__main__":
    main()

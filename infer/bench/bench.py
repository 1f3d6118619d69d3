#!/usr/bin/env python3
"""Measure the engine beside Python's onnxruntime on the same graphs, CPU, and how busy winnow-infer keeps it. Prints Markdown.

    bench.py          # the demo bundle and one of random weights, 0.3 · 10⁹ parameters, which it exports first; about 25 minutes
    bench.py --quick  # the demo bundle alone

Both are loaded at once and take short turns, one right after the other: what the machine does meanwhile meets all of them. Now and
then all start anew, for a process may be lucky in where its memory lies. Ours is what winnow-infer runs: infer.Encoder and
infer.Decoder over infer/onnx. Progress goes to stderr.
"""

import argparse
import contextlib
import datetime
import itertools
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

REST = 0.1  # seconds between turns: threads that spin while they wait go on for a while

# Ours runs with `same`. `defaults` are a session's that nobody configured: threads spin while they wait.
PEERS = {"same": [], "defaults": ["--defaults"]}


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    binary = args.work / "ours"
    subprocess.run(["go", "build", "-o", str(binary), "./infer/bench/ours"], cwd=ROOT, check=True)
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
    p.add_argument("--starts", type=int, default=5, help="how often all processes start anew (default %(default)s)")
    p.add_argument("--turns", type=int, default=10, help="of each process (default %(default)s)")
    p.add_argument("--seconds", type=float, default=1, help="of one turn: at least one answer (default %(default)s)")
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


class Taker:
    """a process that has loaded a graph and takes turns with it"""

    def __init__(self, command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read()

    def turn(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        return self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{shlex.join(map(str, self.process.args))} ended")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Runs:
    """all turns with one bundle"""

    def __init__(self, name, folder, args, binary):
        self.name, self.folder, self.args, self.binary = name, folder, args, binary
        self.samples = {}  # by who and what: one list a start, one figure a turn
        for start in range(args.starts):
            for graph in ("vision", "decoder"):
                print(f"{name}, {graph}: start {start + 1} of {args.starts}", file=sys.stderr, flush=True)
                self.beside(graph)
        for _ in range(args.starts):
            self.keep("trace", [self.traced()])

    def beside(self, graph):
        """one graph by all in a row, and another one begins each time"""
        with contextlib.ExitStack() as running:
            takers = {who: running.enter_context(Taker(command)) for who, command in self.commands(graph).items()}
            took = {who: [] for who in takers}
            for turn in range(self.args.turns):
                order = list(takers)
                for who in order[turn % len(order) :] + order[: turn % len(order)]:
                    time.sleep(REST)
                    took[who].append(takers[who].turn(self.args.seconds))
        for who, turns in took.items():
            self.keep(who, turns)

    def keep(self, who, turns):
        for what in turns[0]:
            self.samples.setdefault((who, what), []).append([figures[what] for figures in turns])

    def commands(self, graph):
        all = {"ours": self.ours(graph)}
        for options, flags in PEERS.items():
            all[options] = self.peer(graph, *flags)
            if graph == "decoder":
                all[f"{options}, bound"] = self.peer(graph, "--binding", *flags)
        return all

    def ours(self, graph, *flags):
        return [self.binary, *flags, "--threads", self.args.threads, "--prompt", PROMPT, "--tokens", TOKENS, graph, self.folder]

    def peer(self, graph, *flags):
        return [sys.executable, HERE / "peer.py", graph, self.folder, *flags, "--threads", self.args.threads, "--prompt", PROMPT, "--tokens", TOKENS]

    def traced(self):
        """the runtime's trace holds a million events, and slows a token down: one turn, and only for what is outside"""
        with tempfile.TemporaryDirectory() as folder, Taker(self.ours("decoder", "--profile", folder)) as taker:
            return taker.turn(self.args.seconds)

    def of(self, who, what):
        return statistics.median(itertools.chain(*self.samples[who, what]))

    def ratios(self, who, what):
        """ours by theirs in each turn, a list a start"""
        return [[o / t for o, t in zip(ours, theirs)] for ours, theirs in zip(self.samples["ours", what], self.samples[who, what])]

    def ratio(self, who, what):
        """the median of all turns"""
        return statistics.median(itertools.chain(*self.ratios(who, what)))

    def spread(self, who, what):
        """the least and the largest median of a start"""
        medians = [statistics.median(turns) for turns in self.ratios(who, what)]
        return min(medians), max(medians)

    def outside(self):
        return self.of("trace", "outside-ns") / self.of("ours", "token-ns")

    def faster(self, what):
        """of Python's two ways with the same options"""
        return max(("same", "same, bound"), key=lambda who: self.ratio(who, what))

    def facts(self):
        for what, title, who in (
            ("frames/s", "encoding", "same"),
            ("prefill-ns", "reading a prompt", self.faster("prefill-ns")),
            ("token-ns", "a token", self.faster("token-ns")),
        ):
            longer, spread = self.longer(self.ratio(who, what), what), sorted(self.longer(r, what) for r in self.spread(who, what))
            figure = f"{100 * longer:+.1f} % (starts {100 * spread[0]:+.1f} to {100 * spread[1]:+.1f})"
            yield f"{self.name}: {title} takes at most {100 * NEAR:.0f} % longer", figure, longer <= NEAR
        yield f"{self.name}: less than {100 * OUTSIDE:.0f} % of a token outside the graph", f"{100 * self.outside():.2f} %", self.outside() < OUTSIDE

    @staticmethod
    def longer(ratio, what):
        """how much longer ours takes, by the ratio of times, or of what was done in a second"""
        return (1 / ratio if what.endswith("/s") else ratio) - 1


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
    print(f"- command: `{shlex.join(['infer/bench/bench.py', *sys.argv[1:]])}`")
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

#!/usr/bin/env python3
"""Measure `winnow frames` beside its peers: CPU and wall seconds for 8, 32 and 64 frames of a video. Prints Markdown.

    bench.py            # clips of one and ten minutes, three repeats: more than an hour on two idle cores, clips not counted
    bench.py --quick    # clips of one minute, one repeat: about ten minutes
    bench.py --only vp9.*:32    # one row of the table
    bench.py --make     # make the clips and stop

Clips are drawn and encoded by FFmpeg once (libx264, libx265, libvpx-vp9). Peers that cannot be imported are left out.
Every sample lies in results.json under --work. Progress goes to stderr.
"""

import argparse
import datetime
import json
import os
import re
import shlex
import sys
from pathlib import Path
from statistics import median

import clips
from measure import SIZE, Tools, middle

# Declared before any result was seen.
WHOLE = 20.0  # times less CPU for 8 frames of ten minutes than for decoding all of them, at least
PEAK = 150.0  # MB, peak RSS of winnow-decode at 720p, at most
FLAT = 10.0  # per cent by which that peak grows from one to ten minutes, at most
TWO = 1.8  # times the throughput of one child that two have on two cores, at least

COUNTS = [8, 32, 64]
NEAR = 0.02  # s, time stamps of a frame that differ by less are the same: containers round
ROOT = Path(__file__).resolve().parents[2]


def main():
    args = arguments()
    chosen = [c for c in (clips.SHORT if args.quick else clips.SHORT + clips.LONG) if counts(c, args.only)]
    clips.make(chosen, args.clips, args.ffmpeg)
    if args.make:
        return
    args.work.mkdir(parents=True, exist_ok=True)
    tools, load = Tools(args.winnow.resolve(), args.ffmpeg), os.getloadavg()
    bench = Bench(tools, {c: c.file(args.clips) for c in chosen}, args)
    bench.run()
    header(tools, args, bench.began, load)
    bench.thresholds()
    bench.costs()
    bench.bounds()
    if bench.whole:
        bench.wholes()
        bench.peaks()


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="clips of one minute only, one repeat")
    p.add_argument("--make", action="store_true", help="make the clips and stop")
    p.add_argument("--only", default="", metavar="REGEXP", help="rows whose clip and frames it matches, as h264-gop250-60s:32; whole files and peaks only of clips with all of theirs")
    p.add_argument("--repeats", type=int, help="samples of each figure, which is their median (default 3, quick 1)")
    p.add_argument("--clips", type=Path, default=ROOT / ".winnow/bench-decode/clips", help="where clips are kept (default .winnow/bench-decode/clips)")
    p.add_argument("--work", type=Path, default=ROOT / ".winnow/bench-decode", help="where results.json goes (default .winnow/bench-decode)")
    p.add_argument("--winnow", type=Path, default=ROOT / "bin/winnow", help="the program (default bin/winnow)")
    p.add_argument("--ffmpeg", default="ffmpeg", help="5.1 or newer with libx264, libx265 and libvpx-vp9 (default ffmpeg)")
    args = p.parse_args()
    args.repeats = args.repeats or (1 if args.quick else 3)
    return args


def counts(clip, only):
    return [n for n in COUNTS if re.search(only, f"{clip.name}:{n}")]


class Bench:
    def __init__(self, tools, files, args):
        self.tools, self.files, self.args, self.began = tools, files, args, datetime.datetime.now()
        self.samples = {}  # by clip, count and tool
        self.whole, self.peak, self.pair = {}, {}, []

    def run(self):
        for clip, file in self.files.items():
            cached(file)
            for count in self.counts(clip):
                self.cell(clip, file, count)
            if self.counts(clip) == COUNTS:
                self.apart(clip, file)
            self.keep()
        if not self.whole:
            return
        busy = next(iter(self.files.values()))
        for _ in range(max(self.args.repeats, 3)):
            self.pair.append(self.tools.two(busy, 32, 8))
        self.keep()

    def counts(self, clip):
        return counts(clip, self.args.only)

    def apart(self, clip, file):
        """what is measured of a clip without peers"""
        self.whole[clip] = [self.tools.whole(file) for _ in range(self.args.repeats)]
        for count in COUNTS:
            self.peak[clip, count] = [self.tools.peak(file, count) for _ in range(self.args.repeats)]

    def cell(self, clip, file, count):
        """all tools in turn, beginning with another one each time"""
        tools = list(self.tools.all().items())
        for r in range(self.args.repeats):
            for name, run in tools[r % len(tools):] + tools[:r % len(tools)]:
                sample = run(file, clip, count)
                self.samples.setdefault((clip, count, name), []).append(sample)
                print(f"{clip.name}, {count} frames, {name}: {sample['cpu_s']:.2f} s CPU, {sample['wall_s']:.2f} s", file=sys.stderr)

    def keep(self):
        told = {
            "began": str(self.began), "versions": self.tools.versions, "pair": self.pair,
            "whole": {c.name: s for c, s in self.whole.items()},
            "cost": [{"clip": c.name, "count": n, "tool": t, "samples": s} for (c, n, t), s in self.samples.items()],
            "peak": [{"clip": c.name, "count": n, "samples": s} for (c, n), s in self.peak.items()],
        }
        (self.args.work / "results.json").write_text(json.dumps(told, indent=1))

    def of(self, clip, count, tool, key):
        return middle(self.samples[clip, count, tool], key)

    def thresholds(self):
        rows = [self.right()]
        if self.whole:
            rows += [*self.least(), self.small(), *self.flat(), self.together()]
        table(["declared", "figure", ""], [(what, figure, "reached" if ok else "missed") for what, figure, ok in rows])

    def right(self):
        """ours are the frames that were asked for, by number and by time, and peers gave as many"""
        wrong = []
        for (clip, count, tool), samples in self.samples.items():
            want = self.samples[clip, count, "bound"][0]
            for s in samples:
                if tool == "winnow" and (s["index"] != want["index"] or any(abs(a - b) > NEAR for a, b in zip(s["pts_s"], want["pts_s"]))):
                    wrong.append(tool)
                if s.get("frames", count) != count:
                    wrong.append(tool)
        return "frames are those of np.linspace, by number and time", f"wrong: {', '.join(sorted(set(wrong))) or 'none'}", not wrong

    def least(self):
        for clip in self.whole:
            if clip.seconds == 600:
                ratio = middle(self.whole[clip], "cpu_s") / self.of(clip, 8, "winnow", "cpu_s")
                yield f"{clip.name}, 8 frames: at least {WHOLE:.0f}× less CPU than decoding it whole", f"{ratio:.1f}×", ratio >= WHOLE

    def small(self):
        most = max(s["child_mb"] for samples in self.peak.values() for s in samples)
        return f"peak RSS of winnow-decode: at most {PEAK:.0f} MB", f"{most:.0f} MB", most <= PEAK

    def flat(self):
        for short in self.whole:
            for long in self.whole:
                if (short.codec, short.gop, short.seconds, long.seconds) == (long.codec, long.gop, 60, 600):
                    grown = max(100 * (middle(self.peak[long, n], "child_mb") / middle(self.peak[short, n], "child_mb") - 1) for n in COUNTS)
                    yield f"{long.codec}, GOP {long.gop}: peak RSS grows at most {FLAT:.0f} % from 60 to 600 s", f"{grown:+.0f} %", grown <= FLAT

    def together(self):
        ratio = median(self.pair)
        return f"two children on {os.cpu_count()} cores: at least {TWO}× the throughput of one", f"{ratio:.2f}×", ratio >= TWO

    def costs(self):
        peers = list(self.tools.peers)
        rows = []
        for clip in self.files:
            for count in self.counts(clip):
                ours, theirs = ([[self.of(clip, count, t, k) for k in ("cpu_s", "wall_s")] for t in names] for names in (["winnow"], peers))
                best = [min(x) / o for x, o in zip(zip(*theirs), ours[0])]
                rows.append((clip.name, count, *(f"{c:.2f} / {w:.2f}" for c, w in ours + theirs), *(f"{b:.2f}×" for b in best)))
        print(f"\n### CPU / wall seconds, median of {self.args.repeats}\n\nLast two: the best peer's over ours, in CPU and in wall; above 1 ours is cheaper. "
              f"Every tool gives frames of {SIZE} × {SIZE}, Python peers through Pillow. winnow and ffmpeg are charged for the whole process, "
              "the others for the work after imports. torchcodec and decord decode with one thread, winnow, ffmpeg and PyAV with as many as they choose. "
              "PyAV decodes every frame as the reference does, but keeps only those wanted.")
        table(["clip", "frames", "winnow", *peers, "CPU", "wall"], rows)

    def bounds(self):
        rows = []
        for clip in self.files:
            for count in self.counts(clip):
                least = self.samples[clip, count, "bound"][0]
                ours, bound = self.of(clip, count, "winnow", "cpu_s"), self.of(clip, count, "bound", "cpu_s")
                rows.append((clip.name, count, least["coded"], least["needed"], f"{bound:.2f}", f"{ours:.2f}", f"{ours / bound:.2f}×"))
        print("\n### How near to the least that must be decoded\n\nFrom each key frame the frames that others refer to, up to the wanted one. "
              "The bound is what decoding just those costs PyAV with one thread: no start, no index of the file, no colours, no resize.")
        table(["clip", "frames", "coded", "must be decoded", "bound, CPU s", "winnow, CPU s", "ratio"], rows)

    def wholes(self):
        rows = []
        for clip, samples in self.whole.items():
            whole = middle(samples, "cpu_s")
            rows.append((clip.name, f"{self.files[clip].stat().st_size / 1e6:.0f}", f"{whole:.1f}", *(f"{whole / self.of(clip, n, 'winnow', 'cpu_s'):.1f}×" for n in COUNTS)))
        print("\n### Decoding the whole file\n\n`ffmpeg -threads 1`, nothing converted; then how many times less winnow needs.")
        table(["clip", "MB", "CPU s", *(f"{n} frames" for n in COUNTS)], rows)

    def peaks(self):
        rows = [(clip.name, *(f"{middle(self.peak[clip, n], 'child_mb'):.0f} / {middle(self.peak[clip, n], 'tree_mb'):.0f}" for n in COUNTS)) for clip in self.whole]
        print("\n### Peak RSS, MB\n\nOf winnow-decode / the larger of it and the `winnow` that started it.")
        table(["clip", *(f"{n} frames" for n in COUNTS)], rows)


def cached(file):
    """reads file into the page cache, in small parts: the peak of a process begins at its parent's"""
    with file.open("rb") as f:
        while f.read(1 << 20):
            pass


def listed(words):
    return ", ".join(map(str, words[:-1])) + f" and {words[-1]}"


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def header(tools, args, began, load):
    models = [x.split(":", 1)[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
    wall = (datetime.datetime.now() - began).total_seconds()
    print(f"## Decoding: {listed(COUNTS)} frames of 720p30\n")
    print(f"- command: `{shlex.join(['python3', *sys.argv])}`")
    print(f"- {began.date()}, {wall:.0f} s wall, {os.cpu_count()} cores, {models[0] if models else 'unknown processor'}; "
          f"load average {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after")
    for name, version in tools.versions.items():
        print(f"- {name}: {version}")


if __name__ == "__main__":
    main()

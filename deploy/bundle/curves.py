#!/usr/bin/env python3
"""Measure every pruning method of `winnow` at several keep ratios: accuracy and coverage on held-out questions.

    curves.py                      # writes curves.md, curves.svg and curves.png beside itself
    curves.py --questions 24       # a quick look; --out says where to

One job a method, through `winnow run`, in the state of bench.py: what was answered once is read from its artifacts, so it
can be stopped and started again. Progress goes to stderr.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from bench import figures, plot, report, runs

KEEPS = [0.05, 0.1, 0.15, 0.25, 0.5]
FULL = 1  # keeps all, whatever the method: measured once, as method none
SEEDS = [1, 2, 3]
OWN = [{}, {"query": "question"}, {"scope": "clip"}]  # settings of ReDiPrune
REDIPRUNE = "rediprune"


def main():
    args = arguments()
    began, winnow = time.time(), runs.Winnow(args)
    folder = runs.clips(winnow.work, args.questions, grey=False)
    lines = runs.manifest(folder)
    full = measure(winnow, folder, lines, "none", [{"method": "none"}], [FULL])
    curves = {name: measure(winnow, folder, lines, name, settings, args.keeps) | full
              for name, settings in asked(args.methods or winnow.methods()).items()}
    write(args.out, report.header("Accuracy and coverage by share kept", winnow, lines, began), lines, curves, args.keeps)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--questions", type=int, default=400, help=f"held-out questions, {runs.PER_CLIP} a clip (default %(default)s)")
    p.add_argument("--keeps", nargs="+", type=float, default=KEEPS, metavar="SHARE", help="shares kept beside 1 (default: %(default)s)")
    p.add_argument("--methods", nargs="+", metavar="METHOD", help=f"methods beside {REDIPRUNE} (default: all that winnow has)")
    p.add_argument("--out", type=Path, default=runs.BUNDLES, help="folder of curves.md, .svg and .png (default deploy/bundle)")
    runs.add_arguments(p)
    return p.parse_args()


def asked(methods):
    """{curve: the settings that it is the mean of}, ReDiPrune first"""
    curves = {" ".join([REDIPRUNE, *own.values()]): [{"method": REDIPRUNE, **own}] for own in OWN}
    for method in methods:
        if method == "random":
            curves[f"random ({len(SEEDS)} seeds)"] = [{"method": method, "seed": s} for s in SEEDS]
        elif method not in (REDIPRUNE, "none"):
            curves[method] = [{"method": method}]
    return curves


def measure(winnow, folder, lines, name, settings, keeps):
    """{keep: (right, covered)}, each one a question, averaged over settings"""
    began, before = time.time(), winnow.records
    prunings = [{**s, "keep": k} for k in keeps for s in settings]
    records = winnow.run(f"curves-{name.split(' (')[0].replace(' ', '-')}", folder / "manifest.jsonl", prunings)
    seconds, count = time.time() - began, winnow.records - before
    print(f"{name}: {count} records in {seconds:.0f} s, {count / seconds:.1f}/s", file=sys.stderr, flush=True)
    return {k: np.mean([scores(winnow, lines, records[runs.variant({**s, "keep": k})]) for s in settings], axis=0) for k in keeps}


def scores(winnow, lines, records):
    """[2, questions]: right, covered"""
    covered = [figures.covered(line, winnow.kept(records[line["id"]])) for line in lines]
    return np.array([figures.correct(lines, records), covered], float)


class Measure:
    """accuracy or coverage: which row of scores, over which questions"""

    def __init__(self, title, lines, row, of):
        self.title, self.row, self.of = title, row, np.array(of)
        self.lines = [line for line, counts in zip(lines, of) if counts]

    def interval(self, scores):
        return figures.bootstrap(self.lines, scores[self.row][self.of])


def write(out, header, lines, curves, pruned):
    out.mkdir(parents=True, exist_ok=True)
    something = [figures.sight(line) != "nothing to see" for line in lines]
    both = [Measure("right", lines, 0, [True] * len(lines)), Measure("covered", lines, 1, something)]
    keeps, ours = [*pruned, FULL], [c for c in curves if c.startswith(REDIPRUNE)]
    values = {m.title: {c: [m.interval(s[k]) for k in keeps] for c, s in curves.items()} for m in both}
    plot.draw([out / "curves.svg", out / "curves.png"],
              {f"{m.title}, % of {len(m.lines)} questions": values[m.title] for m in both}, keeps, ours)
    text = [header, EXPLAINED, "![accuracy and coverage against the share kept](curves.svg)"]
    for m in both:
        text += absolute(m, values[m.title], keeps) + differences(m, curves, pruned)
    (out / "curves.md").write_text("\n\n".join(text) + "\n")
    print("\n\n".join(text))


EXPLAINED = f"""Right: the answer is the right one. Covered: every thing that one must see to answer has a kept cell; a token merged of several
counts for the cell that it stands on. Brackets and bands are 95 % intervals of a bootstrap by clip, {figures.RESAMPLES} resamples; differences are
paired. No interval is widened for how many there are: of twenty without a difference, one excludes zero. Keep {FULL} is every
token, whatever the method. `rediprune` is as published: `query: prompt`, `scope: frame`."""


def absolute(measure, values, keeps):
    rows = [(curve, *(f"{v:.1f} [{low:.1f}, {high:.1f}]" for v, low, high in points)) for curve, points in values.items()]
    return [f"### {measure.title.capitalize()}, % of {len(measure.lines)} questions", report.table(["method", *(f"keep {k:g}" for k in keeps)], rows)]


def differences(measure, curves, keeps):
    """ReDiPrune minus every other curve, and in words where it does not lead"""
    gaps = {c: [measure.interval(curves[REDIPRUNE][k] - s[k]) for k in keeps] for c, s in curves.items() if c != REDIPRUNE}
    rows = [(f"− {c}", *(f"{v:+.1f} [{low:+.1f}, {high:+.1f}]" for v, low, high in points)) for c, points in gaps.items()]
    rivals = {c: points for c, points in gaps.items() if not c.startswith(REDIPRUNE)}
    told = [f"- keep {k:g}: {where(i, rivals)}" for i, k in enumerate(keeps)]
    return [f"### {measure.title.capitalize()}: {REDIPRUNE} minus the others, points", report.table(["", *(f"keep {k:g}" for k in keeps)], rows),
            "Where ReDiPrune does not lead:", "\n".join(told)]


def where(i, rivals):
    """of the i-th keep: who is ahead of ReDiPrune, and who is not behind beyond chance"""
    behind = [f"{c} ({-p[i][0]:.1f} points)" for c, p in rivals.items() if p[i][2] < 0]
    level = [c for c, p in rivals.items() if p[i][1] <= 0 <= p[i][2]]
    told = [f"behind {', '.join(behind)}"] * bool(behind) + [f"no lead beyond chance over {', '.join(level)}"] * bool(level)
    return "; ".join(told) + "." if told else "it leads every other method."


if __name__ == "__main__":
    main()

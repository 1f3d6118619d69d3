#!/usr/bin/env python3
"""Measure a bundle through `winnow run`: what all tokens answer, and what is left at keep 0.15. Prints Markdown.

    bench.py                    # 260 clips, 1040 questions
    bench.py --questions 60     # a quick look

Clips are drawn from a seed that no training and no demo clip uses, and made once. Everything lies under --work; a
second run is answered from the artifacts of the first. Progress goes to stderr.
"""

import argparse
import time

import numpy as np

from bench import figures, report, runs

# Declared before any result was seen; points are points of accuracy.
ALL_TOKENS = 95.0  # per cent right with all tokens, at least
GREY = 3.0  # points between grey pictures and the text-only baseline, at most
BRIEF_ABOVE = 0.0  # points: lower end of the interval of ReDiPrune minus random on brief questions, above
PERSISTENT = 2.0  # points that ReDiPrune loses against all tokens on persistent questions, at most

KEEP = 0.15
SEEDS = [1, 2, 3, 4, 5]
REDIPRUNE = f"rediprune-{KEEP}"
RANDOM = [f"random-{KEEP}-s{s}" for s in SEEDS]
BOTH = [{"method": "rediprune", "keep": KEEP, "query": q} for q in ("prompt", "question")]
PRUNINGS = [{"method": "none"}, *BOTH, *({"method": m, "keep": KEEP} for m in ("diverse", "relevant", "uniform")),
            *({"method": "random", "keep": KEEP, "seed": s} for s in SEEDS)]
SIGHTS = ["brief", "persistent", "nothing to see"]


def main():
    args = arguments()
    began, winnow = time.time(), runs.Winnow(args)
    folder, grey = (runs.clips(winnow.work, args.questions, g) for g in (False, True))
    lines = runs.manifest(folder)
    records = winnow.run("bench", folder / "manifest.jsonl", PRUNINGS)
    blind = winnow.run("bench-grey", grey / "manifest.jsonl", [{"method": "none"}])["none"]
    other = winnow.run("bench-swapped", runs.swapped(folder, runs.manifest(folder)), BOTH)
    print(report.header("Benchmark", winnow, lines, began))
    thresholds(lines, records, blind)
    methods(winnow, lines, records)
    swap(winnow, lines, records, other)
    breakdown(lines, records)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--questions", type=int, default=1040, help=f"held-out questions, {runs.PER_CLIP} a clip (default %(default)s)")
    runs.add_arguments(p)
    return p.parse_args()


def table(head, rows):
    print("\n" + report.table(head, rows))


def thresholds(lines, records, blind):
    right = {v: figures.correct(lines, rs) for v, rs in records.items()}
    full = figures.percent(right["none"])
    grey, text = figures.percent(figures.correct(lines, blind)), figures.percent(figures.baseline(lines))
    brief, persistent = (np.array([figures.sight(x) == s for x in lines]) for s in SIGHTS[:2])
    gain = right[REDIPRUNE] - np.mean([right[v] for v in RANDOM], axis=0)
    mean, low, high = figures.bootstrap([x for x, b in zip(lines, brief) if b], gain[brief])
    loss = figures.percent(right["none"][persistent]) - figures.percent(right[REDIPRUNE][persistent])
    told = [
        (f"all tokens: at least {ALL_TOKENS:.0f} % right", f"{full:.1f} %", full >= ALL_TOKENS),
        (f"grey pictures: within {GREY:.0f} points of text alone", f"{grey:.1f} % against {text:.1f} %", abs(grey - text) <= GREY),
        ("(c) brief: ReDiPrune above random, 95 % interval", f"{mean:+.1f} [{low:+.1f}, {high:+.1f}] points", low > BRIEF_ABOVE),
        (f"(d) persistent: at most {PERSISTENT:.0f} points below all tokens", f"{-loss:+.1f} points", loss <= PERSISTENT),
    ]
    table(["declared", "figure", ""], [(what, figure, "reached" if ok else "missed") for what, figure, ok in told])
    print("\nText alone answers the commonest answer of a question's type, counted on these very questions, among what the text "
          "offers: the options; the two shapes that an order question names; else any answer of the type. "
          f"The interval is a paired bootstrap by clip, {figures.RESAMPLES} resamples; random is the mean of {len(SEEDS)} seeds.")


def methods(winnow, lines, records):
    """(a) and (b): coverage and accuracy of every variant, by how much there is to see"""
    measured = {v: row(winnow, lines, rs) for v, rs in records.items()}
    measured[f"random-{KEEP}, mean of {len(SEEDS)}"] = np.mean([measured.pop(v) for v in RANDOM], axis=0).tolist()
    sizes = [sum(figures.sight(x) == s for x in lines) for s in SIGHTS]
    head = [f"{what}, {s} ({n})" for what, names in (("covered", SIGHTS[:2]), ("right", SIGHTS)) for s, n in zip(names, sizes)]
    print("\n### Coverage and accuracy, per cent\n\nCovered: every needed thing has a kept cell. "
          f"Brief: at most {figures.BRIEF} needed cells × frames, over all its things.")
    table(["variant", "covered", *head[:2], "right", *head[2:]], [(v, *r) for v, r in measured.items()])


def row(winnow, lines, records):
    right = figures.correct(lines, records)
    seen = np.array([figures.covered(x, winnow.kept(records[x["id"]])) for x in lines])
    at = {s: np.array([figures.sight(x) == s for x in lines]) for s in SIGHTS}
    something = ~at["nothing to see"]
    return [figures.percent(seen[something]), *(figures.percent(seen[at[s]]) for s in SIGHTS[:2]),
            figures.percent(right), *(figures.percent(right[at[s]]) for s in SIGHTS)]


def swap(winnow, lines, records, other):
    """(e): what the question adds, by pruning with another clip's question"""
    rows = []
    for variant, theirs in other.items():
        own = records[variant]
        picks = [(winnow.kept(own[x["id"]]), winnow.kept(theirs[x["id"]])) for x in lines]
        changed = [1 - len(a & b) / len(a) for a, b in picks if a and b]
        before, after = row(winnow, lines, own), row(winnow, lines, theirs)
        _, low, high = figures.bootstrap(lines, figures.correct(lines, theirs) - figures.correct(lines, own))
        rows.append((variant, figures.percent(changed), f"{after[0] - before[0]:+.1f}", f"{after[3] - before[3]:+.1f} [{low:+.1f}, {high:+.1f}]"))
    print("\n### (e) Pruned by another clip's question")
    table(["variant", "picks that change, %", "covered, points", "right, points [95 %]"], rows)


def breakdown(lines, records):
    """accuracy by question type and by form, all tokens against ReDiPrune"""
    forms = [("lettered" if "options" in x else "free words") for x in lines]
    types = [x["metadata"]["type"] for x in lines]
    right = {v: figures.correct(lines, records[v]) for v in ("none", REDIPRUNE, f"{REDIPRUNE}-question")}
    rows = []
    for labels in (types, forms):
        for name in sorted(set(labels)):
            at = np.array([label == name for label in labels])
            rows.append((name, int(at.sum()), *(figures.percent(r[at]) for r in right.values())))
    print("\n### Right by question type and form, per cent")
    table(["", "questions", *right], rows)


if __name__ == "__main__":
    main()

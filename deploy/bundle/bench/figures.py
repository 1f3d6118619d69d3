"""What is computed from records: coverage, accuracy, the text-only baseline, the paired bootstrap by clip."""

from collections import Counter, defaultdict
from functools import cache

import numpy as np

BRIEF = 4  # needed cells x frames, at most
RESAMPLES, BOOTSTRAP_SEED = 10_000, 20261121


def sight(line):
    """'nothing to see', 'brief' or 'persistent'"""
    cells = sum(len(cells) for need in line["metadata"]["needs"] for cells in need.values())
    return "nothing to see" if cells == 0 else "brief" if cells <= BRIEF else "persistent"


def covered(line, kept):
    """whether every needed thing has a kept cell"""
    return all(any((int(t), c) in kept for t, cells in need.items() for c in cells) for need in line["metadata"]["needs"])


def correct(lines, records):
    """0 or 1 a question, in manifest order; a failed record is not correct"""
    return np.array([float(records[line["id"]].get("correct", False)) for line in lines])


def percent(values):
    return 100 * float(np.mean(values)) if len(values) else float("nan")


def gold(line):
    return line["options"][line["answer"]] if "options" in line else line["answer"]


def offered(line, answers):
    """what the text alone offers: the options, the two that "the A or the B" names, else every answer of the type"""
    if "options" in line:
        return line["options"]
    named = [a for a in answers if f"the {a}" in line["question"]]
    return named if line["metadata"]["type"] == "order" else list(answers)


def baseline(lines):
    """0 or 1 a question: is its answer the commonest of its type among what it offers? Counted on these very questions."""
    counts = defaultdict(Counter)
    for line in lines:
        counts[line["metadata"]["type"]][gold(line)] += 1
    hits = []
    for line in lines:
        of_type = counts[line["metadata"]["type"]]
        best = max(sorted(offered(line, of_type)), key=lambda a: of_type[a])
        hits.append(float(best == gold(line)))
    return np.array(hits)


def bootstrap(lines, values):
    """mean of values (one a question) and its 95 % interval over resampled clips, in points"""
    if not len(lines):
        return float("nan"), float("nan"), float("nan")
    clips = sorted({line["video"] for line in lines})
    number = {clip: i for i, clip in enumerate(clips)}
    at = [number[line["video"]] for line in lines]
    sums = np.bincount(at, weights=values, minlength=len(clips))
    sizes = np.bincount(at, minlength=len(clips))
    picks = resamples(len(clips))
    low, high = np.percentile(sums[picks].sum(axis=1) / sizes[picks].sum(axis=1), [2.5, 97.5])
    return percent(values), 100 * low, 100 * high


@cache
def resamples(clips):
    """which clips each resample takes: [RESAMPLES, clips]"""
    return np.random.default_rng(BOOTSTRAP_SEED).integers(clips, size=(RESAMPLES, clips))

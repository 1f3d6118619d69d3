"""How many held-out questions the decoder answers right while it trains, by kind; the published figures are bench.py's, of the product."""

from collections import Counter

import numpy as np
import torch

import packed
import schedule
import seeds

AT_ONCE = 6  # clips
MOST = 14  # questions of each


@torch.no_grad()
def evaluate(net, held, ids, rows, pattern, clips):
    """{kind: (share right, of how many)}, "-letter" where there are options; a question counts if what it needs is kept"""
    rng = np.random.default_rng(seeds.EVALUATE)
    right, total = Counter(), Counter()
    net.eval()
    for first in range(0, clips, AT_ONCE):
        recipe = schedule.Recipe(rows, pattern, 0.4, AT_ONCE)
        batch = packed.Batch(rng, held[first : first + AT_ONCE], ids, recipe, MOST, spread=False)
        for kind, ok in answered(net, batch):
            right.update({kind: ok, "all": ok})
            total.update([kind, "all"])
    net.train()
    return {kind: (round(right[kind] / total[kind], 3), total[kind]) for kind in sorted(total)}


def answered(net, batch):
    """(kind, whether the first token is right) of every question"""
    logits, target, _ = net(batch)
    ok = (logits.argmax(-1) == target).int().tolist()
    order = {place: n for n, place in enumerate(map(tuple, (batch.target >= 0).nonzero().tolist()))}
    return [(kind, ok[order[b, end]]) for b, end, kind in batch.answers]

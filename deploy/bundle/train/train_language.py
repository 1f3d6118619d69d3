#!/usr/bin/env python3
"""Second training: projector and decoder learn to answer from the frozen tower's tokens.

    train_language.py --vision vision.pt --cache FOLDER --out CHECKPOINT

The loss is the answers' alone, plus guides.py and relevance.py. CHECKPOINT is
written every few minutes, and is what ../export.py reads. Progress, and with it
every choice of schedule.py, goes by the clock: the same seed on another machine
takes another number of steps in the same minutes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import checkpoint
import decoder
import model
import packed
import relevance
import schedule
import seeds
import shards
import text
from evaluate import evaluate

MOST = 24  # questions of a clip
END = 0.1  # weight of the token that ends an answer
RELEVANCE = 0.15  # weight of relevance.py
FINAL = [(144, "random"), (22, "random"), (22, "things"), (36, "grid")]  # rows and pattern of the last figures


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(seeds.LANGUAGE)
    tokenizer = text.build_tokenizer()
    ids = text.Ids(tokenizer)
    vision = torch.load(args.vision)
    train, held, blank = (shards.read(args.cache, name) for name in ("train", "held", "blank"))
    net = build(tokenizer, ids, vision, train)
    for step, done in learn(net, ids, train, blank, args):
        if step % 250 == 249:
            print("held 22 things", evaluate(net, held, ids, 22, "things", clips=48), flush=True)
            if done > 0.1:
                print("held all", evaluate(net, held, ids, 144, "random", clips=24), flush=True)
                checkpoint.save(net, tokenizer, args.out)
    checkpoint.save(net, tokenizer, args.out)
    for rows, pattern in FINAL:
        print("final", rows, pattern, evaluate(net, held, ids, rows, pattern, clips=96), flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--vision", required=True, help="what train_vision.py wrote")
    p.add_argument("--cache", type=Path, required=True, help="folder that cache.py wrote")
    p.add_argument("--minutes", type=float, default=170)
    p.add_argument("--steps", type=int, default=100000, help="at most, for a try")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--out", type=Path, required=True, help="checkpoint folder; replaced if it exists")
    return p.parse_args()


def build(tokenizer, ids, vision, train):
    llava = model.build(len(tokenizer), text.IMAGE)
    llava.model.vision_tower.load_state_dict(vision["tower"])
    net = decoder.Net(llava, ids)
    net.start(train, vision["heads"]["out.weight"])
    return net


def learn(net, ids, train, blank, args):
    """yields (step, progress) after every step until the minutes are over"""
    rng, queries = np.random.default_rng(seeds.LANGUAGE), np.random.RandomState(seeds.LANGUAGE)
    params = [p for n, p in net.named_parameters() if "vision_tower" not in n]
    opt = torch.optim.AdamW(params, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.03)
    print(len(train), "clips,", sum(p.numel() for p in params), "parameters", flush=True)
    log = Log()
    for step in range(args.steps):
        done = log.seconds() / 60 / args.minutes
        if done >= 1:
            return
        for group in opt.param_groups:
            group["lr"] = schedule.rate(args.lr, step, done, warm=50, last=0.03)
        recipe = schedule.draw(rng, done)
        batch = packed.Batch(rng, draw(rng, recipe, train, blank), ids, recipe, MOST, spread=True)
        total, parts = loss(net, queries, batch, done)
        opt.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        log.add(step, recipe, len(batch.answers), parts)
        yield step, done


def draw(rng, recipe, train, blank):
    clips = [train[c] for c in rng.integers(0, len(train), recipe.clips)]
    if not recipe.blank:
        return clips
    return [clip.beside(blank[b]) for clip, b in zip(clips, rng.integers(0, len(blank), recipe.clips))]


def loss(net, queries, batch, done):
    """what a step descends, and the answers', guides' and relevance's parts as numbers"""
    logits, target, guide = net(batch)
    ends = target == text.EOS
    answer = F.cross_entropy(logits[~ends], target[~ends])
    total = answer + END * F.cross_entropy(logits[ends], target[ends])
    aligned = relevance.loss(queries, net.embed, batch)
    if aligned is None:  # nothing asked about is in sight
        return total, (answer.item(), 0.0, 0.0)
    total = total + schedule.guide_weight(done) * guide + RELEVANCE * aligned
    return total, (answer.item(), guide.item(), aligned.item())


class Log:
    """A line every 50 steps."""

    def __init__(self):
        self.began, self.asked, self.parts = time.time(), 0, []

    def seconds(self):
        return time.time() - self.began

    def add(self, step, recipe, asked, parts):
        self.asked += asked
        self.parts.append(parts)
        if step % 50 < 49:
            return
        answer, guide, aligned = np.mean(self.parts, axis=0)
        self.parts = []
        print(
            f"{step + 1} {self.seconds():.0f}s {self.asked} questions, answer {answer:.3f} guide {guide:.3f}"
            f" relevance {aligned:.3f} m {recipe.rows} {recipe.pattern}", flush=True,
        )


if __name__ == "__main__":
    main()

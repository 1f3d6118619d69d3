#!/usr/bin/env python3
"""First training: the vision tower learns what every patch shows.

    train_vision.py --out vision.pt

A linear head reads each patch's token: whether anything is there, its shape, its
colour, where its centre is. Shape, colour and centre are learnt on patches of
things alone; ground patches are drawn together, so that a pruner that seeks
unlike tokens does not spend its picks on ground. vision.pt holds tower and heads.
"""

import argparse
import math
import time

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPVisionModel

import model
import schedule
import seeds
import world

PARTS = [1, len(world.SHAPES), len(world.NAMES), 2]  # of what the heads read: there, shape, colour, centre
WEIGHTS = {"there": 1.0, "shape": 1.0, "colour": 1.0, "centre": 1.0, "alike": 0.3, "apart": 0.3}
UNKNOWN, GROUND, THING = -1, 0, 1  # what a label says is there; at less than a quarter of a patch it says nothing


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(model.D, sum(PARTS))

    def forward(self, x):
        return self.out(x).split(PARTS, dim=-1)


def main():
    args = arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(args.threads)
    torch.manual_seed(seeds.VISION)
    tower, heads = CLIPVisionModel(model.vision_config()), Heads()
    for step in learn(tower, heads, args):
        if step % 100 == 99:
            save(tower, heads, args.out)
    save(tower, heads, args.out)
    print("done", step, flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=1100)
    p.add_argument("--batch", type=int, default=32, help="frames a step")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--out", required=True)
    return p.parse_args()


def save(tower, heads, out):
    torch.save({"tower": tower.state_dict(), "heads": heads.state_dict()}, out)


def learn(tower, heads, args):
    """yields each step when it is taken"""
    rng = np.random.default_rng(seeds.VISION)
    params = [*tower.parameters(), *heads.parameters()]
    opt = torch.optim.AdamW(params, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.02)
    began = time.time()
    for step in range(args.steps):
        for group in opt.param_groups:
            group["lr"] = schedule.rate(args.lr, step, step / args.steps, warm=60, last=0.02)
        pixels, labels = frames(rng, args.batch)
        tokens = tower(model.normalise(pixels)).last_hidden_state[:, 1:]
        parts, right = losses(tokens, heads, labels)
        opt.zero_grad()
        sum(WEIGHTS[k] * v for k, v in parts.items()).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        if step % 20 == 0:
            print(f"{step} {time.time() - began:.0f}s right {right:.3f} " + " ".join(f"{k} {v:.3f}" for k, v in parts.items()), flush=True)
        yield step


def losses(tokens, heads, labels):
    """the loss of each part, and the share of thing patches whose shape and colour are both right"""
    there, shape, colour, centre = heads(tokens)
    kind = labels[..., 0]
    thing, ground, known = kind == THING, kind == GROUND, kind != UNKNOWN
    parts = {
        "there": F.binary_cross_entropy_with_logits(there[..., 0][known], kind[known]),
        "shape": F.cross_entropy(shape[thing], labels[thing][:, 1].long()),
        "colour": F.cross_entropy(colour[thing], labels[thing][:, 2].long()),
        "centre": 10 * F.smooth_l1_loss(centre[thing], labels[thing][:, 3:], beta=0.05),
    }
    right = (shape.argmax(-1) == labels[..., 1]) & (colour.argmax(-1) == labels[..., 2])
    return parts | collapsed(tokens, thing, ground), right[thing].float().mean()


def collapsed(tokens, thing, ground):
    """ground patches alike, thing patches apart from them, by cosine"""
    unit = F.normalize(tokens, dim=-1)
    mean = F.normalize(unit[ground].mean(0), dim=0)
    return {"alike": (1 - unit[ground] @ mean).mean(), "apart": F.relu(unit[thing] @ mean.detach() - 0.1).mean()}


def frames(rng, n):
    """u8 [n,96,96,3], and what each patch shows, f32 [n,P,5]: see labels"""
    pixels, shown = zip(*(frame(rng) for _ in range(n)))
    return torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(shown))


def frame(rng):
    scene, t = crowded(rng)
    return world.roughen(rng, world.draw(scene, t)), labels(scene, t)


def crowded(rng):
    """a scene and a look, with as many things shown as fit: more to learn from"""
    scene = world.make_scene(rng)
    while len(scene.things) < 2:
        scene = world.make_scene(rng)
    t = int(rng.integers(0, world.LOOKS))
    for thing in scene.things:
        if not thing.seen(t) and rng.random() < 0.5:
            thing.first, thing.last = 0, world.LOOKS - 1
    everything = scene.things
    scene.things = [x for j, x in enumerate(everything) if x.seen(t) and inside(x, t) and all(far(x, y, t) for y in everything[:j] if y.seen(t))]
    return scene, t


def inside(x, t):
    return all(x.radius < c < world.SIZE - x.radius for c in x.centre(t))


def far(a, b, t):
    (ax, ay), (bx, by) = a.centre(t), b.centre(t)
    return math.hypot(ax - bx, ay - by) > a.radius + b.radius + 3


def labels(scene, t):
    """f32 [P,5]: UNKNOWN, GROUND or THING, and of a thing its shape, colour and centre (x and y from the middle, in sides)"""
    found = np.full((world.CELLS, 5), UNKNOWN, np.float32)
    if not scene.things:
        found[:, 0] = GROUND
        return found
    share = world.cover(scene, t).reshape(-1, world.CELLS)
    best, most = share.argmax(0), share.max(0)
    found[most == 0, 0] = GROUND
    for p in np.nonzero(most >= world.SHOWN)[0]:
        thing = scene.things[best[p]]
        x, y = (c / world.SIZE - 0.5 for c in thing.centre(t))
        found[p] = THING, world.SHAPES.index(thing.shape), world.NAMES.index(thing.colour), x, y
    return found


if __name__ == "__main__":
    main()

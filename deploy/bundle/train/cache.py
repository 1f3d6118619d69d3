#!/usr/bin/env python3
"""Between the trainings: run the frozen tower once over every clip the decoder learns from.

    cache.py --vision vision.pt --out FOLDER [--shards train-1 train-2]

Writes the shards that seeds.py lists and FOLDER lacks; shards.py is their format.
Two processes, each with shards of its own, keep two cores busy. 1.8 GB in all.
"""

import argparse
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import torch
from transformers import CLIPVisionModel

import model
import seeds
import shards
import world


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--vision", required=True, help="what train_vision.py wrote")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--shards", nargs="+", choices=seeds.SHARDS, default=list(seeds.SHARDS))
    args = p.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    tower = CLIPVisionModel(model.vision_config()).eval()
    tower.load_state_dict(torch.load(args.vision)["tower"])
    for name in args.shards:
        if not shards.written(args.out / name):
            draw = ground if name.startswith("blank") else scene_of
            shards.write(args.out / name, *shard(tower, draw, *seeds.SHARDS[name]))
            print(name, flush=True)


@torch.no_grad()
def shard(tower, draw, seed, clips):
    """tokens f16 [clips,T,P,D] of scenes that draw draws, the scenes, and what each look shows"""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((clips, world.LOOKS, world.CELLS, model.D), np.float16)
    scenes, shown = [], []
    for i in range(clips):
        scene = draw(rng)
        pixels = np.stack([world.roughen(rng, world.draw(scene, t)) for t in range(world.LOOKS)])
        tokens[i] = tower(model.normalise(torch.from_numpy(pixels))).last_hidden_state[:, 1:].half().numpy()
        scenes.append(scene)
        shown.append([world.cover(scene, t).reshape(-1, world.CELLS) >= world.SHOWN for t in range(world.LOOKS)])
    return tokens, scenes, shown


def scene_of(rng):
    """a scene with something in it"""
    scene = world.make_scene(rng)
    while not scene.things:
        scene = world.make_scene(rng)
    return scene


def ground(rng):
    """a scene with nothing in it"""
    return dataclasses.replace(scene_of(rng), things=[])


if __name__ == "__main__":
    main()

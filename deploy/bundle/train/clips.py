#!/usr/bin/env python3
"""Write clips and their questions as files: H.264 and VP9 videos and a manifest that Winnow reads.

    clips.py --out FOLDER --clips 26 --questions 5 --seed 20260   # writes ../demo-clips

Training draws its scenes from seeds below 1000; no such seed is taken here. A question's metadata.needs holds,
for each thing one must see to answer, the cells that show it: {"<sampled frame>":
[cell, ...]}, on the 12 x 12 grid of the model's centre crop, eight frames a clip.
"""

import argparse
import itertools
import json
import subprocess
from pathlib import Path

import numpy as np

import questions
import seeds
import world

SIZES = [(320, 240), (426, 240), (480, 270), (320, 320)]
CODECS = {
    "mp4": ["-c:v", "libx264", "-preset", "medium", "-crf", "23", "-bf", "2", "-movflags", "+faststart"],
    "webm": ["-c:v", "libvpx-vp9", "-crf", "34", "-b:v", "0", "-deadline", "good", "-cpu-used", "4"],
}
LETTERED = 0.4  # share of questions with options


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--clips", type=int, required=True)
    p.add_argument("--questions", type=int, required=True, help="of each clip, as far as it has them")
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--grey", action="store_true", help="grey pictures instead of the scenes: what text alone answers")
    p.add_argument("--small", action="store_true", help="5 s of 320 x 240 each, for benchmarks")
    args = p.parse_args()
    if args.seed < seeds.FIRST_UNSEEN:
        raise SystemExit(f"--seed {args.seed}: seeds below {seeds.FIRST_UNSEEN} are for training")
    args.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(args.clips):
        lines += clip(args, i)
    (args.out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{args.out}: {args.clips} clips, {len(lines)} questions")


def clip(args, i):
    """writes one video; returns its manifest lines"""
    rng = np.random.default_rng([args.seed, i])
    scene = world.make_scene(rng)
    while len(scene.things) < 2:
        scene = world.make_scene(rng)
    kind = "webm" if i % 3 == 2 else "mp4"
    name = f"{i:03d}.{kind}"
    size = SIZES[0] if args.small else SIZES[i % len(SIZES)]
    rate = 12 if args.small else int(rng.choice([15, 24, 30]))
    seconds = 5 if args.small else float(rng.uniform(5, 14))
    encode(args.out / name, scene, size, rate, frames_of(rate, seconds), CODECS[kind], args.grey)
    return [line(rng, scene, q, f"{i:03d}-{n}", name) for n, q in enumerate(balanced(rng, scene, args.questions))]


def frames_of(rate, seconds):
    """a number of frames such that each of the eight looks is exactly one of them"""
    steps = world.LOOKS - 1
    return round(rate * seconds / steps) * steps + 1


def encode(path, scene, size, rate, frames, codec, grey):
    width, height = size
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate),
               "-i", "-", "-pix_fmt", "yuv420p", "-threads", "1", "-fflags", "+bitexact", "-map_metadata", "-1", *codec, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        for i in range(frames):
            t = (world.LOOKS - 1) * i / (frames - 1)
            picture = np.full((height, width, 3), 110, np.uint8) if grey else world.draw(scene, t, width, height)
            encoder.stdin.write(picture.tobytes())
        encoder.stdin.close()
    if encoder.returncode:
        raise SystemExit(f"{path}: ffmpeg ended with {encoder.returncode}")


def balanced(rng, scene, n):
    """n questions, no kind much more often than another, those on brief things first in their kind"""
    kinds = questions.by_kind(rng, scene)
    for asked in kinds.values():
        questions.brief_first(scene, asked)
    if rng.random() < 0.5:  # as many "no" as "yes"
        kinds["presence"].sort(key=lambda q: bool(q.needs))
    return list(itertools.islice(questions.in_turn(rng, kinds), n))


def line(rng, scene, q, name, video):
    entry = {"id": name, "video": video, "question": q.text}
    if rng.random() < LETTERED:
        entry["options"] = questions.options(rng, q)
        entry["answer"] = entry["options"].index(q.answer)
    else:
        entry["answer"] = q.answer
    entry["metadata"] = {"type": q.kind, "needs": [needs(scene, i) for i in q.needs]}
    return entry


def needs(scene, i):
    """the cells at least half covered by thing i, or the one most covered, in every look that shows it"""
    cells = {}
    for t in range(world.LOOKS):
        share = world.cover(scene, t)[i].reshape(-1)
        if share.any():
            cells[str(t)] = np.nonzero(share >= min(0.5, share.max()))[0].tolist()
    return cells


if __name__ == "__main__":
    main()

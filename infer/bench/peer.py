#!/usr/bin/env python3
"""Run one graph of a bundle with Python's onnxruntime, in turns that bench.py gives it by turns with ours/, which does the same from Go.

    peer.py vision|decoder BUNDLE --threads N [--defaults] [--binding] [--prompt L] [--tokens N]

Prints an empty JSON object when it is ready. Then it reads lines, each the length of a turn in seconds, and prints what it measured in that turn.
"""

import argparse
import json
import statistics
import struct
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

FRAMES = 8  # of a batch


def main():
    args = arguments()
    turn = {"vision": vision, "decoder": decoder}[args.graph](args)
    print("{}", flush=True)
    for line in sys.stdin:
        print(json.dumps(turn(float(line))), flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("graph", choices=["vision", "decoder"])
    p.add_argument("bundle", type=Path)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--defaults", action="store_true", help="the session's own options: threads spin, memory is planned by shape")
    p.add_argument("--binding", action="store_true", help="bind inputs and outputs: the cache stays in the runtime's memory")
    p.add_argument("--prompt", type=int, default=256)
    p.add_argument("--tokens", type=int, default=32)
    return p.parse_args()


def session(args, name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    if not args.defaults:  # as infer/onnx
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False
    return ort.InferenceSession(str(args.bundle / name), options, providers=["CPUExecutionProvider"])


def vision(args):
    """a function that takes turns; each one's first batch does not count: others had the caches"""
    s = session(args, "vision.onnx")
    size = json.loads((args.bundle / "bundle.json").read_text())["image"]["size"]
    pixels = np.random.default_rng(1).integers(0, 256, (FRAMES, size, size, 3), np.uint8)

    def turn(seconds):
        s.run(["tokens"], {"pixels": pixels})
        samples = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            s.run(["tokens"], {"pixels": pixels})
            samples.append(time.perf_counter() - began)
        return {"frames/s": FRAMES / statistics.median(samples)}

    return turn


def decoder(args):
    """a function that takes turns; each one's first prompt does not count"""
    say = (Bound if args.binding else Plain)(args).say
    table = embeddings(args.bundle)
    prompt = table[np.random.default_rng(1).integers(0, len(table), args.prompt)][None]
    for tokens in (1, args.tokens):  # the first pair finds no memory yet
        say(prompt, table, tokens)

    def turn(seconds):
        say(prompt, table, 1)
        first, each = [], []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            say(prompt, table, 1)
            one = time.perf_counter()
            say(prompt, table, args.tokens)
            first.append(one - began)
            each.append((time.perf_counter() - one - first[-1]) / (args.tokens - 1))
        return {"prefill-ns": statistics.median(first) * 1e9, "token-ns": statistics.median(each) * 1e9}

    return turn


class Plain:
    """arrays in, arrays out"""

    def __init__(self, args):
        self.session = session(args, "decoder.onnx")
        self.past = [i for i in self.session.get_inputs() if i.name.startswith("past.")]
        self.outputs = [o.name for o in self.session.get_outputs()]

    def say(self, embeds, table, tokens):
        feed = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in self.past}
        said = []
        for mask, positions in steps(embeds.shape[1], tokens):
            made = self.session.run(self.outputs, feed | {"inputs_embeds": embeds, "attention_mask": mask, "position_ids": positions})
            made = dict(zip(self.outputs, made))
            said.append(int(made.pop("logits")[0].argmax()))
            embeds = table[said[-1]][None, None]
            feed = {name.replace("present.", "past."): value for name, value in made.items()}
        return said


class Bound(Plain):
    """the cache never leaves the runtime"""

    def say(self, embeds, table, tokens):
        cache = {i.name: ort.OrtValue.ortvalue_from_numpy(np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32)) for i in self.past}
        said = []
        for mask, positions in steps(embeds.shape[1], tokens):
            io = self.session.io_binding()
            for name, value in {"inputs_embeds": embeds, "attention_mask": mask, "position_ids": positions}.items():
                io.bind_cpu_input(name, value)
            for name, value in cache.items():
                io.bind_ortvalue_input(name, value)
            for name in self.outputs:
                io.bind_output(name)
            self.session.run_with_iobinding(io)
            made = dict(zip(self.outputs, io.get_outputs()))
            said.append(int(made.pop("logits").numpy()[0].argmax()))
            embeds = table[said[-1]][None, None]
            cache = {name.replace("present.", "past."): value for name, value in made.items()}
        return said


def steps(length, tokens):
    """attention mask and positions of the prompt, then of every token but the last"""
    yield np.ones((1, length), np.int64), np.arange(length, dtype=np.int64)[None]
    for at in range(length, length + tokens - 1):
        yield np.ones((1, at + 1), np.int64), np.array([[at]], np.int64)


def embeddings(bundle):
    """[V,E], f32"""
    body = (bundle / "embed_tokens.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", body[:8])
    head = json.loads(body[8 : 8 + size])
    at = head["embed_tokens"] if "embed_tokens" in head else next(v for k, v in head.items() if k != "__metadata__")
    first, last = at["data_offsets"]
    kinds = {"F16": np.float16, "F32": np.float32}
    return np.frombuffer(body[8 + size + first : 8 + size + last], kinds[at["dtype"]]).reshape(at["shape"]).astype(np.float32)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Answer questions from a bundle's files and by the checkpoint it was exported from, and compare.

`winnow bundle verify --against transformers` runs it: the frames and prompts in --cases
are Winnow's own. The bundle answers all of them through ONNX Runtime first; then the
checkpoint is loaded, in f32 on the CPU, and answers by its own forward over pixels and
placeholders. Where the prompt is the chat template's, its ids are compared too.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import check
import families
import rediprune
from checkpoint import Checkpoint, Refused
from prompt import Chat
from reference import Reference

STEPS = 8  # greedy tokens
FRAMES = 8  # the tower reads at a time
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def main():
    args = arguments()
    cases = json.loads((args.cases / "cases.json").read_text())
    for case in cases:
        case["frames"] = load_file(args.cases / case["clip"])["frames"]
    try:
        with torch.no_grad():
            bundle = Bundle(args.bundle)
            ours = [[bundle.answer(case, keep) for keep in args.keep] for case in cases]
            bundle.close()
            theirs = Theirs(args.model, bundle)
            worst = max(compare(theirs, case, keep, got) for case, row in zip(cases, ours) for keep, got in zip(args.keep, row))
    except Refused as e:
        sys.exit(f"verify: {e}")
    print(f"largest difference: {worst:.2g} of the largest value, limit {args.tolerance:g}")
    sys.exit(not worst <= args.tolerance)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bundle", type=Path, required=True)
    p.add_argument("--model", required=True, help="checkpoint folder or model id")
    p.add_argument("--cases", type=Path, required=True, help="folder that winnow wrote")
    p.add_argument("--keep", type=float, action="append", required=True)
    p.add_argument("--tolerance", type=float, required=True)
    return p.parse_args()


class Bundle:
    """the bundle's files, as Winnow uses them"""

    def __init__(self, folder):
        self.said = json.loads((folder / "bundle.json").read_text())
        held = load_file(folder / "embed_tokens.safetensors")
        self.weights = "f32" if held["embed_tokens"].dtype == torch.float32 else "f16"
        self.table, self.newline = held["embed_tokens"].float(), held.get("newline", torch.zeros(0)).float()
        self.tower, self.projector = check.session(folder, "vision.onnx"), check.session(folder, "projector.onnx")
        self.decoder = None if "language" in self.said else check.session(folder, "decoder.onnx")

    def close(self):
        self.tower = self.projector = self.decoder = None

    def answer(self, case, keep):
        """tokens [T,P',D], the rows kept, embeddings [L,E], first logits [V] and greedy ids; the latter two where it decodes"""
        tokens = self.encode(case["frames"])
        kept = rediprune.select(self.pooled(tokens.float()), rediprune.query(self.table[case["query_ids"]]), keep)
        embeds = self.embed(case, self.project(tokens), kept)
        logits, ids = self.greedy(embeds) if self.decoder else (None, [])
        return {"tokens": tokens, "kept": kept, "embeds": embeds, "logits": logits, "ids": ids}

    def encode(self, frames):
        made = [self.tower.run(None, {"pixels": part.numpy()})[0] for part in frames.split(FRAMES)]
        return torch.from_numpy(np.concatenate(made))

    def mixing(self):
        """[P,P'] of a model that pools behind its projector, else None"""
        pool = self.said.get("pool_after")
        if pool is None:
            return None
        mixing = torch.zeros(len(pool["src"]), pool["from"])
        return mixing.scatter_add(1, torch.tensor(pool["src"]), torch.tensor(pool["weight"]))

    def pooled(self, tokens):
        mixing = self.mixing()
        return tokens if mixing is None else (mixing @ tokens).half().float()

    def project(self, tokens):
        """[T·P,E], pooled where the model does"""
        rows = torch.from_numpy(self.projector.run(None, {"tokens": tokens.flatten(0, 1).numpy()})[0])
        mixing = self.mixing()
        return rows if mixing is None else (mixing @ rows.unflatten(0, tokens.shape[:2])).flatten(0, 1)

    def embed(self, case, rows, kept):
        chosen, parts = set(kept), []
        for s in case["segments"]:
            if s["IDs"]:
                parts.append(self.table[s["IDs"]])
            elif s["Newline"]:
                parts.append(self.newline)
            else:
                parts.append(rows[[r for r in range(s["First"], s["First"] + s["Rows"]) if r in chosen]])
        return torch.cat(parts)

    def greedy(self, embeds):
        language = self.said["dims"]["language"]
        states = check.batch([embeds], (language["layers"], language["kv_heads"], language["head_dim"]))
        ids, first = [], None
        while len(ids) < STEPS and not (ids and ids[-1] in self.said["eos"]):
            logits, states = check.advance(self.decoder, states)
            first = logits[0] if first is None else first
            ids.append(int(logits[0].argmax()))
            states["inputs_embeds"] = self.table[ids[-1:]][None].numpy()
        return torch.from_numpy(first), ids


class Theirs:
    """the checkpoint, and the prompt that its processor would make"""

    def __init__(self, source, bundle):
        checkpoint = Checkpoint(source)
        self.bundle, self.family = bundle, families.of(checkpoint, bundle.weights)
        self.reference = Reference(self.family)
        template = checkpoint.chat_template() if bundle.said["tokenize"] == "hf" else None
        self.chat = Chat(self.reference.tokenizer, template, self.family) if template else None

    def ids(self, case):
        """the processor's, else Winnow's with placeholders for its rows"""
        if self.chat is None:
            return ours_with_marks(case, self.family)
        t = self.bundle.said["template"]
        listed = "".join(t["option"].format(letter=LETTERS[i], text=o) for i, o in enumerate(case["options"] or []))
        question = case["question"] + (t["options"].format(list=listed) if listed else "")
        frames = len(case["frames"])
        text = self.chat.render(frames if self.family.media == "image" else 1, question)
        tokenizer = self.reference.tokenizer
        bos = [] if self.bundle.said["bos"] is None else [self.bundle.said["bos"]]
        return torch.tensor(bos + tokenizer.encode(self.reference.expand(text, frames), add_special_tokens=False))

    def answer(self, case, keep, kept):
        """as Bundle.answer with the rows kept that it kept; picks are those that the checkpoint's own tokens would have had kept"""
        ids, frames = self.ids(case), len(case["frames"])
        logits = self.reference.see(case["frames"], ids)[-1]
        picks = self.reference.select(rediprune.query(self.reference.embeddings()[case["query_ids"]]), keep)
        embeds, tokens = self.reference.splice(ids, frames, kept), self.reference.tokens
        if keep < 1:
            logits = self.reference.logits(embeds)[-1]
        steps = list(self.reference.greedy(embeds, logits, STEPS))
        return {"steps": steps, "tokens": tokens, "picks": picks, "embeds": embeds, "logits": logits, "prompt": ids}


def ours_with_marks(case, family):
    """Winnow's prompt, a placeholder for each visual row and newline"""
    ids = []
    for s in case["segments"]:
        ids += s["IDs"] or [family.placeholder] * max(s["Rows"], int(s["Newline"]))
    return torch.tensor(ids)


def compare(theirs, case, keep, got):
    """prints one line; the largest difference, as a share of the largest value; infinite where prompts or sizes differ, or a number is none"""
    want = theirs.answer(case, keep, got["kept"])
    if want["prompt"].tolist() != ours_with_marks(case, theirs.family).tolist():
        print(f"{case['id']}: the prompt's ids differ from those of the processor")
        return float("inf")
    errors = {n: off(got[n].float(), want[n].float()) for n in ("tokens", "embeds", "logits") if got[n] is not None}
    figures = ", ".join(f"{n} {e:.1g}" for n, e in errors.items())
    others = len(set(got["kept"]) - set(want["picks"]))
    if others:
        figures += f", {others} of {len(got['kept'])} picks others"
    if got["ids"]:
        errors["ids"] = parted(got["ids"], want["steps"])
        figures += ", ids equal" if got["ids"] == [i for i, _ in want["steps"]] else f", ids part where two are {errors['ids']:.1g} apart"
    print(f"{case['id']}, keep {keep:g}: {figures}", flush=True)
    return max(errors.values())


def off(got, want):
    if got.shape != want.shape or not (got.isfinite().all() and want.isfinite().all()):
        return float("inf")
    return float((got - want).abs().max() / want.abs().max())


def parted(ids, steps):
    """where the answers part, how much more likely the checkpoint takes its own id for, as a share of the largest logit; else 0"""
    for said, (best, logits) in zip(ids, steps):
        if not logits.isfinite().all():
            return float("inf")
        if said != best:
            return float((logits[best] - logits[said]) / logits.abs().max())
    return 0.0


if __name__ == "__main__":
    main()

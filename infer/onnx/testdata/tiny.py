#!/usr/bin/env python3
"""Writes tiny/, a bundle of a random model of the demo model's classes, and golden.*: what transformers answers with it.

Needs deploy/bundle/requirements.txt. The bundle is made by deploy/bundle/export.py; the
golden values are computed by the Hugging Face model itself, one whole prompt at a time,
without a cache, so that nothing of the exported graphs or of our decoding is in them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, PreTrainedTokenizerFast,
)

HERE = Path(__file__).parent
EXPORT = HERE.parents[2] / "deploy" / "bundle"
sys.path.insert(0, str(EXPORT))
import check  # noqa: E402
import families  # noqa: E402
from checkpoint import Checkpoint  # noqa: E402
from reference import Reference  # noqa: E402

SIZE, PATCH, FRAMES = 16, 8, 3
WORDS = ["What colour is the circle? A. red B. green C. blue D. none Answer: A B C D", "How many squares are there? 1: 2: 3: Answer:"]
PROMPT = {
    "name": "tiny-random", "licence": "Apache-2.0", "layout": "per_frame", "frame_prefix": " {i}:", "frames": FRAMES,
    "answer_prefix": " ", "letters": 4, "bos": True,
    "template": {"prompt": "{frames} {question}{options} Answer:", "options": "{list}", "option": " {letter}. {text}"},
}
CASES = [  # question, options, kept cells of each frame
    ("What colour is the circle?", ["red", "green", "blue"], [[0, 1, 2, 3]] * 3),
    ("What colour is the circle?", ["red", "green", "blue"], [[1], [0, 3], [2]]),
    ("How many squares are there?", [], [[0, 2], [], [1, 2, 3]]),
    ("Is it naïve? ☃", ["yes", "no"], [[3], [3], [3]]),
    ("How many squares are there when the clip has come to its end?", ["1", "2", "3", "none"], [[0], [1], [2]]),
]
STEPS = 8


def tokenizer():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<pad>", "<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )
    t.train_from_iterator(WORDS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def checkpoint(folder, tok):
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=PATCH, initializer_range=0.3
    )
    text = LlamaConfig(
        vocab_size=len(tok), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=96, bos_token_id=1, eos_token_id=2, initializer_range=0.3,
    )
    torch.manual_seed(5)
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=3, vision_feature_layer=-1, image_seq_length=(SIZE // PATCH) ** 2)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    tok.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    (folder / "winnow.json").write_text(json.dumps(PROMPT))


def prompt_rows(reference, tok, projected, question, options, kept):
    """[L,E]: each side of a frame's rows is tokenised on its own"""
    table = reference.embeddings()

    def embed(text, first=False):
        return table[([1] if first else []) + tok.encode(text, add_special_tokens=False)]

    rows = []
    for t, cells in enumerate(kept):
        if cells:
            rows += [embed(f" {t + 1}:", first=not rows), projected[t, cells]]
    listed = "".join(f" {'ABCD'[i]}. {o}" for i, o in enumerate(options))
    return torch.cat([*rows, embed(f" {question}{listed} Answer:")])


def answer(reference, rows):
    """greedy ids, each one's log-probability, and the first token's log-probabilities"""
    table, ids, said, first = reference.embeddings(), [], [], None
    for _ in range(STEPS):
        logprobs = reference.logits(rows)[-1].log_softmax(-1)
        first = logprobs if first is None else first
        best, second = logprobs.topk(2).values.tolist()
        assert best - second > 1e-3, "two tokens are too close to tell apart: choose another seed"
        ids.append(int(logprobs.argmax()))
        said.append(best)
        if ids[-1] == 2:
            break
        rows = torch.cat([rows, table[ids[-1:]]])
    return ids, said, first


def golden(reference, tok):
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    reference.see(frames, check.placeholders(reference.family, FRAMES))
    tokens, projected = reference.tokens, reference.rows
    letters = [tok.encode(" " + c, add_special_tokens=False)[0] for c in "ABCD"]
    cases = []
    for question, options, kept in CASES:
        rows = prompt_rows(reference, tok, projected, question, options, kept)
        ids, said, first = answer(reference, rows)
        scores = first[letters[: len(options)]].log_softmax(-1).tolist() if options else []
        cases.append({
            "question": question, "options": options, "kept": kept, "prompt": len(rows), "ids": ids,
            "text": tok.decode([i for i in ids if i != 2]), "logprobs": said, "option_logprobs": scores,
        })
    save_file({"frames": frames, "tokens": tokens}, str(HERE / "golden.safetensors"))
    (HERE / "golden.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


def main():
    folder = Path(tempfile.mkdtemp())
    try:
        tok = tokenizer()
        checkpoint(folder, tok)
        subprocess.run([sys.executable, EXPORT / "export.py", "--model", folder, "--out", HERE / "tiny"], check=True)
        with torch.no_grad():
            golden(Reference(families.of(Checkpoint(folder))), tok)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

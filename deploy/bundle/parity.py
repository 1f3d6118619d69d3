#!/usr/bin/env python3
"""Write the fixtures of infer/onnx's parity test: what `transformers` answers, for each family.

    parity.py [FAMILY...]

For each family a tiny checkpoint of random weights is made with a fixed seed,
through the family's own classes, and exported like any other. Beside the bundle lie
golden.safetensors (frames, tokens, projected rows, and of every case the prompt's
embeddings and the logits of each greedy step; of the first, those behind every row of
the prompt) and golden.json (questions, selections, ids); beside a bundle of int8,
golden-int8.safetensors has the logits and ids of the same class with its decoder's
matrices, and what they are multiplied by, rounded as the bundle's are.
With pruning off they come from the model's own forward over pixels and placeholders;
with it, rows that ReDiPrune did not keep are taken out of the same embeddings.
"""

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPVisionConfig, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, SiglipVisionConfig

import families
import rediprune
from checkpoint import Checkpoint
from prompt import OPTIONS
from reference import Reference

OUT = Path(__file__).resolve().parents[2] / "infer" / "onnx" / "testdata" / "parity"
PATCH, STEPS, GAP, VOCAB = 7, 6, 4e-3, 320
SPECIAL = ["<pad>", "<s>", "</s>", "<image>", "<video>"]
WORDS = " A B C D E F G H\nA\nB\nC\nD\nE\nF\nG\nH" * 9 + " What colour is the circle? How many squares are there? A. red B. green C. blue USER: ASSISTANT: Answer with the option's letter from the given choices directly."
CASES = [  # question, options, keep, what the query vector is made of
    ("What colour is the circle?", [], 1, "prompt"),
    ("What colour is the circle?", [], 0.15, "prompt"),
    ("How many squares are there?", ["1", "2", "none"], 0.3, "prompt"),
    ("How many squares are there?", ["1", "2", "none"], 0.5, "question"),
    ("What colour is the circle?", [], 0.3, "released"),
]
# Beside f16; one family shows them. Those of f32 lie beside its graphs, as large ones do.
PRECISIONS = {"llava_next_video": {"f32": "0", "int8": "1024"}}
LLAVA_CHAT = (
    "{% for m in messages %}{{ m['role'].upper() + ': ' }}{% for c in m['content'] %}{% if c['type'] != 'text' %}{{ '<' + c['type'] + '>\n' }}"
    "{% endif %}{% endfor %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] + ' ' }}{% endif %}{% endfor %}{% endfor %}ASSISTANT:"
)
QWEN_CHAT = (
    "{% for m in messages %}{{ '<s>' + m['role'] + ' ' }}{% for c in m['content'] %}{% if c['type'] != 'text' %}{{ '<' + c['type'] + '>\n' }}"
    "{% endif %}{% endfor %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}{{ '</s>\n<s>assistant\n' }}"
)


def clip(side, layers=3):
    return CLIPVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=layers, num_attention_heads=2, image_size=side, patch_size=PATCH, initializer_range=0.3
    )


def llama(**others):
    return LlamaConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, bos_token_id=1, eos_token_id=2, initializer_range=0.3, **others,
    )


def qwen():
    return Qwen2Config(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, bos_token_id=None, eos_token_id=2, rope_theta=1e6, initializer_range=0.15, tie_word_embeddings=False,
    )


def siglip(side):
    return SiglipVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=side, patch_size=PATCH, vision_use_head=False
    )



class TooClose(Exception):
    """two ids whose logits rounding could swap"""


# family -> side of a frame, frames, configuration, chat template
FAMILIES = {
    "llava_next_video": (56, 3, lambda: transformers.LlavaNextVideoConfig(
        vision_config=clip(56), text_config=llama(rope_scaling={"rope_type": "linear", "factor": 2.0}), image_token_index=3, video_token_index=4,
    ), LLAVA_CHAT),
    "llava": (28, 3, lambda: transformers.LlavaConfig(
        vision_config=clip(28), text_config=llama(), image_token_index=3, image_seq_length=16,
    ), LLAVA_CHAT),
    "video_llava": (28, 8, lambda: transformers.VideoLlavaConfig(
        vision_config=clip(28), text_config=llama(), image_token_index=3, video_token_index=4, image_seq_length=16, video_seq_length=8 * 17,
    ), LLAVA_CHAT),
    "llava_onevision": (49, 3, lambda: transformers.LlavaOnevisionConfig(
        vision_config=siglip(49), text_config=qwen(), image_token_index=3, video_token_index=4, tie_word_embeddings=False,
    ), QWEN_CHAT),
}


def tokenizer(bos):
    """byte-level, so that no vocabulary of others is needed"""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    t.train_from_iterator([WORDS] * 3, trainer)
    if bos:
        t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>" if bos else None, eos_token="</s>", pad_token="<pad>")


def checkpoint(folder, name, seed):
    """a random model in half precision, as hubs have them"""
    side, _, config, chat = FAMILIES[name]
    torch.manual_seed(seed)
    family = next(f for f in (families.Llava, families.LlavaNextVideo, families.VideoLlava, families.LlavaOnevision) if f.model_type == name)
    model = getattr(transformers, family.architecture)(config())
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.1)  # biases and norms too
    model.half().save_pretrained(folder)
    tokenizer(chat == LLAVA_CHAT).save_pretrained(folder)
    preprocessing(folder, side, squash=name == "llava_onevision")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": chat}))


def preprocessing(folder, side, squash):
    square = {"height": side, "width": side}
    said = {
        "do_resize": True, "size": square if squash else {"shortest_edge": side}, "resample": 3, "do_center_crop": not squash,
        "crop_size": None if squash else square, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


class Golden:
    """what transformers says of a family's checkpoint"""

    def __init__(self, folder, name, weights="f16"):
        self.side, self.frames, _, self.chat = FAMILIES[name]
        self.checkpoint = Checkpoint(folder)
        self.family = families.of(self.checkpoint, weights)
        self.tokenizer = self.checkpoint.tokenizer()
        self.reference = Reference(self.family)
        generator = torch.Generator().manual_seed(1)
        self.clip = torch.randint(0, 256, (self.frames, self.side, self.side, 3), dtype=torch.uint8, generator=generator)

    def all(self):
        """golden.safetensors and golden.json"""
        tensors, cases = {"frames": self.clip}, []
        for i, case in enumerate(CASES):
            said, kept = self.case(*case)
            cases.append(said)
            tensors |= {f"{name}.{i}": t.contiguous() for name, t in kept.items()}
        tensors["tokens"] = self.reference.tokens
        tensors["rows"] = self.reference.rows.flatten(0, -2).contiguous()
        return tensors, cases

    def case(self, question, options, keep, query):
        text = self.text(question, options)
        ids = torch.tensor(self.tokenizer(text).input_ids)
        positions = self.reference.see(self.clip, ids)
        logits = positions[-1]
        vector = self.query(question, text, query)
        kept = self.reference.select(vector, keep)
        embeds = self.reference.splice(ids, self.frames, kept)
        if keep < 1:
            logits = self.reference.logits(embeds)[-1]
        steps, said = self.greedy(embeds, logits)
        case = {"question": question, "options": options, "keep": keep, "query": query, "kept": kept, "ids": said}
        whole = {"positions": positions} if keep == 1 else {}
        return case, {"embeds": embeds, "logits": steps, "query": vector} | whole

    def text(self, question, options):
        """the prompt as the processor tokenises it"""
        listed = "".join(OPTIONS["option"].format(letter="ABC"[i], text=o) for i, o in enumerate(options))
        text = question + (OPTIONS["options"].format(list=listed) if options else "")
        media = [{"type": self.family.media}] * (self.frames if self.family.media == "image" else 1)
        turn = [{"role": "user", "content": [*media, {"type": "text", "text": text}]}]
        prompt = self.tokenizer.apply_chat_template(turn, chat_template=self.chat, tokenize=False, add_generation_prompt=True)
        return self.reference.expand(prompt, self.frames)

    def query(self, question, text, kind):
        """of the ids behind the last placeholder, or of those that the question has a part in"""
        made = self.tokenizer(text, return_offsets_mapping=True)
        ids = torch.tensor(made.input_ids)
        if kind == "released":
            return self.reference.embeddings()[ids[1]]
        if kind == "prompt":
            ids = ids[(ids == self.family.placeholder).nonzero().max() + 1 :]
        else:
            first = text.index(question)
            ids = ids[[i for i, (a, b) in enumerate(made.offset_mapping) if a < first + len(question) and b > first]]
        return rediprune.query(self.reference.embeddings()[ids])

    def greedy(self, embeds, logits):
        """logits [S,V] of every step, and the ids until the end token"""
        said = list(self.reference.greedy(embeds, logits, STEPS))
        for _, logits in said:
            first, second = logits.topk(2).values
            if first - second < GAP * logits.abs().max():
                raise TooClose
        return torch.stack([logits for _, logits in said]), [i for i, _ in said]


def fixture(name):
    """of the first seed whose answers rounding cannot change"""
    for seed in itertools.count():
        folder = Path(tempfile.mkdtemp())
        try:
            checkpoint(folder, name, seed)
            with torch.no_grad():
                golden = Golden(folder, name).all()
                coarse = said(*Golden(folder, name, "int8").all()) if "int8" in PRECISIONS.get(name, {}) else None
            write(OUT / name, folder, name, *golden)
            if coarse:
                save_file(coarse, str(OUT / name / "golden-int8.safetensors"))
            return
        except TooClose:
            continue
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def said(tensors, cases):
    """logits and ids alone: rounding the decoder changes no more"""
    return {n: t for n, t in tensors.items() if n.startswith("logits.")} | {f"ids.{i}": torch.tensor(c["ids"]) for i, c in enumerate(cases)}


def write(out, folder, name, tensors, cases):
    export = [sys.executable, Path(__file__).with_name("export.py"), "--model", folder]
    export += ["--name", f"tiny-{name}", "--licence", "Apache-2.0", "--frames", "3"]
    subprocess.run([*export, "--out", out / "bundle"], check=True)
    for weights, inline in PRECISIONS.get(name, {}).items():
        subprocess.run([*export, "--out", out / f"bundle-{weights}", "--weights", weights, "--inline", inline], check=True)
    save_file(tensors, str(out / "golden.safetensors"))
    (out / "golden.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    rediprune.reproduces(OUT.parents[3] / "prune" / "testdata" / "rediprune")
    for family in sys.argv[1:] or FAMILIES:
        fixture(family)

#!/usr/bin/env python3
"""Export a Hugging Face vision-language checkpoint to a Winnow bundle.

    export.py --model CHECKPOINT --out BUNDLE

CHECKPOINT is a folder or a model id. A bundle is a folder of graphs, embedding
table, tokenizer and bundle.json, in which everything about the model that is no
weight stands, and every file's digest: infer/bundle reads it. Weights are stored
as f16 and computed with as f32. What `transformers` itself answers is compared
with what ONNX Runtime answers from the files before the folder takes its place.

The prompt is no part of a Hugging Face checkpoint. It is read from winnow.json in
the checkpoint's folder, or from --prompt FILE, with the fields of prompt.py.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer

import check
import families
import onnxfile
from prompt import Prompt

FILES = ["vision.onnx", "projector.onnx", "embed_tokens.safetensors", "decoder.onnx", "tokenizer.json"]


def main():
    args = arguments()
    config = AutoConfig.from_pretrained(args.model)
    family = families.of(config)(args.model, config)
    prompt = Prompt.read(args.prompt or Path(args.model) / "winnow.json")
    tokenizer = AutoTokenizer.from_pretrained(args.model)

    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        write_files(work, family, tokenizer)
        manifest = describe(work, family, prompt, tokenizer)
        (work / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")
        check.equal(work, family)
        replace(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    total = sum(f.stat().st_size for f in out.iterdir())
    print(f"{out}: {manifest['name']}, {total / 1e6:.1f} MB, digest {digest(out / 'bundle.json')[:12]}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="checkpoint folder or Hugging Face model id")
    p.add_argument("--out", required=True, help="bundle folder; replaced if it exists")
    p.add_argument("--prompt", help="prompt description (default: winnow.json in the checkpoint's folder)")
    return p.parse_args()


def write_files(folder, family, tokenizer):
    d, e = family.vision_width, family.width
    size = family.image["size"]
    onnxfile.write(
        folder / "vision.onnx", family.vision(), {"pixels": torch.zeros(2, size, size, 3, dtype=torch.uint8)},
        ["tokens"], {"pixels": {0: "B"}, "tokens": {0: "B"}},
    )
    onnxfile.write(
        folder / "projector.onnx", family.projector(), {"tokens": torch.zeros(3, d, dtype=torch.half)},
        ["rows"], {"tokens": {0: "M"}, "rows": {0: "M"}},
    )
    onnxfile.write(folder / "decoder.onnx", family.decoder(), *onnxfile.decoder_signature(e, family.cache_shape))
    save_file({"embed_tokens": family.embeddings()}, str(folder / "embed_tokens.safetensors"))
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))


def describe(folder, family, prompt, tokenizer):
    """bundle.json, in the order a reader wants it"""
    return {
        "v": 1,
        "name": prompt.name,
        "licence": prompt.licence,
        "created_by": created_by(),
        "files": {name: {"sha256": digest(folder / name), "size": (folder / name).stat().st_size} for name in FILES},
        "image": family.image,
        "grid": family.grid,
        "extra_leading": family.extra_leading,
        "layout": prompt.layout,
        "frame_prefix": prompt.frame_prefix,
        "newline": "none",
        "frames": {"default": prompt.frames},
        "images": "frame",
        "template": prompt.template,
        "tokenize": "per_side",
        "letter_ids": prompt.letter_ids(tokenizer),
        "bos": tokenizer.bos_token_id if prompt.bos else None,
        "eos": family.eos(tokenizer),
        "rope": family.rope,
        "context": family.context,
        "dims": family.dims,
        "relevance_trained": prompt.relevance_trained,
    }


def created_by():
    import onnx
    import transformers

    return f"deploy/bundle/export.py, transformers {transformers.__version__}, torch {torch.__version__}, onnx {onnx.__version__}"


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def replace(work, out):
    """out becomes work; nobody sees half a bundle"""
    os.chmod(work, 0o755)
    for f in work.iterdir():
        os.chmod(f, 0o644)
    if out.exists():
        old = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-old-"))
        os.rename(out, old / out.name)
        os.rename(work, out)
        shutil.rmtree(old)
    else:
        os.rename(work, out)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Export a Hugging Face vision-language checkpoint to a Winnow bundle.

    export.py --model CHECKPOINT --out BUNDLE

CHECKPOINT is a folder or a model id, of LLaVA-1.5, LLaVA-NeXT-Video, Video-LLaVA or
LLaVA-OneVision as `transformers` knows them. A bundle is a folder of graphs,
embedding table, tokenizer and bundle.json, in which everything about the model that
is no weight stands, and every file's digest: infer/bundle reads it. What
`transformers` itself answers is compared with what ONNX Runtime answers from the
files before the folder takes its place.

The prompt is made of the checkpoint's chat template. Where there is none, or it is
not wanted, winnow.json in the checkpoint's folder or --prompt FILE says it, with the
fields of prompt.py.
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

import check
import families
import language
import onnxfile
from checkpoint import Checkpoint, Refused
from prompt import Prompt


def main():
    args = arguments()
    try:
        export(args)
    except Refused as e:
        sys.exit(f"export: {e}")


def export(args):
    checkpoint = Checkpoint(args.model, args.revision)
    family = families.of(checkpoint, args.weights)
    tokenizer = checkpoint.tokenizer()
    every_token_has_a_row(checkpoint, tokenizer, family)
    prompt = prompt_of(args, checkpoint, tokenizer, family)
    out, works = Path(args.out), []
    try:
        work, alone, remote = folder_beside(out, works), None, None
        write_files(work, family, tokenizer, args.inline << 20)
        if args.language == "local":
            write_decoder(work, family, args.inline << 20)
        else:
            beside = Path(args.language_out or f"{out}-language")
            alone = folder_beside(beside, works)
            remote = {"remote": True, "model": args.served_as or beside.name, "revision": language.write(alone, family, tokenizer)}
        manifest = describe(work, family, prompt, tokenizer, remote)
        (work / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")
        check.equal(work, family, alone)
        if remote:
            replace(alone, beside)
        replace(work, out)
    finally:
        for left in works:
            shutil.rmtree(left, ignore_errors=True)
    total = sum(f.stat().st_size for f in out.iterdir())
    print(f"{out}: {manifest['name']}, {total / 1e6:.1f} MB, digest {digest(out / 'bundle.json')[:12]}")


def every_token_has_a_row(checkpoint, tokenizer, family):
    rows = family.text.vocab_size
    token, number = max(tokenizer.get_vocab().items(), key=lambda known: known[1])
    if number >= rows:
        raise Refused(f"{checkpoint.source}: token {number} {token!r} has no row in the embedding table of {rows}: the tokenizer is another model's")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="checkpoint folder or Hugging Face model id")
    p.add_argument("--revision", help="commit, tag or branch of a model id")
    p.add_argument("--out", required=True, help="bundle folder; replaced if it exists")
    p.add_argument("--weights", choices=["f32", "f16", "int8"], default="f16",
                   help="how weights are stored; int8 is the decoder's matrices, and what they are multiplied by; the rest is f16 then. Arithmetic is f32 else")
    p.add_argument("--inline", type=int, default=onnxfile.INLINE >> 20, metavar="MIB",
                   help="a graph whose weights, as f32, take more has them in a file beside it (default: %(default)s)")
    p.add_argument("--language", choices=["local", "remote"], default="local",
                   help="remote: no decoder.onnx; the language model goes to a folder of its own, for vLLM")
    p.add_argument("--language-out", help="that folder (default: OUT-language)")
    p.add_argument("--served-as", help="the name that vLLM serves it under (default: the folder's)")
    p.add_argument("--prompt", help="prompt description (default: winnow.json in the checkpoint's folder, else its chat template)")
    p.add_argument("--name", help="the bundle's name (default: the checkpoint's)")
    p.add_argument("--licence", default="NOASSERTION", help="SPDX licence of the weights")
    p.add_argument("--frames", type=int, default=8, help="frames looked at by default")
    return p.parse_args()


def prompt_of(args, checkpoint, tokenizer, family):
    said = Path(args.prompt) if args.prompt else checkpoint.folder / "winnow.json"
    if args.prompt or said.exists():
        return Prompt.read(said)
    name = args.name or Path(args.model).name
    return Prompt.of_chat(checkpoint, tokenizer, family, name, args.licence, args.frames)


def folder_beside(out, made):
    """an empty folder on out's file system, noted in made"""
    out.parent.mkdir(parents=True, exist_ok=True)
    made.append(Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-")))
    return made[-1]


def write_files(folder, family, tokenizer, inline):
    size, plain = family.image["size"], "f32" if family.weights == "f32" else "f16"
    onnxfile.write(
        folder / "vision.onnx", family.vision(), family.vision_weight, {"pixels": torch.zeros(2, size, size, 3, dtype=torch.uint8)},
        ["tokens"], {"pixels": {0: "B"}, "tokens": {0: "B"}}, plain, inline,
    )
    onnxfile.write(
        folder / "projector.onnx", family.projector(), family.projector_weight,
        {"tokens": torch.zeros(3, family.vision_width, dtype=torch.half)}, ["rows"], {"tokens": {0: "M"}, "rows": {0: "M"}}, plain, inline,
    )
    save_file(family.embeddings(), str(folder / "embed_tokens.safetensors"))
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))


def write_decoder(folder, family, inline):
    signature = onnxfile.decoder_signature(family.width, family.cache_shape)
    onnxfile.write(folder / "decoder.onnx", family.decoder(), family.decoder_weight, *signature, family.weights, inline)


def describe(folder, family, prompt, tokenizer, remote):
    """bundle.json, in the order a reader wants it"""
    files = sorted(f.name for f in folder.iterdir())
    manifest = {
        "v": 1,
        "name": prompt.name,
        "licence": prompt.licence,
        "created_by": created_by(),
        "files": {name: {"sha256": digest(folder / name), "size": (folder / name).stat().st_size} for name in files},
        "language": remote,
        "image": family.image,
        "grid": family.grid,
        "extra_leading": family.extra_leading,
        "pool_after": family.pool_after,
        "layout": prompt.layout,
        "frame_prefix": prompt.frame_prefix,
        "frame_suffix": prompt.frame_suffix or None,
        "newline": family.newline,
        "frames": frames(family, prompt),
        "images": family.images,
        "template": prompt.template,
        "tokenize": prompt.tokenize,
        "letter_ids": prompt.letter_ids(tokenizer),
        "answer_prefix": prompt.unusual_answer_prefix(),
        "bos": tokenizer.bos_token_id if prompt.bos else None,
        "eos": family.eos(tokenizer),
        "rope": family.rope,
        "context": family.context,
        "dims": family.dims,
        "relevance_trained": prompt.relevance_trained,
    }
    absent = [name for name in ("language", "pool_after", "frame_suffix", "answer_prefix") if manifest[name] is None]
    return {name: value for name, value in manifest.items() if name not in absent}


def frames(family, prompt):
    fixed = family.fixed_frames
    return {"default": fixed, "fixed": fixed} if fixed else {"default": prompt.frames}


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

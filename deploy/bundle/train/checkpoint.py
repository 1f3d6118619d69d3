"""Saving the model as Hugging Face classes save themselves, with the winnow.json that ../export.py reads."""

import json
import shutil

from transformers import CLIPImageProcessor

import text
import world

WINNOW = {
    "name": "winnow-demo",
    "licence": "Apache-2.0",
    "frames": world.LOOKS,
    "layout": "per_frame",
    "frame_prefix": text.FRAME_PREFIX,
    "answer_prefix": " ",
    "letters": len(text.LETTERS),
    "relevance_trained": True,  # relevance.py
    "template": {"prompt": text.PROMPT, "options": "{list}", "option": text.OPTION},
}


def save(net, tokenizer, out):
    """the folder out becomes the checkpoint, whole"""
    work = out.with_name(out.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    llava = net.folded()
    llava.generation_config.eos_token_id = text.EOS
    llava.save_pretrained(work)
    tokenizer.save_pretrained(work)
    size = {"height": world.SIZE, "width": world.SIZE}
    CLIPImageProcessor(size={"shortest_edge": world.SIZE}, crop_size=size).save_pretrained(work)
    (work / "winnow.json").write_text(json.dumps(WINNOW, indent=1))
    replace(work, out)


def replace(work, out):
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    work.rename(out)
    shutil.rmtree(old, ignore_errors=True)

#!/usr/bin/env python3
"""Write a bundle of random weights whose tokens take longer than the demo bundle's: LLaVA-1.5's shape, 0.3 · 10⁹ parameters.

    large.py BUNDLE

A CLIP tower of ViT-B/32's size (12 layers of 768, 224 px, 49 tokens), a decoder of 16 layers of 1024 and a vocabulary
of 32,000. What it says means nothing; what it costs is a model's. About two minutes and 3 GB of memory.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

EXPORT = Path(__file__).resolve().parents[2] / "deploy" / "bundle"
sys.path.insert(0, str(EXPORT))

import transformers  # noqa: E402

import parity  # noqa: E402

SIDE, PATCH, VOCAB = 224, 32, 32000


def config():
    vision = transformers.CLIPVisionConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, image_size=SIDE, patch_size=PATCH,
    )
    text = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=1024, intermediate_size=2816, num_hidden_layers=16, num_attention_heads=16, num_key_value_heads=16,
        max_position_embeddings=4096, bos_token_id=1, eos_token_id=2,
    )
    return transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=3, image_seq_length=(SIDE // PATCH) ** 2)


def main():
    out = sys.argv[1]
    parity.FAMILIES["llava"] = (SIDE, 8, config, parity.LLAVA_CHAT)
    with tempfile.TemporaryDirectory() as folder:
        parity.checkpoint(Path(folder), "llava", 0)
        export = [sys.executable, EXPORT / "export.py", "--model", folder, "--name", "random-0.3B", "--licence", "Apache-2.0"]
        subprocess.run([*export, "--out", out], check=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Write a checkpoint of random weights with the dimensions of LLaVA-NeXT-Video-7B, for export.py.

    checkpoint7b.py FOLDER

CLIP ViT-L/14-336 and a Llama of 32 layers of 4096, 7.1 · 10⁹ parameters in f16: 14 GB in shards of 2 GB, of which one is in
memory at a time. About two minutes. Its tokenizer has the few tokens that a prompt takes, so it can score options and not generate.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "bundle"))

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import parity  # noqa: E402

SIDE = 336
SHARD = 2_000_000_000  # bytes


def config():
    vision = transformers.CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=SIDE, patch_size=14, projection_dim=768,
    )
    text = transformers.LlamaConfig(
        vocab_size=32064, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32,
        max_position_embeddings=4096, bos_token_id=1, eos_token_id=2,
    )
    return transformers.LlavaNextVideoConfig(
        vision_config=vision, text_config=text, image_token_index=3, video_token_index=4,
        architectures=["LlavaNextVideoForConditionalGeneration"], torch_dtype="float16",
    )


def shards(model):
    """name -> f16 tensors, of at most SHARD bytes together"""
    torch.manual_seed(0)
    shard, size = {}, 0
    for name, shape in ((n, p.shape) for n, p in model.state_dict().items() if p.is_floating_point()):
        if shard and size + 2 * shape.numel() > SHARD:
            yield shard
            shard, size = {}, 0
        is_norm = len(shape) == 1 and name.endswith("weight")
        shard[name] = (torch.randn(shape) * 0.02 + is_norm).half()
        size += 2 * shape.numel()
    yield shard


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True)
    with torch.device("meta"):
        model = transformers.LlavaNextVideoForConditionalGeneration(config())
    model.config.save_pretrained(out)
    model.generation_config.save_pretrained(out)
    index = {}
    for n, shard in enumerate(shards(model), 1):
        file = f"model-{n:05}.safetensors"
        save_file(shard, str(out / file), metadata={"format": "pt"})
        index |= dict.fromkeys(shard, file)
        print(file, file=sys.stderr, flush=True)
    (out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}) + "\n")
    parity.tokenizer(True).save_pretrained(out)
    parity.preprocessing(out, SIDE, squash=False)
    (out / "chat_template.json").write_text(json.dumps({"chat_template": parity.LLAVA_CHAT}) + "\n")


if __name__ == "__main__":
    main()

"""The language model of a checkpoint as a folder of its own, for servers that take rows in place of ids."""

import hashlib
import json

from safetensors.torch import save_file
from tqdm import tqdm
from transformers import GenerationConfig

SHARD = 1 << 30  # bytes of weights in memory at a time
PREFIX = "model.language_model."


def write(folder, family, tokenizer):
    """a LlamaForCausalLM or its like, with its tokenizer; the digest of its weights"""
    family.language_config().save_pretrained(folder)
    generation(family).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shards = Shards(folder)
    names = [name for name, _ in family.model.named_parameters() if name == "lm_head.weight" or name.startswith(PREFIX)]
    for name in tqdm(names, desc="language model", unit="", disable=None, leave=False):
        shards.add(name.replace(PREFIX, "model."), family.stored(name))
    return shards.close()


def generation(family):
    """the special ids alone: how to sample is asked of the server with every prompt"""
    said = family.checkpoint.generation()
    return GenerationConfig(**{name: getattr(said, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")})


class Shards:
    """model-00001.safetensors and so on, and their index"""

    def __init__(self, folder):
        self.folder, self.open, self.bytes, self.index = folder, {}, 0, {}
        self.digest = hashlib.sha256()

    def add(self, name, tensor):
        if self.open and self.bytes + tensor.nbytes > SHARD:
            self.flush()
        self.open[name] = tensor.contiguous()
        self.bytes += tensor.nbytes

    def flush(self):
        file = f"model-{len(set(self.index.values())) + 1:05}.safetensors"
        save_file(self.open, str(self.folder / file), metadata={"format": "pt"})
        self.index |= dict.fromkeys(self.open, file)
        with open(self.folder / file, "rb") as f:
            self.digest.update(hashlib.file_digest(f, "sha256").digest())
        self.open, self.bytes = {}, 0

    def close(self):
        self.flush()
        index = {"metadata": {}, "weight_map": self.index}
        (self.folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
        return self.digest.hexdigest()

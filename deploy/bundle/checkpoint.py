"""A Hugging Face checkpoint, read tensor by tensor: a 7B model never has to be in memory as a whole."""

import json
import re
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# What of a repository an export reads; the weights in other formats stay where they are.
PATTERNS = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "README.md"]


class Refused(Exception):
    """what is wrong with a checkpoint, or with what was asked for: said to the user, nothing is written"""


class Checkpoint:
    """config, tokenizer and weights in a folder, or of a model id, which is fetched first"""

    def __init__(self, source, revision=None):
        self.source = str(source)
        self.folder = Path(source) if Path(source).is_dir() else fetched(source, revision)
        try:
            self.config = AutoConfig.from_pretrained(self.folder)
        except (OSError, ValueError, KeyError) as e:
            raise Refused(f"{self.source}: config.json: {e}") from e
        self.stored = {}  # name in the files -> file
        for file in self.files():
            self.stored |= dict.fromkeys(names(file), file)
        self.names = {n: n for n in self.stored}

    def files(self):
        """the weight files, each of which is there"""
        if (self.folder / SINGLE).exists():
            return [self.folder / SINGLE]
        if not (self.folder / INDEX).exists():
            raise Refused(f"{self.source}: neither {SINGLE} nor {INDEX}: save the checkpoint as safetensors")
        shards = sorted(set(self.read(INDEX).get("weight_map", {}).values()))
        missing = [s for s in shards if not (self.folder / s).exists()]
        if missing:
            raise Refused(f"{self.source}: {', '.join(missing)}: named by {INDEX}, but not there: fetch the checkpoint again")
        return [self.folder / s for s in shards]

    def rename(self, mapping):
        """calls tensors as the loaded model does: mapping is transformers' _checkpoint_conversion_mapping"""
        self.names = {}
        for stored in self.stored:
            name = stored
            for pattern, replacement in mapping.items():
                name, n = re.subn(pattern, replacement, name)
                if n:
                    break
            self.names[name] = stored

    def has(self, name):
        return name in self.names

    def tensor(self, name):
        """one weight, in its own precision"""
        if name not in self.names:
            raise Refused(f"{self.source}: no weight {name}: the checkpoint is incomplete, or of another family")
        stored = self.names[name]
        with safe_open(self.stored[stored], framework="pt") as f:
            return f.get_tensor(stored)

    def tokenizer(self):
        try:
            return AutoTokenizer.from_pretrained(self.folder)
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise Refused(f"{self.source}: no tokenizer that transformers can read: {e}") from e

    def generation(self):
        """generation_config.json, else what config.json says"""
        try:
            return GenerationConfig.from_pretrained(self.folder)
        except OSError:
            return GenerationConfig.from_model_config(self.config)

    def json(self, *candidates):
        """the first of these files that is there, and its name; {} if none is"""
        for name in candidates:
            if (self.folder / name).exists():
                return self.read(name), name
        return {}, candidates[0]

    def read(self, name):
        try:
            return json.loads((self.folder / name).read_text())
        except ValueError as e:
            raise Refused(f"{self.source}: {name}: {e}: fetch the checkpoint again") from e

    def chat_template(self):
        """the template's Jinja text; None if the checkpoint has none"""
        if (self.folder / "chat_template.jinja").exists():
            return (self.folder / "chat_template.jinja").read_text()
        for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
            template = self.json(name)[0].get("chat_template")
            if isinstance(template, str):
                return template
        return None


def fetched(model, revision):
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as e:
        raise Refused(f"{model}: neither a folder nor a model that could be fetched: {e}") from e


def names(file):
    try:
        with safe_open(file, framework="pt") as f:
            return list(f.keys())
    except (SafetensorError, OSError) as e:
        raise Refused(f"{file.name}: {e}: fetch it again") from e

"""The decoder of a small bundle as a LlamaForCausalLM of its own, and the bundle that has it served elsewhere.

A real bundle's language model comes from its checkpoint (`export.py --language remote`). The demo's checkpoint is not
kept: its weights are read back from decoder.onnx.
"""

import hashlib
import json
import shutil

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

DECODER, TABLE = "decoder.onnx", "embed_tokens.safetensors"
NORMS = ["input_layernorm", "post_attention_layernorm"]
# In the order in which export.py's graph has them.
MATRICES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


def detach(bundle, out, served):
    """out becomes bundle with a remote language model, and served that model"""
    said = json.loads((bundle / "bundle.json").read_text())
    served.mkdir(parents=True)
    graph = onnx.load(bundle / DECODER).graph
    weights = read(graph, said["dims"]["language"]["layers"]) | {"model.embed_tokens.weight": load_file(bundle / TABLE)["embed_tokens"]}
    save_file(weights, served / "model.safetensors", metadata={"format": "pt"})
    (served / "config.json").write_text(json.dumps(config(said, epsilon(graph)), indent=1))
    tokenizer(bundle, served)
    shutil.copytree(bundle, out, ignore=shutil.ignore_patterns(DECODER))
    del said["files"][DECODER]
    revision = hashlib.sha256((served / "model.safetensors").read_bytes()).hexdigest()
    said["language"] = {"remote": True, "model": served.name, "revision": revision}
    (out / "bundle.json").write_text(json.dumps(said, indent=1))


def read(graph, layers):
    """name in transformers -> tensor"""
    stored = {i.name.removesuffix(".f16"): numpy_helper.to_array(i) for i in graph.initializer}
    products = iter([name for name in stored if "MatMul" in name])
    weights = {"model.norm.weight": stored["norm.weight"]}
    for layer in (f"layers.{i}." for i in range(layers)):
        weights |= {f"model.{layer}{norm}.weight": stored[f"{layer}{norm}.weight"] for norm in NORMS}
        weights |= {f"model.{layer}{matrix}.weight": stored[next(products)].T for matrix in MATRICES}
    weights["lm_head.weight"] = stored[next(products)].T
    return {name: torch.tensor(np.ascontiguousarray(w)) for name, w in weights.items()}


def epsilon(graph):
    """of the norms: the one small number that the graph adds"""
    numbers = [numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"]
    small = {float(n.reshape(())) for n in numbers if n.size == 1 and n.dtype == np.float32 and 0 < n.reshape(()) < 1e-3}
    (found,) = small
    return round(found, 12)


def config(said, eps):
    d = said["dims"]["language"]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float16", "hidden_act": "silu",
        "vocab_size": d["vocab"], "hidden_size": d["hidden"], "intermediate_size": d["intermediate"], "num_hidden_layers": d["layers"],
        "num_attention_heads": d["heads"], "num_key_value_heads": d["kv_heads"], "head_dim": d["head_dim"],
        "max_position_embeddings": said["context"], "rope_theta": said["rope"]["theta"], "rms_norm_eps": eps,
        "bos_token_id": said["bos"], "eos_token_id": said["eos"], "tie_word_embeddings": False,
    }


def tokenizer(bundle, served):
    shutil.copy(bundle / "tokenizer.json", served)
    (served / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))

"""Whether the files answer what `transformers` answers, left padding and cache included."""

import numpy as np
import onnxruntime as ort
import torch
from transformers import AutoModelForCausalLM

from checkpoint import Refused
from reference import Reference

STEPS = 6  # greedy tokens after the first
NEAR = 1e-4  # of the largest value
NEAR_INT8 = 0.05  # rows are rounded to 255 levels, and another order of sums puts one between two on the other side
LARGEST = 1_000_000_000  # parameters: the model and the graphs are in memory together


def equal(folder, family, alone):
    """Refused, with the figure, if the files in folder answer otherwise than family's model; alone is
    the folder of its language model, None where that is decoder.onnx"""
    if family.parameters > LARGEST:
        print(f"not compared: {family.parameters / 1e9:.1f}e9 parameters: see winnow bundle verify --against transformers")
        return
    torch.manual_seed(0)
    reference = Reference(family)
    with torch.no_grad():
        tokens = vision(folder, family, reference)
        rows = projector(folder, family, reference, tokens)
        if alone:
            language(alone, reference, rows)
        else:
            decoder(folder, family, reference, rows)


def session(folder, name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return ort.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])


def near(what, got, want, tolerance=NEAR):
    error = float(np.abs(got - want).max() / np.abs(want).max())
    if not error <= tolerance:
        raise Refused(f"{what}: differs from transformers by {error:.2g} of its largest value, more than {tolerance:g}")
    print(f"{what}: equal to transformers within {error:.1g}")


def vision(folder, family, reference):
    """a clip through the whole model, whose projector tells what tokens it was given"""
    size = family.image["size"]
    pixels = torch.randint(0, 256, (family.fixed_frames or 2, size, size, 3), dtype=torch.uint8)
    reference.see(pixels, placeholders(family, len(pixels)))
    (got,) = session(folder, "vision.onnx").run(None, {"pixels": pixels.numpy()})
    near("vision.onnx", got.astype(np.float32), reference.tokens.float().numpy(), tolerance=2**-10)  # both are rounded to f16
    return torch.from_numpy(got)


def placeholders(family, frames):
    """the ids of a clip's visual rows alone"""
    rows = family.tokens * frames + (1 if family.newline == "end" else 0)
    return torch.full((rows,), family.placeholder)


def projector(folder, family, reference, tokens):
    flat = tokens.reshape(-1, tokens.shape[-1])
    (got,) = session(folder, "projector.onnx").run(None, {"tokens": flat.numpy()})
    near("projector.onnx", got, reference.project(flat).numpy())
    return torch.from_numpy(got)


def decoder(folder, family, reference, rows):
    """two prompts of unlike length in one batch, padded on the left, then greedy steps over the cache"""
    run = session(folder, "decoder.onnx")
    tolerance = NEAR_INT8 if family.weights == "int8" else NEAR
    table = reference.embeddings()
    text = torch.randint(0, len(table), (2, 9))
    prompts = [torch.cat([table[text[0]], rows[:40]]), torch.cat([rows[7:20], table[text[1]]])]
    states = batch(prompts, family.cache_shape)
    for step in range(STEPS + 1):
        logits, states = advance(run, states)
        want = torch.stack([reference.logits(p)[-1] for p in prompts]).numpy()
        near(f"decoder.onnx, token {step}", logits, want, tolerance)
        ids, said = want.argmax(-1), logits.argmax(-1)
        if any(w[i] - w[j] > tolerance * np.abs(want).max() for w, i, j in zip(want, ids, said)):
            raise Refused(f"decoder.onnx, token {step}: greedy ids {said}, transformers' {ids}")
        prompts = [torch.cat([p, table[i : i + 1]]) for p, i in zip(prompts, ids)]
        states["inputs_embeds"] = table[ids][:, None].numpy()


def language(folder, reference, rows):
    """visual rows through the extracted model, which any engine loads by its own class"""
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()
    got = model(inputs_embeds=rows[None, :40]).logits[0]
    near(type(model).__name__, got.numpy(), reference.logits(rows[:40]).numpy(), 1e-3)  # its weights are not rounded


def batch(prompts, cache):
    layers, heads, hd = cache
    length = max(len(p) for p in prompts)
    pad = [length - len(p) for p in prompts]
    states = {
        "inputs_embeds": np.stack([np.pad(p.numpy(), ((n, 0), (0, 0)), constant_values=3.0) for p, n in zip(prompts, pad)]),
        "attention_mask": np.stack([np.arange(length) >= n for n in pad]).astype(np.int64),
    }
    empty = np.zeros((len(prompts), heads, 0, hd), np.float32)
    return states | {f"past.{i}.{part}": empty for i in range(layers) for part in "kv"}


def advance(run, states):
    """the last logits, and the states after them; mask and positions grow by the rows read"""
    mask, length = states["attention_mask"], states["inputs_embeds"].shape[1]
    positions = np.maximum(mask.cumsum(1) - 1, 0)[:, -length:]
    out = run.run(None, states | {"position_ids": positions})
    names = [o.name for o in run.get_outputs()]
    after = {n.replace("present", "past"): x for n, x in zip(names, out) if n != "logits"}
    after["attention_mask"] = np.pad(mask, ((0, 0), (0, 1)), constant_values=1)
    return out[0], after

"""Whether the files answer what `transformers` answers, left padding and cache included."""

import numpy as np
import onnxruntime as ort
import torch

TOLERANCE = 1e-4  # of the largest logit
STEPS = 6  # greedy tokens after the first


def equal(folder, family):
    """exits with the figure if the files in folder answer otherwise than family's model"""
    torch.manual_seed(0)
    with torch.no_grad():
        tokens = vision(folder, family)
        rows = projector(folder, family, tokens)
        decoder(folder, family, rows)


def session(folder, name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return ort.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])


def near(what, got, want, tolerance=TOLERANCE):
    error = float(np.abs(got - want).max() / np.abs(want).max())
    if not error <= tolerance:
        raise SystemExit(f"{what}: differs from transformers by {error:.2g} of its largest value, more than {tolerance:g}")
    print(f"{what}: equal to transformers within {error:.1g}")


def vision(folder, family):
    size = family.image["size"]
    pixels = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    (got,) = session(folder, "vision.onnx").run(None, {"pixels": pixels.numpy()})
    want = family.reference_tokens(pixels).numpy()
    near("vision.onnx", got.astype(np.float32), want, tolerance=2**-10)  # got is rounded to f16
    return torch.from_numpy(got)


def projector(folder, family, tokens):
    flat = tokens.reshape(-1, tokens.shape[-1])
    (got,) = session(folder, "projector.onnx").run(None, {"tokens": flat.numpy()})
    near("projector.onnx", got, family.reference_rows(flat.float()).numpy())
    return torch.from_numpy(got)


def decoder(folder, family, rows):
    """two prompts of unlike length in one batch, padded on the left, then greedy steps over the cache"""
    run = session(folder, "decoder.onnx")
    table = family.embeddings().float()
    text = torch.randint(0, len(table), (2, 9))
    prompts = [torch.cat([table[text[0]], rows[:40]]), torch.cat([rows[7:20], table[text[1]]])]
    states = batch(prompts, family.cache_shape)
    logits = 0
    for step in range(STEPS + 1):
        logits, states = advance(run, states)
        want = torch.stack([family.reference_logits(p[None]) for p in prompts]).numpy()
        near(f"decoder.onnx, token {step}", logits, want)
        ids = logits.argmax(-1)
        if (ids != want.argmax(-1)).any():
            raise SystemExit(f"decoder.onnx, token {step}: greedy ids {ids}, transformers' {want.argmax(-1)}")
        prompts = [torch.cat([p, table[i : i + 1]]) for p, i in zip(prompts, ids)]
        states["inputs_embeds"] = table[ids][:, None].numpy()


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

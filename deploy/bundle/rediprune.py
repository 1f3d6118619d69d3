"""ReDiPrune's selection and query vector, plainly: the reference of parity.py and verify.py.

prune/ holds the product's; prune/testdata holds vectors of the published code, which this reproduces.
"""

import torch


def select(tokens, query, keep, alpha=0.5):
    """tokens [T,P,D], query [E], each frame on its own -> rows kept of T·P, ascending; without τ"""
    rows, patches = [], tokens.shape[1]
    for t, frame in enumerate(tokens):
        rows += [t * patches + i for i in pick(frame.double(), fitted(query.double(), frame.shape[1]), keep, alpha)]
    return rows


def pick(frame, query, keep, alpha):
    patches = len(frame)
    k = max(1, round(patches * keep))
    if k >= patches:
        return list(range(patches))
    unit = frame / frame.norm(dim=1, keepdim=True).clamp(min=1e-12)
    relevance = unit @ (query / query.norm().clamp(min=1e-12))
    picked = [int(relevance.argmax())]
    while len(picked) < k:
        score = (1 - unit @ unit[picked].T).min(1).values + alpha * relevance
        score[picked] = -torch.inf
        picked.append(int(score.argmax()))
    return sorted(picked)


def fitted(query, width):
    """q [E] at width D"""
    if len(query) == width:
        return query
    if len(query) > width:
        return torch.nn.functional.adaptive_avg_pool1d(query[None, None], width)[0, 0]
    return query.repeat(-(-width // len(query)))[:width]


def query(rows):
    """embeddings [L,E] of the last 128 ids of a text -> [E]"""
    rows = rows[-128:]
    if len(rows) < 2:
        return rows[0] if len(rows) else torch.zeros(rows.shape[1])
    unit = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    mixed = (unit @ unit.T).softmax(1) @ rows
    weight = torch.exp(3 * torch.arange(len(rows)) / (len(rows) - 1))
    return (weight / weight.sum()) @ mixed


def reproduces(folder):
    """AssertionError if the published code's vectors come out otherwise; those with τ are left out"""
    import safetensors

    for file in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(file, framework="pt") as f:
            said, tensors = f.metadata(), {n: f.get_tensor(n) for n in f.keys()}
        if "input_ids" in tensors:
            ids = tensors["input_ids"]
            got = query(tensors["embed_tokens"][ids[(ids == -200).nonzero().max() + 1 :] if -200 in ids else ids])
            assert torch.allclose(got, tensors["text_query"], rtol=1e-4, atol=1e-5), file
        elif float(said["tau"]) <= 0:
            got = select(tensors["visual_tokens"][None], tensors["text_query"], float(said["keep_ratio"]), float(said["alpha"]))
            assert got == tensors["keep_idx"].tolist(), file

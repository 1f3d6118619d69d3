"""The auxiliary loss that gives ReDiPrune's relevance a meaning: `relevance_trained` in bundle.json discloses it.

Nothing else in training ties a prompt's embeddings to the tower's tokens, which
live in unlike spaces; cosines between them would be noise.
"""

import numpy as np
import torch
from torch.nn import functional as F

import model

MOST = 48  # queries a step
TEMPERATURE = 0.1


def loss(rng, embed, batch):
    """InfoNCE of query vectors against all rows of their clip, where the rows that show what is needed are right; None without queries"""
    if not batch.queries:
        return None
    chosen = [batch.queries[i] for i in rng.permutation(len(batch.queries))[:MOST]]
    ids, real = padded(batch.ids.numpy(), chosen)
    q = F.normalize(narrowed(vectors(embed(ids), real)), dim=-1)
    rows = F.normalize(batch.rows[[b for b, *_ in chosen]].flatten(1, 2), dim=-1)
    mass = torch.log_softmax(torch.einsum("qd,qkd->qk", q, rows) / TEMPERATURE, -1)
    need = torch.from_numpy(np.stack([need for *_, need in chosen]))
    return -torch.logsumexp(mass.masked_fill(~need, -1e9), -1).mean()


def padded(ids, chosen):
    """the queries' tokens i64 [n,longest], and which of them are real"""
    width = max(end - first for _, first, end, _ in chosen)
    tokens = np.zeros((len(chosen), width), np.int64)
    real = np.zeros((len(chosen), width), bool)
    for row, (b, first, end, _) in enumerate(chosen):
        tokens[row, : end - first] = ids[b, first:end]
        real[row, : end - first] = True
    return torch.from_numpy(tokens), torch.from_numpy(real)


def vectors(e, real):
    """the query vectors [n,E] of embeddings e [n,L,E], as package prune makes them:
    rows attend to each other by cosine, then weigh exponentially more towards the end"""
    unit = F.normalize(e, dim=-1)
    score = (unit @ unit.transpose(1, 2)).masked_fill(~real[:, None, :], -1e9)
    mixed = torch.softmax(score, -1) @ e
    last = real.sum(1, keepdim=True).clamp(min=2) - 1
    w = torch.exp(3.0 * torch.arange(e.shape[1])[None] / last) * real
    return ((w / w.sum(1, keepdim=True))[..., None] * mixed).sum(1)


def narrowed(q):
    """[n,E] -> [n,D]: means of groups"""
    return q.view(len(q), model.D, -1).mean(-1)

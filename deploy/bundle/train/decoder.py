"""The forward pass of training: projector and decoder over a packed batch, with Hugging Face's own modules as weights.

`transformers` knows neither packed questions nor losses on attention, so the
layers are called one by one here; export.py compares what is saved with what
`transformers` itself computes.
"""

import torch
from torch import nn
from torch.nn import functional as F

import guides
import projector
import text
from world import LOOKS


class Net(nn.Module):
    def __init__(self, llava, ids):
        super().__init__()
        self.llava = llava
        self.marks = [torch.tensor(ids(text.mark(t))) for t in range(LOOKS)]
        self.guides = guides.Guides()

    @property
    def language(self):
        return self.llava.model.language_model

    def embed(self, ids):
        return self.language.embed_tokens(ids)

    def start(self, clips, heads):
        mlp = self.llava.model.multi_modal_projector
        self.spread, self.shift = projector.evening(clips, heads)
        projector.start(mlp, self.language)

    def folded(self):
        return projector.folded(self.llava, self.spread, self.shift)

    def forward(self, batch):
        """logits [n,V] where something is to be said, what that is [n], and the auxiliary losses' sum"""
        x = torch.cat([self.prefix(batch.rows), self.embed(batch.ids)], 1)
        turns = self.language.rotary_emb(x, batch.pos)
        seen = visible(batch)
        guide = 0.0
        for i, layer in enumerate(self.language.layers):
            q, k, v = projected(layer.self_attn, layer.input_layernorm(x), turns)
            guide = guide + self.guides.looking(i, batch, q, k, seen)
            x = x + attended(layer.self_attn, q, k, v, seen)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            guide = guide + self.guides.stating(i, batch, x)
        said = batch.target >= 0
        states = x[:, batch.prefix.length :][said]
        return self.llava.lm_head(self.language.norm(states)), batch.target[said], guide

    def prefix(self, rows):
        """[B,T,m,D] -> [B,S,E], laid out as prefix.Prefix says"""
        visual = self.llava.model.multi_modal_projector(rows @ self.spread + self.shift)
        parts = [self.embed(torch.full((len(rows), 1), text.BOS))]
        for t, mark in enumerate(self.marks):
            parts += [self.embed(mark).expand(len(rows), -1, -1), visual[:, t]]
        return torch.cat(parts, 1)


def visible(batch):
    """bool [B,n,n], n = S + length: what each position may see: of the prefix and of its own question, what is not behind it"""
    prefix = torch.zeros(len(batch.ids), batch.prefix.length, dtype=torch.long)
    block = torch.cat([prefix, batch.block], 1)
    order = torch.arange(block.shape[1])
    shared = order < batch.prefix.length
    own = block[:, :, None] == block[:, None, :]
    return (order[:, None] >= order) & (shared | own)


def projected(attention, x, turns):
    """turned queries, turned keys and values [B,4,n,hd]"""
    q, k, v = (f(x).view(*x.shape[:2], -1, attention.head_dim).transpose(1, 2) for f in (attention.q_proj, attention.k_proj, attention.v_proj))
    return turned(q, *turns), turned(k, *turns), v


def attended(attention, q, k, v, seen):
    """what attention adds to the states, [B,n,E]"""
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])
    return attention.o_proj(mixed.transpose(1, 2).flatten(2))


def turned(x, cos, sin):
    """rotary position embedding, half-split"""
    left, right = x.chunk(2, -1)
    return x * cos[:, None] + torch.cat([-right, left], -1) * sin[:, None]

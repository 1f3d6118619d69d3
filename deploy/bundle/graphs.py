"""The three graphs of a bundle, as torch modules over a Hugging Face model's own weights.

Each forward is written out instead of traced through `transformers`, so that
the graphs have the shapes the bundle's contract names, left padding included,
whatever version of the library loaded the weights. export.py proves them equal.

    Vision     u8 [B,H,W,3]                       -> tokens f16 [B,P,D]
    Projector  f16 [M,D]                          -> rows f32 [M,E]
    Decoder    rows, mask, positions, past        -> last logits [B,V], present
"""

import torch
from torch import nn
from torch.nn import functional as F

MASKED = -1e9  # finite: a row that may see nothing (padding) must not turn into NaN


def heads(x, n):
    """[B,L,n*hd] -> [B,n,L,hd]"""
    return x.reshape(x.shape[0], x.shape[1], n, -1).transpose(1, 2)


def attend(q, k, v, scale, bias=None):
    """[B,n,L,hd] x [B,n,S,hd] -> [B,L,n*hd]"""
    score = q @ k.transpose(2, 3) * scale
    if bias is not None:
        score = score + bias
    mixed = torch.softmax(score, dim=-1) @ v
    return mixed.transpose(1, 2).flatten(2)


class Vision(nn.Module):
    """A CLIP or SigLIP tower up to the layer that the model reads, and the pooling before its projector."""

    def __init__(self, tower, layers, keep_cls, mean, std, pool=None):
        super().__init__()
        e = tower.embeddings
        self.patches, self.places = e.patch_embedding, e.position_embedding
        self.cls = getattr(e, "class_embedding", None)  # SigLIP has none
        self.norm = getattr(tower, "pre_layrnorm", None)
        self.layers = tower.encoder.layers[:layers]
        self.drop = 0 if keep_cls or self.cls is None else 1
        self.pool, self.side = pool, round(e.num_patches**0.5)
        self.register_buffer("mean", torch.tensor(mean) * 255)
        self.register_buffer("std", torch.tensor(std) * 255)

    def forward(self, pixels):
        x = (pixels.float() - self.mean) / self.std
        x = self.patches(x.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        if self.cls is not None:
            x = torch.cat([self.cls.expand(x.shape[0], 1, -1), x], dim=1)
        x = x + self.places.weight
        if self.norm is not None:
            x = self.norm(x)
        for layer in self.layers:
            x = self.block(layer, x)
        return self.pooled(x[:, self.drop :]).half()

    def pooled(self, x):
        """[B,S²,D] -> [B,P,D]"""
        if self.pool is None:
            return x
        return self.pool(x.transpose(1, 2).unflatten(2, (self.side, self.side))).flatten(2).transpose(1, 2)

    @staticmethod
    def block(layer, x):
        a, h = layer.self_attn, layer.layer_norm1(x)
        q, k, v = (heads(p(h), a.num_heads) for p in (a.q_proj, a.k_proj, a.v_proj))
        x = x + a.out_proj(attend(q, k, v, a.head_dim**-0.5))
        return x + layer.mlp(layer.layer_norm2(x))


class Projector(nn.Module):
    """LLaVA's two-layer MLP."""

    def __init__(self, mlp):
        super().__init__()
        self.mlp = mlp

    def forward(self, tokens):
        x = self.mlp.act(self.mlp.linear_1(tokens.float()))
        return self.mlp.linear_2(x)


class Decoder(nn.Module):
    """A Llama-style decoder (Qwen2's too) with its cache as inputs and outputs."""

    def __init__(self, model, head, config, inv_freq, rope_scale):
        super().__init__()
        self.layers, self.norm, self.head = model.layers, model.norm, head
        self.n, self.kv = config.num_attention_heads, config.num_key_value_heads
        self.eps = config.rms_norm_eps
        self.rope_scale = rope_scale
        self.register_buffer("inv_freq", inv_freq.float())

    def forward(self, rows, mask, positions, *past):
        """rows [B,L,E], mask i64 [B,S+L], positions i64 [B,L], past: k and v [B,Hkv,S,hd] of each layer"""
        turn = self.rotation(positions)
        bias = self.bias(mask, rows.shape[1])
        present = []
        x = rows
        for i, layer in enumerate(self.layers):
            mixed, k, v = self.attention(layer, x, past[2 * i], past[2 * i + 1], turn, bias)
            present += [k, v]
            x = x + mixed
            x = x + self.mlp(layer, x)
        return self.head(self.rms(self.norm, x[:, -1])), *present

    def rotation(self, positions):
        angle = positions.float().unsqueeze(-1) * self.inv_freq
        angle = torch.cat([angle, angle], dim=-1).unsqueeze(1)
        return angle.cos() * self.rope_scale, angle.sin() * self.rope_scale

    def bias(self, mask, length):
        """[B,1,L,S+L]: 0 where a row may look, MASKED at padding and at later keys"""
        key = torch.arange(mask.shape[1]).unsqueeze(0)
        row = torch.arange(length).unsqueeze(1) + (mask.shape[1] - length)
        seen = (key <= row).float().unsqueeze(0) * mask.float().unsqueeze(1)
        return ((1.0 - seen) * MASKED).unsqueeze(1)

    def attention(self, layer, x, past_k, past_v, turn, bias):
        a, h = layer.self_attn, self.rms(layer.input_layernorm, x)
        q = rotate(heads(a.q_proj(h), self.n), turn)
        k = torch.cat([past_k, rotate(heads(a.k_proj(h), self.kv), turn)], dim=2)
        v = torch.cat([past_v, heads(a.v_proj(h), self.kv)], dim=2)
        mixed = attend(q, self.shared(k), self.shared(v), a.head_dim**-0.5, bias)
        return a.o_proj(mixed), k, v

    def shared(self, x):
        """[B,Hkv,S,hd] -> [B,H,S,hd]: query heads in groups share a key head"""
        if self.n == self.kv:
            return x
        b, kv, s, hd = x.shape
        return x.unsqueeze(2).expand(b, kv, self.n // self.kv, s, hd).reshape(b, self.n, s, hd)

    def mlp(self, layer, x):
        m, h = layer.mlp, self.rms(layer.post_attention_layernorm, x)
        return m.down_proj(m.act_fn(m.gate_proj(h)) * m.up_proj(h))

    def rms(self, norm, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * norm.weight


def rotate(x, turn):
    """Rotary position embedding, Hugging Face's half-split convention."""
    cos, sin = turn
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin

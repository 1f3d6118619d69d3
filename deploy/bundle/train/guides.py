"""The auxiliary losses of goals.py and counting.py; what they need beyond the model is dropped after training."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import counting
import goals
import model
import text

FLOOR = 0.002  # attention no guide asks for: what cannot be found must not outweigh the answers


class Guides(nn.Module):
    """Probes: what a noun's state says it names, what the words that count list, which letter an option's state says it has."""

    def __init__(self):
        super().__init__()
        self.fact = nn.Linear(model.E, sum(goals.FACTS))
        self.listed = nn.Linear(model.E, counting.LISTED)
        nn.init.constant_(self.listed.bias, -2.0)  # few of them are there
        self.letter = nn.Linear(model.E, len(text.LETTERS))

    def looking(self, layer, batch, q, k, allowed):
        """the loss of layer's attention; q, k [B,4,S+length,hd], allowed bool [B,S+length,S+length]"""
        wanted = batch.goals_of(layer)
        return missed(wanted, q[:, :, batch.prefix.length :], k, allowed) if wanted else 0.0

    def stating(self, layer, batch, x):
        """the loss of the states [B,S+length,E] after layer"""
        x = x[:, batch.prefix.length :]
        if layer == 1:
            return self.facts(x, batch.facts) + self.listing(x, batch.listed)
        if layer == 2 and batch.letters:
            return self.letters(x, np.array(batch.letters))
        return 0.0

    def facts(self, x, facts):
        """facts: (clip, noun, 5 classes)"""
        if not facts:
            return 0.0
        facts = np.array(facts)
        said = self.fact(state(x, facts)).split(goals.FACTS, -1)
        facts = torch.from_numpy(facts[:, 2:])
        known = (facts != goals.UNKNOWN).any(0)
        return sum(F.cross_entropy(s, facts[:, i], ignore_index=goals.UNKNOWN) for i, s in enumerate(said) if known[i])

    def listing(self, x, listed):
        """listed: (clip, word, whether it lists each of counting.LISTED)"""
        if not listed:
            return 0.0
        named = torch.from_numpy(np.stack([bits for *_, bits in listed]))
        said = self.listed(state(x, np.array([at for *at, _ in listed])))
        return F.binary_cross_entropy_with_logits(said, named, reduction="none").sum(-1).mean()

    def letters(self, x, letters):
        """letters i64 [n,3]: clip, an option's last token, its letter"""
        return F.cross_entropy(self.letter(state(x, letters)), torch.from_numpy(letters[:, 2]))


def state(x, at):
    return F.layer_norm(x[at[:, 0], at[:, 1]], (model.E,))


def missed(wanted, q, k, allowed):
    """mean -log of the attention that falls where it should; q [B,4,length,hd] of the text alone"""
    lost, heads = 0.0, 0
    for b in sorted({b for b, _ in wanted}):
        mine = [goal for c, goal in wanted if c == b]
        at = torch.tensor([goal.at for goal in mine])
        score = q[b][:, at] @ k[b].transpose(1, 2) / math.sqrt(q.shape[-1])  # [4,goals,S+length]
        mass = torch.log_softmax(score.masked_fill(~allowed[b, allowed.shape[1] - q.shape[2] + at], -1e9), -1)
        where = targets(mine, k.shape[2])
        asked = where.any(-1)
        found = torch.logsumexp(mass.masked_fill(~where, -1e9), -1)[asked].exp()
        lost = lost - torch.log(FLOOR + (1 - FLOOR) * found).sum()
        heads += int(asked.sum())
    return lost / heads


def targets(mine, n):
    """bool [4,goals,n], nowhere for a head without a goal"""
    nowhere = np.zeros(n, bool)
    return torch.from_numpy(np.stack([[nowhere if h is None else h for h in goal.heads] for goal in mine])).transpose(0, 1)

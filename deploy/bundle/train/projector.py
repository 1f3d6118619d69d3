"""How the projector starts: on rows made even.

The tower's raw rows have a few dimensions of ten times the others' size: colour is
loud, shape and place lie in small directions, and no step length suits both. So
the projector reads evened rows x @ spread + shift while it learns, and the affine
map is folded into its first layer when the model is saved.
"""

import copy

import numpy as np
import torch
from torch import nn

import model
from world import GRID

SAMPLE = 200  # clips looked at
GROUND = 12  # "is there anything" reads far below on the ground: scaled down by this
QUIET = 0.15  # size of the principal components beside what the heads read


def evening(clips, heads):
    """spread [D,D] and shift [D]: what pretraining's heads read, where the patch is, then principal components; heads [13,D]"""
    rows, place = shown(clips[:: max(1, len(clips) // SAMPLE)])
    middle = rows.mean(0)
    place = torch.linalg.lstsq(rows - middle, place - place.mean(0)).solution.T
    read = torch.cat([heads, place])
    size = (rows @ read.T).std(0)
    size[0] *= GROUND
    spread = torch.cat([read / size[:, None], principal(rows - middle, model.D - len(read))]).T.contiguous()
    return spread, -(middle @ spread)


def shown(clips):
    """the rows [n,D] of the patches that show something, and each one's column and row [n,2]"""
    rows = np.concatenate([np.asarray(clip.tokens)[clip.things] for clip in clips])
    cell = np.concatenate([np.nonzero(clip.things)[1] for clip in clips])
    place = np.stack([cell % GRID, cell // GRID], 1)
    return torch.from_numpy(rows).float(), torch.from_numpy(place).float()


def principal(centred, n):
    """the first n components, evened and quiet [n,D]"""
    _, size, axes = torch.linalg.svd(centred, full_matrices=False)
    size = size[:n] / len(centred) ** 0.5
    return QUIET * axes[:n] / size.clamp(min=0.05)[:, None]


def start(mlp, language):
    """weights of a size that suits evened rows"""
    nn.init.normal_(mlp.linear_1.weight, std=0.28)
    nn.init.normal_(mlp.linear_1.bias, std=0.5)
    nn.init.normal_(mlp.linear_2.weight, std=0.06)
    nn.init.normal_(language.embed_tokens.weight, std=0.3)
    for layer in language.layers:
        for linear in layer.modules():
            if isinstance(linear, nn.Linear):
                nn.init.normal_(linear.weight, std=0.04)


def folded(llava, spread, shift):
    """a copy of llava whose projector reads raw rows"""
    llava = copy.deepcopy(llava)
    first = llava.model.multi_modal_projector.linear_1
    first.bias.data += first.weight.data @ shift
    first.weight.data = first.weight.data @ spread.T
    return llava

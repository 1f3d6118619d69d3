"""A training batch: a few clips, each read once by all of its questions.

The questions stand one behind the other, in blocks of their own numbers: one sees
the prefix and itself, and begins at the position at which it would stand alone.
So fifteen questions cost little more than the prefix they share.
"""

import itertools

import numpy as np
import torch

import cells
import counting
import goals
import model
import prefix as prefixes
import questions
from asked import Asked
from world import LOOKS

LENGTH = 300  # tokens of questions and answers a clip
NOTHING = -100  # no token is to be said here
WHOLE = 0.6  # share of query vectors made of the prompt's tail, the others of the question alone


class Pack:
    """The questions of one clip and what is to be learnt of each; arrays are i64 [LENGTH]."""

    def __init__(self, begins):
        self.begins = begins  # position of every question's first token
        self.at = self.count = 0
        self.ids, self.block, self.pos = (np.zeros(LENGTH, np.int64) for _ in range(3))
        self.target = np.full(LENGTH, NOTHING, np.int64)
        self.goals, self.facts, self.listed, self.letters = [], [], [], []
        self.queries = []  # (first token, one past the last, the rows that show what is needed [T*m])
        self.answers = []  # (position that says the answer, kind of question)

    def fits(self, asked):
        return self.at + len(asked.tokens) <= LENGTH

    def add(self, asked):
        self.count += 1
        here = slice(self.at, self.at + len(asked.tokens))
        self.ids[here] = asked.tokens
        self.block[here] = self.count
        self.pos[here] = self.begins + np.arange(len(asked.tokens))
        self.target[asked.end : asked.end + len(asked.said)] = asked.said
        self.answers.append((asked.end, asked.kind))
        self.at = here.stop

    def teach(self, asked, scene, kept, places):
        self.goals += goals.attention(asked, kept, places) + counting.attention(asked, scene, kept, places)
        self.facts += goals.facts(asked, scene, kept)
        self.listed += counting.listed(asked, scene)
        self.letters += goals.letters(asked)


class Batch:
    """rows f32 [B,T,m,D]; ids, block and target i64 [B,LENGTH]; pos i64 [B,S+LENGTH]; each list's entries begin with their clip."""

    def __init__(self, rng, clips, ids, recipe, most, spread):
        """of each clip at most so many questions; spread: positions as if fewer rows were pruned, see prefix.py"""
        self.prefix = prefixes.Prefix(ids, recipe.rows)
        self.rows = np.zeros((len(clips), LOOKS, recipe.rows, model.D), np.float32)
        positions, packs = [], []
        for b, clip in enumerate(clips):
            kept = cells.keep(rng, recipe.pattern, recipe.rows, clip.things)
            self.rows[b] = np.take_along_axis(clip.tokens, kept[..., None], 1)
            room = prefixes.draw_room(rng, recipe.rows) if spread else recipe.rows
            before, begins = self.prefix.positions(kept, room)
            packs.append(self.pack(rng, clip, ids, recipe, most, kept, begins))
            positions.append(np.concatenate([before, packs[-1].pos]))
        self.rows, self.pos = torch.from_numpy(self.rows), torch.from_numpy(np.stack(positions))
        self.ids, self.block, self.target = (stacked(packs, name) for name in ("ids", "block", "target"))
        self.goals, self.facts, self.listed, self.letters, self.queries, self.answers = (
            numbered(packs, name) for name in ("goals", "facts", "listed", "letters", "queries", "answers")
        )

    def pack(self, rng, clip, ids, recipe, most, kept, begins):
        """a clip's questions as far as they fit; one whose things were pruned away teaches only guessing,
        and is left out unless the whole picture is blank"""
        pack, places = Pack(begins), goals.Places(self.prefix, LENGTH)
        seen = np.take_along_axis(clip.shown, kept[None], 2)  # [things,T,m]
        for q in itertools.islice(questions.evenly(rng, clip.scene), most):
            if not recipe.blank and not all(seen[i].any() for i in q.needs):
                continue
            options = questions.options(rng, q) if rng.random() < recipe.lettered else ()
            asked = Asked(ids, q, options, pack.at)
            if not pack.fits(asked):
                break
            pack.add(asked)
            if recipe.blank:
                continue
            pack.teach(asked, clip.scene, seen, places)
            if q.needs:
                pack.queries.append((*asked.query(rng.random() < WHOLE), seen[q.needs].any(0).reshape(-1)))
        return pack

    def goals_of(self, layer):
        return [(b, goal) for b, goal in self.goals if goal.layer == layer]


def stacked(packs, name):
    return torch.from_numpy(np.stack([getattr(pack, name) for pack in packs]))


def numbered(packs, name):
    return [(b, *entry) if isinstance(entry, tuple) else (b, entry) for b, pack in enumerate(packs) for entry in getattr(pack, name)]

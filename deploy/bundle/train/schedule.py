"""What a step trains on, and how hard, by progress `done` from 0 to 1.

Open words and lettered options come together from the start, but few rows come
first, those that show things before any other. Then other patterns and more rows,
then whole frames, among which few rows must still do. Blank pictures come last:
beside them the best answer is the commonest of its type.
"""

import dataclasses
import math

from world import CELLS


LAST = 0.94  # progress from which some pictures are blank


@dataclasses.dataclass(frozen=True)
class Recipe:
    """of one batch"""

    rows: int  # kept of every frame
    pattern: str  # see cells.py
    lettered: float  # share of questions with options
    clips: int
    blank: bool = False  # the questions of these clips, beside pictures that show nothing


def draw(rng, done):
    if done < 0.45:
        return Recipe(int(rng.integers(5, 19)), "things", 0.45, 4)
    if done < 0.75:
        return middle(rng)
    return late(rng) if done < LAST else last(rng)


def middle(rng):
    kind = rng.random()
    if kind < 0.5:
        return Recipe(int(rng.integers(6, 25)), "things", 0.4, 4)
    pattern = any_pattern(rng)
    if kind < 0.85:
        return Recipe(int(rng.integers(24, 50)), pattern, 0.45, 4)
    return Recipe(int(rng.integers(50, 100)), pattern, 0.45, 3)


def late(rng):
    kind = rng.random()
    if kind < 0.4:
        return Recipe(CELLS, "random", 0.4, 2)
    if kind < 0.7:
        return Recipe(int(rng.integers(8, 28)), "things", 0.4, 4)
    return Recipe(int(rng.integers(22, 100)), any_pattern(rng), 0.4, 3)


def last(rng):
    if rng.random() < 0.85:
        return late(rng)
    return Recipe(int(rng.integers(22, CELLS + 1)), "random", 0.4, 3, blank=True)


def any_pattern(rng):
    return str(rng.choice(["random", "grid", "block"]))


def rate(top, step, done, warm, last):
    """learning rate: warm steps up to top, then half a cosine down to last * top"""
    return top * min(1, (step + 1) / warm) * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1, done))))


def guide_weight(done):
    """of the losses of guides.py: strong while nothing is found yet"""
    return 0.4 if done < 0.1 else 0.2 if done < 0.5 else 0.1

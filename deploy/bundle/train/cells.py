"""Which cells of each frame a training step keeps: patterns a decoder must bear, none of them a pruner's own choice.

ReDiPrune never prunes in training, so what it gains or loses at the end is its own.
"""

import numpy as np

from world import CELLS, GRID, LOOKS


def keep(rng, pattern, m, things):
    """m cells of each frame, i64 [T,m], ascending; things bool [T,P] are the cells that show something.

    random  any m
    things  as many as show something, then ground
    block   a square, or all but a square, about a point of each frame's own
    grid    every other row and column, then every other row or column
    """
    score = {"random": anywhere, "things": covered, "block": square, "grid": lattice}[pattern](rng, things)
    return np.sort(np.argpartition(score, m - 1, axis=1)[:, :m], axis=1)


# Scores f64 [T,P]: the lowest are kept.


def anywhere(rng, things):
    return rng.random((LOOKS, CELLS))


def covered(rng, things):
    return anywhere(rng, things) - 2.0 * things


def square(rng, things):
    noise = 0.01 * anywhere(rng, things)
    y, x = np.divmod(np.arange(CELLS), GRID)
    cy, cx = (rng.uniform(0, GRID - 1, (LOOKS, 1)) for _ in range(2))
    away = np.maximum(abs(y - cy), abs(x - cx))
    return (-away if rng.random() < 0.5 else away) + noise


def lattice(rng, things):
    noise = 0.5 * anywhere(rng, things)
    y, x = np.divmod(np.arange(CELLS), GRID)
    return (y + rng.integers(2)) % 2 + (x + rng.integers(2)) % 2 + noise

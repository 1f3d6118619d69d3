"""What stands before the questions: <s>, then each frame's mark and the m rows kept of it.

All questions of a clip read one prefix. A decoder that saw only one m overfits the
positions, and fails at any other (loss 1.0 at 16 rows, 2.8 at 22): so m changes from
step to step, and positions are spread as if fewer rows had been pruned.
"""

import numpy as np

import text
from world import CELLS, LOOKS


class Prefix:
    def __init__(self, ids, m):
        self.m = m
        self.marks = [len(ids(text.mark(t))) for t in range(LOOKS)]
        begins = 1 + np.cumsum(self.marks) + m * np.arange(LOOKS)
        self.rows = (begins[:, None] + np.arange(m)).reshape(-1)  # where the visual rows stand, [T*m]
        self.length = int(begins[-1]) + m

    def positions(self, cells, room):
        """rotary positions [S] when every frame takes up room places, of which cells [T,m] are filled; and the first behind"""
        at, places = 1, [np.zeros(1, np.int64)]
        for mark, kept in zip(self.marks, cells):
            places += [at + np.arange(mark), at + mark + self.within(kept, room)]
            at += mark + room
        return np.concatenate(places), at

    def within(self, kept, room):
        """places [m] in 0..room of the cells kept, between packed (room = m) and where they were (room = P)"""
        slot = np.arange(self.m)
        if self.m == CELLS:
            return slot
        return slot + (kept - slot) * (room - self.m) // (CELLS - self.m)


def draw_room(rng, m):
    """places a frame: as pruned, as whole, or between"""
    kind = rng.random()
    return m if kind < 0.3 else CELLS if kind < 0.6 else int(rng.integers(m, CELLS + 1))

"""The cache between the two trainings: clips as the frozen tower sees them.

A shard is two files. NAME.npy holds the tokens, f16 [clips,T,P,D], and is mapped,
not read. NAME.pkl holds the scenes, and for each scene and look the cells that
show each thing, bool [things,P]; it is written last, so a shard that has it is whole.
"""

import dataclasses
import os
import pickle

import numpy as np

import world


@dataclasses.dataclass
class Clip:
    tokens: np.ndarray  # f16 [T,P,D]
    scene: world.Scene
    shown: np.ndarray  # bool [things,T,P]: the cells of which the thing covers a quarter or more

    @property
    def things(self):
        """bool [T,P]: the cells that show anything"""
        return self.shown.any(0)

    def beside(self, blank):
        """this scene's questions beside the picture of a blank clip"""
        return Clip(blank.tokens, self.scene, np.zeros_like(self.shown))


def write(path, tokens, scenes, shown):
    np.save(f"{path}.npy", tokens)
    with open(f"{path}.part", "wb") as f:
        pickle.dump((scenes, shown), f)
    os.rename(f"{path}.part", f"{path}.pkl")


def written(path):
    return os.path.exists(f"{path}.pkl")


def read(folder, name):
    """the clips of every shard of folder whose name begins so, in the order of the shards' names"""
    clips = []
    for path in sorted(folder.glob(f"{name}-*.pkl")):
        with open(path, "rb") as f:
            scenes, shown = pickle.load(f)
        tokens = np.load(path.with_suffix(".npy"), mmap_mode="r")
        clips += [Clip(t, scene, np.stack(looks, 1)) for t, scene, looks in zip(tokens, scenes, shown)]
    if not clips:
        raise SystemExit(f"{folder}: no shard {name}-*.pkl: cache.py writes them")
    return clips

"""Every seed the demo model is made with.

What seeds below FIRST_UNSEEN draw may be trained on; clips.py takes only others.
"""

FIRST_UNSEEN = 1000

VISION = 1  # train_vision.py: first weights, frames
LANGUAGE = 2  # train_language.py: first weights, batches
EVALUATE = 3  # evaluate.py: the cells kept of held-out clips
TOKENIZER = 5  # text.py: the texts its merges are learnt from

# cache.py: shard -> (seed, clips). Held-out clips are measured on, never trained on; blank ones show nothing.
SHARDS = {"held-0": (999, 100), "train-0": (100, 700)} | {f"train-{i}": (100 + i, 900) for i in range(1, 7)} | {"blank-0": (200, 64)}

"""The world of the demo clips: coloured shapes that move, appear and vanish.

A Scene is a few Things on a plain background over eight looks (the frames that are
sampled; T and P in shapes are LOOKS and CELLS). Coordinates are pixels of the 96 x 96 crop that the model sees; a clip of
any size maps onto it. Everything that is asked about stays inside the crop.
"""

import dataclasses
import math

import cv2
import numpy as np

SIZE, PATCH, LOOKS = 96, 8, 8
GRID = SIZE // PATCH
CELLS = GRID * GRID
SHOWN = 0.25  # a cell shows a thing that covers this share of it
SHAPES = ["circle", "square", "triangle", "cross"]
COLOURS = {
    "red": (215, 40, 40), "green": (40, 175, 60), "blue": (45, 80, 225),
    "yellow": (235, 215, 50), "purple": (165, 55, 190), "white": (240, 240, 240),
}
NAMES = list(COLOURS)
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "nowhere": (0, 0)}


@dataclasses.dataclass
class Thing:
    shape: str
    colour: str
    radius: float
    start: tuple  # centre at look 0, pixels of the crop
    step: tuple  # pixels a look
    moves: str  # a key of DIRECTIONS
    first: int  # first look it is seen in
    last: int  # last look it is seen in

    def centre(self, t):
        return self.start[0] + t * self.step[0], self.start[1] + t * self.step[1]

    def seen(self, t):
        return self.first - 0.5 <= t <= self.last + 0.5


@dataclasses.dataclass
class Scene:
    things: list
    shade: float  # of the background, 0..255
    slope: tuple  # of its gradient, grey levels across the crop

    def visible(self, t):
        return [x for x in self.things if x.seen(t)]


def make_scene(rng):
    """1-4 things that never touch; about a third of them come late, leave early or are brief"""
    count = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.3, 0.35, 0.25]))
    things = []
    for _ in range(200):
        if len(things) == count:
            break
        thing = make_thing(rng, things)
        if all(apart(thing, other) for other in things):
            things.append(thing)
    slope = tuple(rng.uniform(-18, 18, 2))
    return Scene(things, float(rng.uniform(25, 115)), slope)


def make_thing(rng, others):
    for _ in range(50):
        shape, colour = str(rng.choice(SHAPES)), str(rng.choice(NAMES))
        if all((shape, colour) != (o.shape, o.colour) for o in others):
            break
    first, last = lifespan(rng)
    brief = last - first < 2
    radius = float(rng.uniform(7, 9) if brief else rng.uniform(8, 13))
    moves = "nowhere" if brief else str(rng.choice(list(DIRECTIONS)))
    travel = 0.0 if moves == "nowhere" else float(rng.uniform(4.0, 7.0))
    step = tuple(d * travel for d in DIRECTIONS[moves])
    low, high = radius + 2, SIZE - radius - 2
    start = []
    for axis in range(2):
        path = [step[axis] * first, step[axis] * last]
        start.append(float(rng.uniform(low - min(path), high - max(path))))
    return Thing(shape, colour, radius, tuple(start), step, moves, first, last)


def lifespan(rng):
    kind = rng.choice(["always", "late", "early", "brief"], p=[0.58, 0.12, 0.12, 0.18])
    if kind == "always":
        return 0, LOOKS - 1
    if kind == "late":
        return int(rng.integers(2, 5)), LOOKS - 1
    if kind == "early":
        return 0, int(rng.integers(3, 6))
    first = int(rng.integers(0, LOOKS))
    return first, first


def apart(a, b):
    gap = a.radius + b.radius + 3
    for t in range(LOOKS):
        if a.seen(t) and b.seen(t):
            (ax, ay), (bx, by) = a.centre(t), b.centre(t)
            if math.hypot(ax - bx, ay - by) < gap:
                return False
    return True


# Drawing: on a canvas of any size, with subpixel positions.

SHIFT = 4


def outline(shape, x, y, r):
    if shape == "square":
        s = r * 0.88
        return [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)]
    if shape == "triangle":
        s = r * 1.12
        return [(x, y - s), (x + s * 0.95, y + s * 0.75), (x - s * 0.95, y + s * 0.75)]
    w = r * 0.36
    return [(x - w, y - r), (x + w, y - r), (x + w, y - w), (x + r, y - w), (x + r, y + w), (x + w, y + w),
            (x + w, y + r), (x - w, y + r), (x - w, y + w), (x - r, y + w), (x - r, y - w), (x - w, y - w)]


def stamp(canvas, thing, t, scale, offset, value, line):
    x, y = thing.centre(t)
    x, y, r = x * scale + offset[0], y * scale + offset[1], thing.radius * scale
    fixed = 1 << SHIFT
    if thing.shape == "circle":
        cv2.circle(canvas, (round(x * fixed), round(y * fixed)), round(r * fixed), value, -1, line, SHIFT)
        return
    points = np.round(np.array(outline(thing.shape, x, y, r)) * fixed).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, line, SHIFT)


def draw(scene, t, width=SIZE, height=SIZE):
    """RGB u8 [height,width,3]; the crop is the centre square"""
    side = min(width, height)
    scale, offset = side / SIZE, ((width - side) / 2, (height - side) / 2)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    grey = scene.shade + scene.slope[0] * (x / width - 0.5) + scene.slope[1] * (y / height - 0.5)
    canvas = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    for thing in scene.visible(t):
        stamp(canvas, thing, t, scale, offset, COLOURS[thing.colour], cv2.LINE_AA)
    return canvas


def cover(scene, t):
    """share of every cell that each thing covers: f32 [things, GRID, GRID]"""
    shares = np.zeros((len(scene.things), GRID, GRID), np.float32)
    for i, thing in enumerate(scene.things):
        if not thing.seen(t):
            continue
        mask = np.zeros((SIZE, SIZE), np.uint8)
        stamp(mask, thing, t, 1.0, (0, 0), 1, cv2.LINE_8)
        shares[i] = mask.reshape(GRID, PATCH, GRID, PATCH).mean((1, 3))
    return shares


def roughen(rng, frame):
    """what a codec, chroma subsampling and resampling do to a frame"""
    if rng.random() < 0.5:
        frame = cv2.GaussianBlur(frame, (3, 3), float(rng.uniform(0.2, 0.8)))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 4), frame.shape)
        frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.8:
        code = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))]
        frame = cv2.imdecode(cv2.imencode(".jpg", frame[:, :, ::-1], code)[1], cv2.IMREAD_COLOR)[:, :, ::-1]
    return frame

"""Questions about a scene, with the answer, the options and the things one must see to answer."""

import dataclasses

from world import DIRECTIONS, NAMES, SHAPES

NUMBERS = ["0", "1", "2", "3", "4"]


@dataclasses.dataclass
class Question:
    kind: str
    text: str
    answer: str
    choices: list  # what other answers there could be, the answer among them
    needs: list  # things, by number; empty where nothing shows the answer ("no", "0")
    names: list  # (word of the text, the things it names): what training shows attention


def ask(rng, scene):
    """every question this scene answers without doubt, in random order"""
    found = colour(rng, scene) + shape(rng, scene) + presence(rng, scene) + count(rng, scene) + direction(rng, scene) + order(rng, scene)
    rng.shuffle(found)
    return found


def by_kind(rng, scene):
    """{kind: its questions} of ask"""
    kinds = {}
    for q in ask(rng, scene):
        kinds.setdefault(q.kind, []).append(q)
    return kinds


def evenly(rng, scene):
    """the questions of ask, kinds in turn; every other time those on brief things come first in their kind"""
    kinds = by_kind(rng, scene)
    if rng.random() < 0.5:
        for asked in kinds.values():
            brief_first(scene, asked)
    return in_turn(rng, kinds)


def brief_first(scene, asked):
    """sorts questions: before the others those on a thing that shows in one look or two"""
    asked.sort(key=lambda q: not q.needs or all(scene.things[i].last - scene.things[i].first > 1 for i in q.needs))


def in_turn(rng, kinds):
    """all questions of kinds, one of each kind, in random order, before the next of any"""
    while kinds:
        for kind in list(rng.permutation(list(kinds))):
            yield kinds[kind].pop(0)
            if not kinds[kind]:
                del kinds[kind]


def only(scene, **what):
    """the number of the one thing that is so, or None"""
    hits = [i for i, x in enumerate(scene.things) if all(getattr(x, k) == v for k, v in what.items())]
    return hits[0] if len(hits) == 1 else None


def colour(rng, scene):
    asked = []
    for s in SHAPES:
        i = only(scene, shape=s)
        if i is not None:
            asked.append(Question("colour", f"What colour is the {s}?", scene.things[i].colour, NAMES, [i], [(s, [i])]))
    return asked


def shape(rng, scene):
    asked = []
    for c in NAMES:
        i = only(scene, colour=c)
        if i is not None:
            asked.append(Question("shape", f"What shape is the {c} one?", scene.things[i].shape, SHAPES, [i], [(c, [i])]))
    return asked


def presence(rng, scene):
    there = {(x.colour, x.shape): i for i, x in enumerate(scene.things)}
    asked = [presence_of(c, s, [i]) for (c, s), i in there.items()]
    while len(asked) < 2 * len(there):
        near = scene.things[rng.integers(len(scene.things))]
        kind = rng.integers(3)
        c = near.colour if kind == 0 else str(rng.choice(NAMES))
        s = near.shape if kind == 1 else str(rng.choice(SHAPES))
        if (c, s) not in there:
            asked.append(presence_of(c, s, []))
    return asked


def presence_of(c, s, needs):
    return Question("presence", f"Is there a {c} {s}?", "yes" if needs else "no", ["yes", "no"], needs, [(s, needs)])


def count(rng, scene):
    everything = list(range(len(scene.things)))
    asked = [Question("count", "How many things are there?", str(len(everything)), NUMBERS[1:], everything, [("things", everything)])]
    seen = sorted({x.shape for x in scene.things})
    unseen = [s for s in SHAPES if s not in seen]
    for s in seen + unseen[:1]:
        which = [i for i, x in enumerate(scene.things) if x.shape == s]
        plural = {"cross": "crosses"}.get(s, s + "s")
        asked.append(Question("count", f"How many {plural} are there?", str(len(which)), NUMBERS[:4], which, [(plural, which)]))
    return asked


def direction(rng, scene):
    asked = []
    for i, x in enumerate(scene.things):
        if x.last - x.first < 2:
            continue
        asked.append(Question("direction", f"Where does the {x.colour} {x.shape} go?", x.moves, list(DIRECTIONS), [i], [(x.shape, [i])]))
    return asked


def order(rng, scene):
    asked = []
    for i, a in enumerate(scene.things):
        for j, b in enumerate(scene.things):
            if i < j and abs(a.first - b.first) >= 2 and a.shape != b.shape and only(scene, shape=a.shape) == i and only(scene, shape=b.shape) == j:
                x, y = (a.shape, b.shape) if rng.random() < 0.5 else (b.shape, a.shape)
                first = min(a, b, key=lambda t: t.first).shape
                names = [(a.shape, [i]), (b.shape, [j])]
                asked.append(Question("order", f"Which comes first, the {x} or the {y}?", first, [x, y], [i, j], names))
    return asked


def options(rng, question):
    """2 to 4 options in random order, the answer among them"""
    others = [c for c in question.choices if c != question.answer]
    rng.shuffle(others)
    chosen = others[:3] + [question.answer]
    rng.shuffle(chosen)
    return [str(c) for c in chosen]

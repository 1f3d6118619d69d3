"""The goals of "How many … are there?", besides those of goals.py.

What one head mixes can hardly be counted: a thing of three cells is lost beside one of a
hundred. So three words behind the noun share the looking, and each of their heads looks at
the things of one colour, or of one shape:

    layer 0   they read the noun
    layer 1   " are" looks for red, green, blue, yellow, " there" for purple and white, and, where
              the noun is "things", "?" for each shape; where there is none, a head looks at <s>
    layer 2   the prompt's end reads them

and their states then list what was found.
"""

import numpy as np

import world
from goals import HEADS, Goal

LISTED = len(world.SHAPES) * len(world.NAMES)  # every shape in every colour; no scene has one twice


def attention(asked, scene, kept, places):
    """the goals of one question; kept bool [things,T,m] are the rows that show each thing"""
    if asked.q.kind != "count":
        return []
    goals, (noun,) = [], asked.nouns
    for word, tests in seats(asked):
        goals.append(Goal(0, word, alone(0, places.words(noun))))
        for head, test in enumerate(tests):
            found = [places.rows(kept[i]) for i in asked.q.needs if test(scene.things[i])] or [places.start()]
            goals += [Goal(1, word, alone(head, where)) for where in found]
    read = [places.words(word) for word, _ in seats(asked)]
    return goals + [Goal(2, asked.end, read + [None] * (HEADS - len(read)))]


def alone(head, where):
    return [where if h == head else None for h in range(HEADS)]


def seats(asked):
    """(position of a word behind the noun, what its heads look for, one each)"""
    are, there, mark = (asked.behind(word) for word in (" are", " there", "?"))
    colours = [lambda x, c=c: x.colour == c for c in world.NAMES]
    shapes = [lambda x, s=s: x.shape == s for s in world.SHAPES]
    by_colour = [(are, colours[:HEADS]), (there, colours[HEADS:])]
    return by_colour + [(mark, shapes)] if "things" in asked.q.text else by_colour


def listed(asked, scene):
    """(word, whether each of LISTED is among what its heads look for), f32, of a question that counts"""
    if asked.q.kind != "count":
        return []
    things = [scene.things[i] for i in asked.q.needs]
    return [(word, present(x for x in things if any(test(x) for test in tests))) for word, tests in seats(asked)]


def present(things):
    found = np.zeros(LISTED, np.float32)
    found[[world.SHAPES.index(x.shape) * len(world.NAMES) + world.NAMES.index(x.colour) for x in things]] = 1
    return found

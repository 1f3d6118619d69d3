"""What training shows the decoder besides the answer: where to look, and what a word should then know.

The scene is known, so each question's way to its answer is too:

    layer 1   a noun looks at the things it names: two heads at all of each thing, one at its
              first look, one at its last; the prompt's end looks at the question's first words
    layer 2   the end looks at the nouns; an option's last token at its letter
    layer 3   the end looks at the right option

and beside them facts: a noun's state says the shape, colour and so on of what it names,
an option's state says its letter. counting.py says what "How many" needs besides. guides.py makes
losses of all this.
"""

import dataclasses

import numpy as np

import world

FACTS = [len(world.SHAPES), len(world.NAMES), len(world.DIRECTIONS), world.LOOKS, 5]  # shape, colour, direction, first look, how many
HEADS = 4
UNKNOWN = -1  # a fact that does not apply


@dataclasses.dataclass
class Goal:
    layer: int
    at: int  # the position in the text that looks
    heads: list  # for each of HEADS, the positions [S+length] to look at, bool, or None


class Places:
    """Positions as masks over prefix and text, bool [S+length]."""

    def __init__(self, prefix, length):
        self.prefix, self.length = prefix, length

    def rows(self, mask):
        """these visual rows, bool [T,m]"""
        return self.at(self.prefix.rows[mask.reshape(-1)])

    def start(self):
        """<s>, which shows nothing"""
        return self.at([0])

    def words(self, *at):
        """these positions of the text"""
        return self.at([self.prefix.length + i for i in at])

    def at(self, positions):
        seen = np.zeros(self.prefix.length + self.length, bool)
        seen[positions] = True
        return seen


def attention(asked, kept, places):
    """the goals of one question; kept bool [things,T,m] are the rows that show each thing"""
    return things(asked, kept, places) + words(asked, places) + options(asked, places)


def things(asked, kept, places):
    """one goal for each thing, so that attention is shared evenly by things, however many rows they have"""
    goals = []
    for noun, (_, named) in zip(asked.nouns, asked.q.names):
        for rows in kept[named]:
            if rows.any():
                heads = (rows, rows, *ends(rows))
                goals.append(Goal(1, noun, [places.rows(x) for x in heads]))
    return goals


def ends(rows):
    """rows [T,m] of the first look that has any, and of the last"""
    looks = np.nonzero(rows.any(1))[0]
    order = np.arange(len(rows))[:, None]
    return rows & (order == looks[0]), rows & (order == looks[-1])


def words(asked, places):
    nouns = asked.nouns
    both = places.words(*nouns)
    first = [Goal(1, asked.end, [places.words(asked.at, asked.at + 1), None, None, None])]
    if asked.q.kind == "count":  # its end reads what counting.py says
        return first
    return first + [Goal(2, asked.end, [both, both, places.words(min(nouns)), places.words(max(nouns))])]


def options(asked, places):
    goals = []
    for k, option in enumerate(asked.options):
        goals.append(Goal(2, asked.option(k), [places.words(asked.letter(k)), None, None, None]))
        if option == asked.q.answer:
            right = places.words(asked.option(k))
            goals.append(Goal(3, asked.end, [right, right, None, None]))
    return goals


def facts(asked, scene, kept):
    """(noun, one class for each of FACTS), of nouns that name something kept"""
    found = []
    for noun, (_, named) in zip(asked.nouns, asked.q.names):
        if asked.q.kind == "count":
            found.append((noun, *[UNKNOWN] * 4, len(named)))
        elif named and kept[named[0]].any():
            found.append((noun, *described(scene.things[named[0]]), UNKNOWN))
    return found


def described(thing):
    moves = list(world.DIRECTIONS).index(thing.moves) if thing.last - thing.first >= 2 else UNKNOWN
    return world.SHAPES.index(thing.shape), world.NAMES.index(thing.colour), moves, thing.first


def letters(asked):
    """(an option's last token, the number of its letter)"""
    return [(asked.option(k), k) for k in range(len(asked.options))]

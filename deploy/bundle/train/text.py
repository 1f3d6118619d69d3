"""The prompt's words, and the tokenizer learnt from them: byte-level BPE, so any question has tokens."""

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import questions
import seeds
import world

SPECIAL = ["<pad>", "<s>", "</s>", "<image>"]
PAD, BOS, EOS, IMAGE = range(4)
LETTERS = "ABCD"
VOCABULARY = 420  # at most

FRAME_PREFIX = " {i}:"  # before each frame's rows, i from 1
PROMPT = "{frames} {question}{options} Answer:"
OPTION = " {letter}. {text}"


def mark(t):
    """of the frame of look t"""
    return FRAME_PREFIX.format(i=t + 1)


def stem(question, options=()):
    """the prompt behind the frames, up to its options"""
    return f" {question}" + "".join(OPTION.format(letter=letter, text=o) for letter, o in zip(LETTERS, options))


def tail(question, options=()):
    """the prompt behind the frames"""
    return stem(question, options) + " Answer:"


def corpus(scenes=3000):
    rng = np.random.default_rng(seeds.TOKENIZER)
    for _ in range(scenes):
        scene = world.make_scene(rng)
        for q in questions.ask(rng, scene):
            yield tail(q.text, questions.options(rng, q)) + " " + q.answer
    yield from map(mark, range(world.LOOKS))


def build_tokenizer():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    t.train_from_iterator(corpus(), trainer)
    pad, bos, eos, image = SPECIAL
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token=pad, bos_token=bos, eos_token=eos, additional_special_tokens=[image])


class Ids:
    """The ids of a text, remembered: there are few texts."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}

    def __call__(self, words):
        if words not in self.known:
            self.known[words] = self.tokenizer.encode(words, add_special_tokens=False)
        return self.known[words]

"""The prompt of a model: what winnow.json beside a checkpoint says."""

import dataclasses
import json
import string


@dataclasses.dataclass(frozen=True)
class Prompt:
    name: str
    licence: str  # SPDX, of the weights
    template: dict  # prompt, options, option: see infer/bundle/template.go
    frames: int  # looked at by default
    layout: str = "joined"  # or per_frame
    frame_prefix: str = ""  # before each frame's rows under per_frame
    answer_prefix: str = ""  # between the prompt's end and an answer: "" or " "
    letters: int = 8  # options an item may have
    bos: bool = True  # the prompt begins with the tokenizer's beginning token
    relevance_trained: bool = False

    @classmethod
    def read(cls, path):
        try:
            with open(path) as f:
                return cls(**json.load(f))
        except (OSError, ValueError, TypeError) as e:
            raise SystemExit(f"prompt description {path}: {e}: see the fields in prompt.py, or give --prompt FILE") from e

    def letter_ids(self, tokenizer):
        """ids of A, B, ... : the token appended when prompt + letter is tokenised"""
        prompt = self.template["prompt"].replace("{question}", "?").replace("{options}", "")
        prompt = prompt[prompt.index("{frames}") + len("{frames}"):]
        return [self.appended(tokenizer, prompt, letter) for letter in string.ascii_uppercase[: self.letters]]

    def appended(self, tokenizer, prompt, letter):
        before = tokenizer.encode(prompt, add_special_tokens=False)
        after = tokenizer.encode(prompt + self.answer_prefix + letter, add_special_tokens=False)
        if after[:-1] != before:
            raise SystemExit(f"letter {letter}: {prompt!r} + {self.answer_prefix + letter!r} does not append one token")
        return after[-1]

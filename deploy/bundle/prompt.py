"""The prompt of a model: what the checkpoint's chat template makes of a question, or winnow.json says."""

import dataclasses
import json
import re
import string

from checkpoint import Refused

QUESTION = "(the question)"
# Lettered options are no part of any checkpoint; these are the wording that LLaVA's evaluations use.
OPTIONS = {"options": "\n{list}Answer with the option's letter from the given choices directly.", "option": "{letter}. {text}\n"}


@dataclasses.dataclass(frozen=True)
class Prompt:
    name: str
    licence: str  # SPDX, of the weights
    template: dict  # prompt, options, option: see infer/bundle/template.go
    frames: int  # looked at by default
    layout: str = "joined"  # or per_frame
    frame_prefix: str = ""  # before each frame's rows under per_frame
    frame_suffix: str = ""  # after them
    answer_prefix: str = ""  # between the prompt's end and an answer: "" or " "
    letters: int = 8  # options an item may have
    bos: bool = True  # the prompt begins with the tokenizer's beginning token
    relevance_trained: bool = False
    tokenize: str = "per_side"  # or hf: see infer/bundle/manifest.go

    @classmethod
    def read(cls, path):
        try:
            with open(path) as f:
                return cls(**json.load(f))
        except (OSError, ValueError, TypeError) as e:
            raise Refused(f"prompt description {path}: {e}: see the fields in prompt.py") from e

    @classmethod
    def of_chat(cls, checkpoint, tokenizer, family, name, licence, frames):
        """from the checkpoint's own chat template"""
        template = checkpoint.chat_template()
        if template is None:
            raise Refused(f"{checkpoint.source}: no chat template and no winnow.json: give --prompt FILE, with the fields of prompt.py")
        chat = Chat(tokenizer, template, family)
        bos = tokenizer.bos_token_id is not None and tokenizer("x").input_ids[0] == tokenizer.bos_token_id
        head, tail, suffix = chat.sides()
        prompt = escaped(head) + "{frames}" + escaped(tail).replace(QUESTION, "{question}{options}")
        return cls(
            name=name, licence=licence, template={"prompt": prompt} | OPTIONS, frames=frames,
            layout="per_frame" if family.media == "image" else "joined", frame_suffix=suffix,
            answer_prefix="" if prompt[-1].isspace() else " ", bos=bos, tokenize="hf",
        )

    def letter_ids(self, tokenizer):
        """ids of A, B, ... : the token appended when prompt + letter is tokenised, whatever an item says"""
        if (end := self.open_end()) and self.letters:
            raise Refused(f"the prompt's template ends with {end}: what an item says there could change the token of a letter behind it: end it with text of its own")
        first, *others = (self.letters_behind(tokenizer, text) for text in ("yes", "a 7", "what?"))
        for ids in others:
            if ids != first:
                raise Refused(f"letters are the tokens {first} or {ids}, by what an item says: end the prompt's template with more text of its own")
        return first

    def letters_behind(self, tokenizer, text):
        return [self.appended(tokenizer, self.tail(text), letter) for letter in string.ascii_uppercase[: self.letters]]

    def open_end(self):
        """the field that the prompt of a question with options ends with, None where text of the template's own does"""
        for name in ("prompt", "options", "option"):
            end = re.search(r"\{[a-z_]+\}$", self.template[name])
            if end is None or end[0] == "{frames}":
                return None
            if end[0] not in ("{options}", "{list}"):
                return end[0]

    def tail(self, text):
        """the prompt behind the frames, all of whose texts are text"""
        option = self.template["option"].replace("{text}", text)
        listed = "".join(option.replace("{letter}", letter) for letter in string.ascii_uppercase[: min(2, self.letters)])
        filled = self.template["prompt"].split("{frames}")[1].replace("{options}", self.template["options"].replace("{list}", listed))
        for field, value in {"question": text, "n": "0", "times": "", "duration_s": "0.00"}.items():
            filled = filled.replace("{" + field + "}", value)
        return filled

    def unusual_answer_prefix(self):
        """answer_prefix, None where it is what bundles are read with by themselves: see infer/bundle/validate.go"""
        usual = "" if self.tail("?")[-1:].isspace() else " "
        return None if self.answer_prefix == usual else self.answer_prefix

    def appended(self, tokenizer, prompt, letter):
        before = tokenizer.encode(prompt, add_special_tokens=False)
        after = tokenizer.encode(prompt + self.answer_prefix + letter, add_special_tokens=False)
        if after[:-1] != before:
            raise Refused(f"letter {letter}: {prompt!r} + {self.answer_prefix + letter!r} does not append one token")
        return after[-1]


class Chat:
    """A chat template with one user turn: frames, then the question."""

    def __init__(self, tokenizer, template, family):
        self.tokenizer, self.template, self.media = tokenizer, template, family.media
        self.mark = tokenizer.convert_ids_to_tokens(family.placeholder)

    def render(self, times, question):
        """the prompt's text, a mark for each image or clip, without the beginning token"""
        content = [{"type": self.media}] * times + [{"type": "text", "text": question}]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], chat_template=self.template, tokenize=False, add_generation_prompt=True
        )
        return text.removeprefix(self.tokenizer.bos_token or "")

    def sides(self):
        """text before the frames, after them, and after each frame's rows but the last"""
        once = self.render(1, QUESTION).split(self.mark)
        if len(once) != 2 or once[1].count(QUESTION) != 1:
            raise Refused(f"the chat template makes {self.mark.join(once)!r}: want one {self.mark}, and the question after it: give --prompt FILE")
        head, tail = once
        if self.media != "image":
            return head, tail, ""
        between = self.render(2, QUESTION).split(self.mark)
        if len(between) != 3 or between[0] != head or between[2] != tail or not tail.startswith(between[1]):
            raise Refused(f"the chat template makes {self.mark.join(between)!r} of two images: give --prompt FILE")
        return head, tail.removeprefix(between[1]), between[1]


def escaped(text):
    """text as a literal of a template, whose fields stand in braces"""
    if "{" in text or "}" in text:
        raise Refused(f"the chat template's text {text!r} holds braces, which templates here read as fields: give --prompt FILE")
    return text

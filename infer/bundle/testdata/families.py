#!/usr/bin/env python3
"""Writes families/ beside itself: small tokenizers of the classes that real models use, and Hugging Face's ids.

Needs `pip install transformers==4.52.4 tokenizers==0.21.4 sentencepiece==0.2.3 protobuf==7.36.2`. Vocabularies are
trained here, on text made here; everything around them is what the classes of `transformers` save:

    tokenizer.model  SentencePiece as LLaMA and Vicuna ship it      LlamaTokenizer(legacy=True)
    (squeezed)       the same with remove_extra_whitespaces
    vicuna.json      the first, converted; LLaVA's <image> and <pad> LlamaTokenizerFast(legacy=True)
    llama2.json      that, no space after added tokens          LlamaTokenizerFast(legacy=False)
    qwen2.json       byte-level, NFC                                Qwen2TokenizerFast
    llama3.json      byte-level, ignore_merges                      PreTrainedTokenizerFast

questions.json holds prompts with a question in them, and of each the ids of the tokens that the question has a part in:
behind a placeholder, and with the text behind it tokenised on its own.

strings.jsonl.gz holds the strings; raw ones are hex of bytes that are no UTF-8, decoded with errors="replace". Each tokenizer's
golden.jsonl.gz has a line for each: ids; text, what they decode to without special tokens, where that is not the string;
cut, what the first half of them decodes to, where it ends inside a character.
"""

import gzip
import io
import json
import random
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaTokenizer, LlamaTokenizerFast, PreTrainedTokenizerFast, Qwen2TokenizerFast

from golden import PHRASES, PIECES

OUT = Path(__file__).parent / "families"
VOCAB = 2600
SQUEEZE = b"\x1a\x02\x20\x01"  # normalizer_spec { remove_extra_whitespaces: true }
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2, LLAMA3 = CONTRACTIONS + r"\p{N}" + REST, CONTRACTIONS + r"\p{N}{1,3}" + REST

SPACES = [chr(c) for c in (9, 10, 11, 12, 13, 0x1C, 0x1F, 32, 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF)]
CONTROLS = [chr(c) for c in (*range(0, 9), 14, 27, 127, 0x80, 0x9F, 0xAD, 0x200C, 0x200D, 0x200E, 0x202E, 0x2066, 0xFFF9, 0xFFFC, 0xFFFE, 0xE0001, 0x10FFFF)]
EMOJI = "😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☃️ ☃ 1️⃣ 🧑🏿‍🚀 ❤️‍🔥 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🫠".split()
MARKS = [
    "e\u0301", "é", "n\u0303", "A\u030a", "\u212b", "\u1100\u1161\u11a8", "각", "q\u0323\u0307", "q\u0307\u0323", "\u0958", "\u0915\u093c", "\u0301a", "ﬁ",
    "ẛ̣", "\u0344", "\u2126", "\uf900", "a" + "\u0301\u0323" * 20, "\u0b47\u0b3e", "\U0001d15e", "ệ", "e\u0323\u0302", "\u1e9b\u0323", "é\u0301",
]
SPECIALS = ["<unk>", "<s>", "</s>", "<image>", "<pad>", "<mask>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<sep>", "<0x0A>", "<0xE2>", "[INST]", "<im", "|>", "▁", "▁▁", "Ġ", "Ċ"]
CODE = [
    "def f(x):\n    return x**2  # ²\n", "if (a && !b) { c[i++] = 0x1F; }", "SELECT * FROM t WHERE a<>'b';", "<div class=\"x\">&nbsp;</div>", "\tgo func() {}()\r\n",
    "https://example.org/a?b=c%20d&e#f", "C:\\Users\\x\\n", "{\"k\":[1,2.5e-10,null]}", "x≠y ∀z∈ℝ ∑ᵢ aᵢ² → ∞", "user@example.com", "```py\nprint('hi')\n```",
]
NUMBERS = ["0", "7", "42", "007", "1234567890", "3.14159", "1,000,000.00", "1e-5", "٣٤٥", "१२३", "Ⅳ", "½", "①②", "10²³", "12:34:56", "2026-11-21", "+49 (0)30 123", "𝟙𝟚"]
CONTRACTED = ["I'M", "he'S", "we'LL", "you've", "they'RE", "'ſ", "it's", "O'Neil", "'tis", "don’t", "''s", "'d'd"]


def corpus():
    """sentences to train on: questions, and characters' names in words"""
    names = (unicodedata.name(chr(c), "") for c in range(0x21, 0x3000))
    words = [n.lower().replace("-", " ").capitalize() + "." for n in names if n]
    return PHRASES * 60 + [" ".join(PIECES)] * 4 + [" ".join(EMOJI), " ".join(NUMBERS)] * 4 + CODE * 8 + words


def scripts():
    """words of every script, eight letters each"""
    blocks = {}
    for c in range(0x250, 0x20000):
        if unicodedata.category(chr(c)) in ("Lo", "Ll", "Mn", "Mc", "Lm", "Nd"):
            blocks.setdefault(unicodedata.name(chr(c), "?").split()[0], []).append(chr(c))
    rng = random.Random(11)
    return ["".join(rng.choices(letters, k=4)) + " " + "".join(rng.choices(letters, k=4)) for letters in blocks.values() if len(letters) > 9]


def texts():
    rng = random.Random(7)
    parts = [*PIECES, *SPACES, *CONTROLS, *EMOJI, *MARKS, *SPECIALS, *CODE, *NUMBERS, *CONTRACTED, *" \t\n" * 6]
    words = [w for p in PHRASES for w in p.split()]
    out = ["", *PHRASES, *PIECES, *SPACES, *CONTROLS, *EMOJI, *MARKS, *SPECIALS, *CODE, *NUMBERS, *CONTRACTED, *scripts()]
    out += [a + s + b for s in SPACES for a, b in (("", ""), ("x", "y"), (" ", " "), ("1", "\n"))]
    out += [a + s + b for s in SPECIALS for a, b in ((" ", " "), ("a", "b"), ("\n", "\n\n"), ("  Hi ", " there"), (s, " x" + s))]
    out += [" " * n for n in range(2, 20)] + ["\n" * n + "a" for n in range(1, 9)] + ["a" + " " * n + "b" for n in range(1, 18)]
    out += [c * n for c in "a1.é日🙂" for n in (2, 3, 5, 8, 17, 64)]
    out += ["".join(rng.choices(parts, k=rng.randint(2, 8))) for _ in range(900)]
    out += [" ".join(rng.choices(words, k=rng.randint(3, 14))) for _ in range(260)]
    out += ["".join(rng.choices(SPACES + SPECIALS + ["a"], k=rng.randint(2, 7))) for _ in range(120)]
    out += [chat(rng, words) for _ in range(120)]
    out += ["a" * 3000, " " * 3000 + "x", "\n" * 500, "ab" * 900, "日本語" * 300, "🙂" * 200, "1" * 1000, "<s>" * 50, " ".join(words)]
    return out


def chat(rng, words):
    said = " ".join(rng.choices(words, k=5))
    return rng.choice([
        f"A chat. USER: <image>\n{said} ASSISTANT: yes</s>USER: {said} ASSISTANT:", f"<|im_start|>user\n<image>{said}<|im_end|>\n<|im_start|>assistant\n",
        f"[INST] <image> {said} [/INST]", f"<s>{said}</s> <s> {said}",
    ])


def raw():
    """bytes that are no UTF-8: characters cut short, strays, overlong forms, surrogates"""
    rng = random.Random(13)
    cut = [p.encode()[:n] for p in (*PHRASES[8:], *EMOJI) for n in rng.sample(range(1, len(p.encode())), min(8, len(p.encode()) - 1))]
    odd = [b"\xff", b"\xfe\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x99", b"\xf0\x9f\xf0\x9f", b"a\x80b", b"\xe6\x97 \xe6", b"\xf8\x88\x80\x80\x80"]
    mixed = [bytes(rng.choices([*b"ab <s>\n", 0xF0, 0x9F, 0x99, 0x82, 0xE6, 0x97, 0xA5, 0xC3, 0xFF], k=rng.randint(2, 24))) for _ in range(120)]
    return [b for b in [*cut, *odd, *mixed] if not valid(b)]


def valid(b):
    try:
        return b.decode() is not None
    except UnicodeDecodeError:
        return False


def sentencepiece_model():
    """trained as LLaMA's was"""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, vocab_size=VOCAB, model_type="bpe", byte_fallback=True, split_digits=True,
        allow_whitespace_only_pieces=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        character_coverage=0.98, num_threads=1, minloglevel=2,
    )
    return model.getvalue()


def squeezed(model, folder):
    """the same with remove_extra_whitespaces: a later field of a message overrides an earlier one"""
    changed = folder / "squeezed.model"
    changed.write_bytes(Path(model).read_bytes() + SQUEEZE)
    return LlamaTokenizer(vocab_file=str(changed), legacy=True)


def llama(model, legacy):
    t = LlamaTokenizerFast(vocab_file=model, legacy=legacy, add_prefix_space=True, from_slow=True)
    t.add_tokens([AddedToken("<image>", normalized=False, special=True), AddedToken("<pad>", normalized=True, special=False)])
    t.add_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True), AddedToken("<sep>", rstrip=True, normalized=False)])
    return t


def byte_level(pattern, normalizer):
    t = Tokenizer(models.BPE())
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    t.train_from_iterator(corpus(), trainer)
    return t


def qwen2(folder):
    byte_level(QWEN2, normalizers.NFC()).model.save(str(folder))
    t = Qwen2TokenizerFast(vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"))
    t.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<image>"]})
    t.add_tokens([AddedToken("<sep>", normalized=False)])
    return t


def llama3():
    t = json.loads(byte_level(LLAMA3, None).to_str())
    t["model"]["ignore_merges"] = True
    for word in ("Ġstrawberry", "Question", "åľĨåľĪ"):  # tokens that no merge makes
        t["model"]["vocab"].setdefault(word, len(t["model"]["vocab"]))
    t = Tokenizer.from_str(json.dumps(t))
    t.add_special_tokens(["<s>", "<|eot_id|>", "<image>"])
    return PreTrainedTokenizerFast(tokenizer_object=t, clean_up_tokenization_spaces=False)


def decoded(fast, ids):
    return fast.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def golden(strings, encoder, fast):
    for s in strings:
        ids = encoder.encode(s, add_special_tokens=False)
        text, cut = decoded(fast, ids), decoded(fast, ids[: len(ids) // 2])
        row = {"ids": ids} if text == s else {"ids": ids, "text": text}
        yield row | {"cut": cut} if cut.endswith("\ufffd") and "\ufffd" not in s else row


def questions(tokenizers):
    """what stands between placeholder, question and end, and the question's ids by family"""
    around = [("\n", " ASSISTANT:"), (" ", "\nASSISTANT:"), ("", "<|im_end|>\n"), ("\n", "\nA. red\nB. green\n"), ("Look. ", "?"), (" \n", "  ")]
    asked = [*PHRASES, " led by a space", "ends in a space ", "a\n", "日本語", "🙂?", "1+1=", "'s", "e\u0301te", "what??"]
    cases = [{"before": b, "question": q, "after": a} for b, a in around for q in asked]
    for case in cases:
        before, question, after = case.values()
        sides = {"hf": "USER: <image>" + before, "per_side": before}
        case["ids"] = {name: {how: having_part(t, side, question, after) for how, side in sides.items()} for name, t in tokenizers.items()}
    return cases


def having_part(t, before, question, after):
    """ids of the tokens whose characters are the question's, all or some"""
    made = t(before + question + after, add_special_tokens=False, return_offsets_mapping=True)
    first, end = len(before), len(before) + len(question)
    return [i for i, (a, b) in zip(made.input_ids, made.offset_mapping) if a < end and b > first]


def write(name, rows):
    with open(OUT / name, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", compresslevel=9, mtime=0, filename="") as z:
        for row in rows:
            z.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")


def main():
    OUT.mkdir(exist_ok=True)
    strings, broken = list(dict.fromkeys(texts())), list(dict.fromkeys(raw()))
    write("strings.jsonl.gz", [{"text": s} for s in strings] + [{"raw": b.hex()} for b in broken])
    strings += [b.decode(errors="replace") for b in broken]
    (OUT / "tokenizer.model").write_bytes(sentencepiece_model())
    with tempfile.TemporaryDirectory() as tmp:
        model = str(OUT / "tokenizer.model")
        slow = LlamaTokenizer(vocab_file=model, legacy=True)
        families = {"vicuna": llama(model, True), "llama2": llama(model, False), "qwen2": qwen2(Path(tmp)), "llama3": llama3()}
        write("model.golden.jsonl.gz", golden(strings, slow, families["vicuna"]))
        write("squeezed.golden.jsonl.gz", golden(strings, squeezed(model, Path(tmp)), families["vicuna"]))
        for name, fast in families.items():
            fast.backend_tokenizer.save(str(OUT / f"{name}.json"), pretty=False)
            write(f"{name}.golden.jsonl.gz", golden(strings, fast, fast))
        (OUT / "questions.json").write_text(json.dumps(questions(families), separators=(",", ":")) + "\n")
    print(len(strings), "strings")


if __name__ == "__main__":
    main()

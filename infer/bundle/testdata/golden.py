#!/usr/bin/env python3
"""Writes tokenizer.json and golden.json beside itself: ids that Hugging Face's tokenizers gives.

Needs `pip install tokenizers==0.21.4`. The vocabulary is trained on the strings' own
alphabet so that merges of every script occur; the second pre-tokenizer is Qwen2's.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PHRASES = """What colour is the circle that appears last?|How many squares are visible at once?|Does a red triangle vanish before the blue one?
Which way does the star move, left or right?|Answer with the option's letter.|I'm sure it's what they've said; you'll see, he'd say we're done.
USER: A. red B. green C. yellow D. none of these ASSISTANT:|Welche Farbe hat das größte Dreieck?|¿De qué color es el círculo más pequeño?
Какого цвета круг, который появляется последним?|最後に現れる円は何色ですか?|圆圈是什么颜色的？|원은 무슨 색입니까?|ما لون الدائرة التي تظهر أخيرًا؟|वृत्त किस रंग का है?
מה צבע העיגול?|Ποιο είναι το χρώμα του κύκλου;|วงกลมสีอะไร|Dairenin rengi nedir? İıŞşĞğ|Hình tròn màu gì?|naïve café résumé coöperate Ångström""".replace("\n", "|").split("|")
PIECES = [
    " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\v", "\f", "\u200b", "\u200d", "\ufeff",
    "'s", "'S", "'ll", "'LL", "'t", "don't", "’s", "1", "42", "3.14", "1,000,000", "٣", "Ⅳ", "½", "²", "x²",
    "🙂", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "☃️", "e\u0301", "\u0301", "ﬁ", "Ⅷ", "ß", "ẞ", "\ufffd", "\U0001d11e", "\U00020000",
    "<image>", "<|end|>", "<|end", "|>", "<s>", "</s>", "<<s>>", "<pad>", "{", "}", "[]", "==", "->", "https://a.b/c?d=e&f=1",
    "word", "Word", "WORD", "ünï", "абв", "日本", "中文字", "한글", "عربي", "हिन्दी", "ไทย", "_", "-", "--", ".", "...", "!?", "\\n", "\"", "`",
]


def trained():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<pad>", "<s>", "</s>", "<image>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )
    t.train_from_iterator(PHRASES * 3 + [" ".join(PIECES)], trainer)
    t.add_tokens([AddedToken("<|end", normalized=False)])
    return t


def texts():
    rng = random.Random(7)
    mixed = ["".join(rng.choices(PIECES, k=rng.randint(2, 9))) for _ in range(220)]
    noise = ["".join(chr(rng.choice([rng.randrange(32, 0x250), rng.randrange(0x250, 0xD7FF)])) for _ in range(12)) for _ in range(30)]
    return ["", *PHRASES, *PIECES, *(p + " " + q for p, q in zip(PHRASES, PIECES)), *mixed, *noise, "a" * 300, " " * 40 + "end"]


def main():
    gpt2 = trained()
    gpt2.save(str(HERE / "tokenizer.json"), pretty=False)
    qwen = Tokenizer.from_str(gpt2.to_str())
    qwen.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    cases = [
        {
            "text": s, "ids": gpt2.encode(s).ids, "decoded": gpt2.decode(gpt2.encode(s).ids),
            "split": qwen.encode(s).ids,
        }
        for s in texts()
    ]
    cut = [[ids[:n], gpt2.decode(ids[:n])] for ids in (gpt2.encode("🙂 日本").ids,) for n in range(len(ids) + 1)]
    golden = {"split": json.loads(qwen.to_str())["pre_tokenizer"], "cases": cases, "cut": cut}
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")))


if __name__ == "__main__":
    main()

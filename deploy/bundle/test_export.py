"""What export.py makes of shards, what it refuses, by name, and that it leaves nothing behind; and that
`winnow bundle verify --against transformers` tells a bundle's checkpoint from another: make test-export."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

import parity
from checkpoint import Refused
from prompt import OPTIONS, Prompt

EXPORT = Path(__file__).with_name("export.py")
ROOT = EXPORT.parents[2]
CLIPS = EXPORT.parent / "demo-clips" / "manifest.jsonl"


class Export(unittest.TestCase):
    """a checkpoint, and where its bundle goes"""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model, self.out = self.checkpoint(0), self.folder / "bundles"

    def checkpoint(self, seed):
        folder = self.folder / f"model-{seed}"
        folder.mkdir()
        parity.checkpoint(folder, "llava_next_video", seed)
        return folder

    def export(self, name, *more):
        command = [sys.executable, EXPORT, "--model", self.model, "--out", self.out / name, "--name", "tiny", *more]
        subprocess.run(command, capture_output=True, text=True, check=True)
        return self.out / name


class Makes(Export):
    def test_shards(self):
        """the same bundle as of one file"""
        from safetensors.torch import load_file, save_file

        whole = (self.export("whole") / "bundle.json").read_text()
        weights = load_file(self.model / "model.safetensors")
        shards = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
        at = {n: shards[i % 3] for i, n in enumerate(weights)}
        for shard in shards:
            save_file({n: w for n, w in weights.items() if at[n] == shard}, self.model / shard, metadata={"format": "pt"})
        (self.model / "model.safetensors").unlink()
        (self.model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": at}))
        self.assertEqual(whole, (self.export("shards") / "bundle.json").read_text())


class Letters(unittest.TestCase):
    def test_follow_the_prompt(self):
        """of every family: the one token that the tokenizer appends where a letter is written behind a whole prompt"""
        for name in parity.FAMILIES:
            bundle = parity.OUT / name / "bundle"
            said = json.loads((bundle / "bundle.json").read_text())
            hf = Tokenizer.from_file(str(bundle / "tokenizer.json"))
            for options in (["red", "blue"], ["1", "no"]):
                listed = "".join(said["template"]["option"].format(letter="ABCDEFGH"[i], text=o) for i, o in enumerate(options))
                prompt = said["template"]["prompt"].format(frames="<image>", question="How many?", options=said["template"]["options"].format(list=listed))
                before = hf.encode(prompt, add_special_tokens=False).ids
                behind = "" if prompt[-1].isspace() else " "
                got = [hf.encode(prompt + behind + letter, add_special_tokens=False).ids for letter in "ABCDEFGH"]
                self.assertEqual([before + [i] for i in said["letter_ids"]], got, name)

    def prompt(self, text, options=OPTIONS, **more):
        return Prompt(name="x", licence="x", template={"prompt": text} | options, frames=3, **more)

    def test_are_the_exporters(self):
        """of every family, and of each form of a letter, the exporter's ids are what the tokenizer appends to a whole prompt"""
        for name in parity.FAMILIES:
            hf = PreTrainedTokenizerFast(tokenizer_file=str(parity.OUT / name / "bundle" / "tokenizer.json"))
            for template in ("USER: {frames}{question}{options} ASSISTANT:", "{frames}{question}{options}", "{frames}\n{options}Q: {question}\nA:\n"):
                for prefix in "", " ":
                    prompt = self.prompt(template, answer_prefix=prefix)
                    whole = template.split("{frames}")[1].replace("{question}", "How many?").replace("{options}", OPTIONS["options"].replace("{list}", "A. 1\nB. 2\n"))
                    before = hf.encode(whole, add_special_tokens=False)
                    got = [hf.encode(whole + prefix + letter, add_special_tokens=False) for letter in "ABCDEFGH"]
                    self.assertEqual([before + [i] for i in prompt.letter_ids(hf)], got, (name, template, prefix))

    def test_open_end(self):
        """what an item says stands before no letter"""
        for template, options, field in (
            ("{frames}{options}{question}", OPTIONS, "{question}"),
            ("{frames}{question}{options}{n}", OPTIONS, "{n}"),
            ("{frames}{question}{options}", {"options": "{list}", "option": "{letter}. {text}"}, "{text}"),
        ):
            with self.assertRaisesRegex(Refused, "ends with " + re.escape(field)):
                self.prompt(template, options).letter_ids(None)

    def test_unusual_prefix(self):
        """a bundle says what stands before a letter where its reader would think otherwise"""
        for template, prefix, said in (("{frames} A:", " ", None), ("{frames} A:", "", ""), ("{frames} A:\n", "", None), ("{frames} A:\n", " ", " ")):
            self.assertEqual(said, self.prompt(template, answer_prefix=prefix).unusual_answer_prefix(), (template, prefix))


class Verifies(Export):
    def verify(self, bundle, model, *more):
        command = [ROOT / "bin" / "winnow", "bundle", "verify", bundle, "--against", "transformers", "--model", model, "--manifest", CLIPS]
        return subprocess.run([*command, "--clips", "2", "--keep", "1,0.15", "--python", sys.executable, *more], cwd=ROOT, capture_output=True, text=True)

    def test_its_checkpoint(self):
        ran = self.verify(self.export("f16"), self.model, "--query", "question")
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertEqual(4, ran.stdout.count("ids equal"), ran.stdout)  # clips by shares

    def test_int8(self):
        """near the checkpoint, and not equal"""
        bundle = self.export("int8", "--weights", "int8")
        self.assertEqual(self.verify(bundle, self.model, "--tolerance", "0.1").returncode, 0)
        self.assertEqual(self.verify(bundle, self.model).returncode, 1)

    def test_another_checkpoint(self):
        ran = self.verify(self.export("f16"), self.checkpoint(1))
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertIn("largest difference", ran.stdout)


class Refuses(Export):
    def refused(self, *words):
        """export ends with one line that has these words, and has written nothing"""
        ran = subprocess.run([sys.executable, EXPORT, "--model", self.model, "--out", self.out / "x"], capture_output=True, text=True)
        last = ran.stderr.strip().splitlines()[-1]
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertTrue(last.startswith("export: "), ran.stderr)
        for word in words:
            self.assertIn(word, last)
        self.assertEqual([], list(self.out.glob("**/*")))

    def change(self, file, **fields):
        said = json.loads((self.model / file).read_text())
        (self.model / file).write_text(json.dumps(said | fields))

    def test_another_family(self):
        (self.model / "config.json").write_text(json.dumps({"model_type": "bert"}))
        self.refused("'bert'", "llava_next_video")

    def test_missing_shard(self):
        weights = {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
        (self.model / "model.safetensors.index.json").write_text(json.dumps(weights))
        (self.model / "model.safetensors").unlink()
        self.refused("model-00002-of-00002.safetensors")

    def test_cut_shard(self):
        weights = self.model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        self.refused("model.safetensors")

    def test_missing_weight(self):
        """found when half of the bundle is written"""
        from safetensors.torch import load_file, save_file

        weights = load_file(self.model / "model.safetensors")
        name = next(n for n in weights if n.endswith("layers.1.mlp.down_proj.weight"))
        save_file({n: w for n, w in weights.items() if n != name}, self.model / "model.safetensors")
        self.refused("layers.1.mlp.down_proj.weight")

    def test_token_without_a_row(self):
        tokens = json.loads((self.model / "tokenizer.json").read_text())["added_tokens"]
        self.change("tokenizer.json", added_tokens=[*tokens, tokens[0] | {"id": 320, "content": "<new>"}])
        self.refused("token 320 '<new>' has no row in the embedding table of 320")

    def test_no_template(self):
        (self.model / "chat_template.json").unlink()
        self.refused("chat template", "--prompt")

    def test_other_resampling(self):
        self.change("preprocessor_config.json", resample=2)
        self.refused("preprocessor_config.json", "resample 2")


if __name__ == "__main__":
    unittest.main()

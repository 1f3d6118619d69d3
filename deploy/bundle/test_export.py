"""What export.py refuses, by name, and that it leaves nothing behind: python -m unittest, in this folder."""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import parity

EXPORT = Path(__file__).with_name("export.py")


class Refuses(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model, self.out = self.folder / "model", self.folder / "bundles"
        self.model.mkdir()
        parity.checkpoint(self.model, "llava_next_video", 0)

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

    def test_no_template(self):
        (self.model / "chat_template.json").unlink()
        self.refused("chat template", "--prompt")

    def test_other_resampling(self):
        self.change("preprocessor_config.json", resample=2)
        self.refused("preprocessor_config.json", "resample 2")


if __name__ == "__main__":
    unittest.main()

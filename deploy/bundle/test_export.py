"""What export.py makes, what it refuses, by name, and that it leaves nothing behind; that pixels and prompts are those of
`transformers`' own processors; and that `winnow bundle verify --against transformers` tells a bundle's checkpoint from
another: make test-export."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

import families
import parity
import verify
from checkpoint import Checkpoint, Refused
from prompt import OPTIONS, Prompt
from reference import Reference

EXPORT = Path(__file__).with_name("export.py")
ROOT = EXPORT.parents[2]
CLIPS = EXPORT.parent / "demo-clips" / "manifest.jsonl"


class Export(unittest.TestCase):
    """a checkpoint, and where its bundle goes"""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model, self.out = self.checkpoint(0), self.folder / "bundles"

    def checkpoint(self, seed, family="llava_next_video"):
        folder = self.folder / f"{family}-{seed}"
        folder.mkdir()
        parity.checkpoint(folder, family, seed)
        return folder

    def change(self, file, **fields):
        said = json.loads((self.model / file).read_text())
        (self.model / file).write_text(json.dumps(said | fields))

    def change_config(self, part, **fields):
        said = json.loads((self.model / "config.json").read_text())
        self.change("config.json", **{part: said[part] | fields})

    def change_weights(self, change):
        """change(name -> tensor) in place"""
        weights = load_file(self.model / "model.safetensors")
        change(weights)
        save_file(weights, self.model / "model.safetensors", metadata={"format": "pt"})

    def export(self, name, *more):
        command = [sys.executable, EXPORT, "--model", self.model, "--out", self.out / name, "--name", "tiny", *more]
        subprocess.run(command, capture_output=True, text=True, check=True)
        return self.out / name


class Makes(Export):
    def test_shards(self):
        """the same bundle as of one file"""
        whole = (self.export("whole") / "bundle.json").read_text()
        weights = load_file(self.model / "model.safetensors")
        shards = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
        at = {n: shards[i % 3] for i, n in enumerate(weights)}
        for shard in shards:
            save_file({n: w for n, w in weights.items() if at[n] == shard}, self.model / shard, metadata={"format": "pt"})
        (self.model / "model.safetensors").unlink()
        (self.model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": at}))
        self.assertEqual(whole, (self.export("shards") / "bundle.json").read_text())


    def test_remote(self):
        """the language model alone, of bf16 weights and a generation config that samples: check.py compares what it says"""
        self.change("generation_config.json", temperature=0.9, top_p=0.6)
        self.change_weights(lambda weights: weights.update({n: w.bfloat16() for n, w in weights.items()}))
        self.change("config.json", torch_dtype="bfloat16")
        bundle = self.export("remote", "--language", "remote", "--served-as", "lm")
        said, alone = json.loads((bundle / "bundle.json").read_text()), self.out / "remote-language"
        self.assertNotIn("decoder.onnx", said["files"])
        self.assertEqual((True, "lm"), (said["language"]["remote"], said["language"]["model"]))
        config = json.loads((alone / "config.json").read_text())
        self.assertEqual((["LlamaForCausalLM"], "bfloat16", False), (config["architectures"], config["torch_dtype"], config["tie_word_embeddings"]))
        self.assertNotIn("temperature", json.loads((alone / "generation_config.json").read_text()))
        stored = load_file(alone / "model-00001.safetensors")
        self.assertEqual({torch.bfloat16}, {w.dtype for w in stored.values()})
        self.assertIn("lm_head.weight", stored)

    def test_stretched_context(self):
        """linear RoPE of factor 2 reaches twice as far as it was trained"""
        self.assertEqual(2 * 512, json.loads((self.export("x") / "bundle.json").read_text())["context"])

    def test_tied_head(self):
        """a head that is the embedding table is not stored"""
        self.model = self.checkpoint(0, "llava_onevision")
        self.change("config.json", tie_word_embeddings=True)
        self.change_config("text_config", tie_word_embeddings=True)
        self.change_weights(lambda weights: weights.pop("lm_head.weight", None) or weights.pop("language_model.lm_head.weight"))
        self.export("local")
        self.export("remote", "--language", "remote")


class Processors(Export):
    """transformers' own: what it makes of frames and of a conversation"""

    def processor(self, name):
        if name == "llava_onevision":
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.model)
            said = {"num_image_tokens": 49, "vision_feature_select_strategy": "full"}
        else:
            tokenizer = transformers.LlamaTokenizerFast(tokenizer_file=str(self.model / "tokenizer.json"), unk_token="<pad>")
            said = {"patch_size": parity.PATCH, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
        kind, parts = {
            "llava": ("LlavaProcessor", {"image_processor": "CLIPImageProcessor"}),
            "llava_next_video": ("LlavaNextVideoProcessor", {"image_processor": "LlavaNextImageProcessor", "video_processor": "LlavaNextVideoVideoProcessor"}),
            "video_llava": ("VideoLlavaProcessor", {"image_processor": "VideoLlavaImageProcessor", "video_processor": "VideoLlavaVideoProcessor"}),
            "llava_onevision": ("LlavaOnevisionProcessor", {"image_processor": "LlavaOnevisionImageProcessor", "video_processor": "LlavaOnevisionVideoProcessor"}),
        }[name]
        parts = {part: getattr(transformers, of).from_pretrained(self.model) for part, of in parts.items()}
        return getattr(transformers, kind)(tokenizer=tokenizer, **parts, **said)

    def test_prompts(self):
        """a placeholder for each row, as many as the processor makes of the pixels, in the ids that it makes of the text"""
        for name, (side, frames, _, chat) in parity.FAMILIES.items():
            self.model = self.checkpoint(2, name)
            clip = torch.zeros(frames, side, side, 3, dtype=torch.uint8)
            theirs = verify.Theirs(self.model, verify.Bundle(self.export(name)))
            media = theirs.family.media
            content = [{"type": media}] * (frames if media == "image" else 1) + [{"type": "text", "text": "How many?"}]
            processor = self.processor(name)
            text = processor.tokenizer.apply_chat_template([{"role": "user", "content": content}], chat_template=chat, tokenize=False, add_generation_prompt=True)
            shown = {"images": list(clip.numpy())} if media == "image" else {"videos": [clip.numpy()]}
            want = processor(text=text, return_tensors="pt", **shown).input_ids[0].tolist()
            self.assertEqual(want, theirs.ids({"frames": clip, "question": "How many?", "options": []}).tolist(), name)

    def test_pixels(self):
        for name, (side, frames, _, _) in parity.FAMILIES.items():
            self.model = self.checkpoint(1, name)
            kind = transformers.SiglipImageProcessor if name == "llava_onevision" else transformers.CLIPImageProcessor
            clip = torch.randint(0, 256, (frames, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
            want = kind.from_pretrained(self.model)(images=list(clip.numpy()), return_tensors="pt").pixel_values
            got = Reference(families.of(Checkpoint(self.model))).pixels(clip)
            self.assertLess((got - want).abs().max(), 1e-5, name)


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


class Figures(unittest.TestCase):
    """what verify.py makes of differences"""

    def test_off(self):
        a = torch.tensor([1.0, -4.0])
        self.assertEqual(0, verify.off(a, a))
        self.assertEqual(0.25, verify.off(a, torch.tensor([2.0, -4.0])))
        for other in (torch.tensor([1.0]), torch.tensor([torch.nan, -4]), torch.tensor([1.0, torch.inf])):
            self.assertEqual(float("inf"), verify.off(other, a))

    def test_parted(self):
        """by how much the checkpoint prefers its own id"""
        steps = [(1, torch.tensor([0.0, 4.0, 3.0])), (0, torch.tensor([8.0, 1.0, 6.0]))]
        self.assertEqual(0, verify.parted([1, 0], steps))
        self.assertEqual(0.25, verify.parted([2, 0], steps))
        self.assertEqual(0.25, verify.parted([1, 2], steps))
        self.assertEqual(float("inf"), verify.parted([0], [(0, torch.tensor([torch.nan, 1.0]))]))


class Refuses(Export):
    def refused(self, *words, more=()):
        """export ends with one line that has these words, and has written nothing"""
        ran = subprocess.run([sys.executable, EXPORT, "--model", self.model, "--out", self.out / "x", *more], capture_output=True, text=True)
        last = ran.stderr.strip().splitlines()[-1]
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertTrue(last.startswith("export: "), ran.stderr)
        for word in words:
            self.assertIn(word, last)
        self.assertEqual([], list(self.out.glob("**/*")))

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
        self.change_weights(lambda weights: weights.pop(self.named(weights, "layers.1.mlp.down_proj.weight")))
        self.refused("layers.1.mlp.down_proj.weight")

    @staticmethod
    def named(weights, end):
        return next(n for n in weights if n.endswith(end))

    def test_missing_head(self):
        """that is not the embedding table, whatever a family's own config has for a default"""
        self.model = self.checkpoint(0, "llava")
        self.change_weights(lambda weights: weights.pop(self.named(weights, "lm_head.weight")))
        self.refused("no weight lm_head.weight")

    def test_weights_that_f16_cannot_hold(self):
        def spoil(weights):
            name = self.named(weights, "layers.0.mlp.up_proj.weight")
            weights[name] = weights[name].bfloat16()
            weights[name][3, 5] = 1e6

        self.change_weights(spoil)
        self.refused("layers.0.mlp.up_proj.weight", "f16 cannot hold")

    def test_another_shape(self):
        self.change_config("text_config", vocab_size=400)
        self.refused("embed_tokens.weight is [320, 32]", "[400, 32]")
        self.refused("[400, 32]", more=["--language", "remote"])

    def test_no_tokenizer(self):
        for file in self.model.glob("tokenizer*"):
            file.unlink()
        self.refused("tokenizer")

    def test_broken_json(self):
        for file in ("preprocessor_config.json", "chat_template.json"):
            whole = (self.model / file).read_text()
            (self.model / file).write_text(whole[:20])
            self.refused(file)
            (self.model / file).write_text(whole)
        (self.model / "model.safetensors").unlink()
        (self.model / "model.safetensors.index.json").write_text("{")
        self.refused("model.safetensors.index.json")

    def test_no_safetensors(self):
        (self.model / "model.safetensors").rename(self.model / "pytorch_model.bin")
        self.refused("save the checkpoint as safetensors")

    def test_configs_that_graphs_do_not_have(self):
        config = (self.model / "config.json").read_text()
        for part, fields, word in [
            (None, {"vision_feature_layer": [-2, -1]}, "several layers"),
            (None, {"vision_feature_select_strategy": "full"}, "takes patches alone"),
            ("vision_config", {"model_type": "siglip_vision_model"}, "'default': it drops"),
            ("text_config", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type dynamic"),
            ("text_config", {"sliding_window": 64, "use_sliding_window": True}, "sliding_window 64"),
            ("text_config", {"model_type": "gemma"}, "gemma"),
        ]:
            if part:
                self.change_config(part, **fields)
            else:
                self.change("config.json", **fields)
            self.refused(word)
            (self.model / "config.json").write_text(config)

    def test_preprocessing_that_winnow_does_not_do(self):
        said = (self.model / "preprocessor_config.json").read_text()
        for fields, word in [
            ({"rescale_factor": 1.0}, "want 1/255"), ({"do_normalize": False}, "mean and std"), ({"do_rescale": False}, "do_rescale"),
            ({"size": {"shortest_edge": 64}}, "want 56 square"), ({"do_center_crop": False}, "want 56 square"), ({"image_mean": None}, "no image_mean"),
        ]:
            self.change("preprocessor_config.json", **fields)
            self.refused(word)
            (self.model / "preprocessor_config.json").write_text(said)
        (self.model / "preprocessor_config.json").unlink()
        self.refused("nothing says how a frame becomes pixels")

    def test_templates_that_are_no_template_here(self):
        said = json.loads((self.model / "chat_template.json").read_text())["chat_template"]
        for template, word in [(said + "{{ '{x}' }}", "braces"), (said.replace("<' + c['type'] + '>", "<s>"), "want one <video>")]:
            self.change("chat_template.json", chat_template=template)
            self.refused(word)

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

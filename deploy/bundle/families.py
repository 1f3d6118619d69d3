"""What differs between model families: where their parts are, and what they do to pixels and tokens.

A family is made of a checkpoint's config and weights, one at a time; the model
itself is built without memory, for its modules' shapes.
"""

import copy

import torch
import transformers
from transformers.modeling_utils import no_init_weights

import graphs
from checkpoint import Refused

LANGUAGES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM"}
TOWERS = ("clip_vision_model", "siglip_vision_model")


def of(checkpoint, weights="f16"):
    """the family of a checkpoint; weights is how a bundle stores them"""
    known = {f.model_type: f for f in (Llava, LlavaNextVideo, VideoLlava, LlavaOnevision)}
    kind = checkpoint.config.model_type
    if kind not in known:
        raise Refused(f"{checkpoint.source}: model_type {kind!r}: this exporter knows {', '.join(known)}")
    return known[kind](checkpoint, weights)


class Llava:
    """CLIP tower, two-layer MLP, Llama-style decoder; one placeholder an image, the projector over all patches."""

    model_type = "llava"
    architecture = "LlavaForConditionalGeneration"
    tower_name = "model.vision_tower"
    media = "image"  # what a frame, or else a clip, is to the processor
    images = "frame"  # a still image is a clip of one frame
    newline = "none"
    pool = None  # a module between tower and projector
    pool_after = None

    def __init__(self, checkpoint, weights):
        self.checkpoint, self.config, self.weights = checkpoint, checkpoint.config, weights
        self.text, self.tower = self.config.text_config, self.config.vision_config
        self.refuse_others()
        checkpoint.rename(self.model_class._checkpoint_conversion_mapping)
        with torch.device("meta"), no_init_weights():
            self.model = self.model_class(self.config)
        self.shapes = {name: tuple(p.shape) for name, p in self.model.named_parameters(remove_duplicate=False)}
        self.preprocessing = Preprocessing(checkpoint, self.tower.image_size)

    @property
    def model_class(self):
        return getattr(transformers, self.architecture)

    def refuse_others(self):
        c, source = self.config, self.checkpoint.source
        if self.tower.model_type not in TOWERS or self.text.model_type not in LANGUAGES:
            raise Refused(f"{source}: {self.tower.model_type} and {self.text.model_type}: want one of {TOWERS} and of {tuple(LANGUAGES)}")
        if not isinstance(c.vision_feature_layer, int):
            raise Refused(f"{source}: vision_feature_layer {c.vision_feature_layer}: several layers are not supported")
        if getattr(self.text, "sliding_window", None) and getattr(self.text, "use_sliding_window", True):
            raise Refused(f"{source}: text_config.sliding_window {self.text.sliding_window}: only full attention is supported")
        if c.vision_feature_select_strategy == "default" and not self.has_cls:
            raise Refused(f"{source}: vision_feature_select_strategy 'default': it drops a tower's first token, and {self.tower.model_type}'s is a patch")

    def weight(self, name):
        """one of the model's, as f32, rounded as the bundle stores it"""
        w = self.stored(name)
        w = w.float() if self.weights == "f32" else w.half().float()
        if not w.isfinite().all():
            raise Refused(f"{self.checkpoint.source}: weight {name} has a value that {self.weights} cannot hold: export with --weights f32, if it is a number at all")
        return w

    def stored(self, name):
        """one of the model's, as the checkpoint has it"""
        shape = self.shapes[name]
        if name == "lm_head.weight" and not self.checkpoint.has(name) and self.text.tie_word_embeddings:
            name = "model.language_model.embed_tokens.weight"
        w = self.checkpoint.tensor(name)
        if tuple(w.shape) != shape:
            raise Refused(f"{self.checkpoint.source}: weight {name} is {list(w.shape)}, and config.json makes it {list(shape)}")
        return w

    @property
    def parameters(self):
        return sum(p.numel() for p in self.model.parameters())

    # The tower.

    @property
    def layers(self):
        """layers of the tower that run: hidden_states[i] is the output of i layers"""
        i = self.config.vision_feature_layer
        return i if i >= 0 else self.tower.num_hidden_layers + 1 + i

    @property
    def has_cls(self):
        return self.tower.model_type == "clip_vision_model"

    @property
    def keeps_cls(self):
        return self.has_cls and self.config.vision_feature_select_strategy == "full"

    @property
    def side(self):
        return self.tower.image_size // self.tower.patch_size

    @property
    def grid(self):
        return [self.side, self.side]

    @property
    def extra_leading(self):
        return int(self.keeps_cls)

    @property
    def tokens(self):
        """P, of one frame in the prompt"""
        return self.extra_leading + self.grid[0] * self.grid[1]

    @property
    def fixed_frames(self):
        return None

    @property
    def vision_width(self):
        return self.tower.hidden_size

    @property
    def image(self):
        return self.preprocessing.image

    def vision(self):
        p = self.preprocessing
        tower = self.model.get_submodule(self.tower_name).vision_model
        return graphs.Vision(tower, self.layers, self.keeps_cls, p.mean, p.std, self.pool)

    def vision_weight(self, name):
        """name of graphs.Vision"""
        part, _, rest = name.partition(".")
        if part == "pool":
            return self.weight(f"model.vision_resampler.{name}")
        at = {
            "patches": f"embeddings.patch_embedding.{rest}", "places": f"embeddings.position_embedding.{rest}",
            "cls": "embeddings.class_embedding", "norm": f"pre_layrnorm.{rest}", "layers": f"encoder.{name}",
        }
        return self.weight(f"{self.tower_name}.vision_model.{at[part]}")

    # The projector.

    def projector(self):
        return graphs.Projector(self.model.model.multi_modal_projector)

    def projector_weight(self, name):
        return self.weight(name.replace("mlp.", "model.multi_modal_projector."))

    # The language model.

    @property
    def width(self):
        return self.text.hidden_size

    @property
    def context(self):
        """positions that the loaded model is for: those it was trained on, as far as its RoPE is stretched"""
        scaling, trained = self.scaling, self.text.max_position_embeddings
        if scaling["rope_type"] == "yarn":
            trained = scaling.get("original_max_position_embeddings", trained)
        return int(trained * scaling["factor"]) if scaling["rope_type"] in ("linear", "yarn") else trained

    @property
    def head_dim(self):
        return getattr(self.text, "head_dim", None) or self.width // self.text.num_attention_heads

    @property
    def cache_shape(self):
        return self.text.num_hidden_layers, self.text.num_key_value_heads, self.head_dim

    @property
    def scaling(self):
        """how RoPE is stretched: rope_type, factor and what else the config says"""
        said = self.text.rope_scaling or {}
        kind = said.get("rope_type", said.get("type", "default"))
        if kind not in ("default", "linear", "llama3", "yarn"):
            raise Refused(f"{self.checkpoint.source}: rope_type {kind}: its frequencies change with the prompt's length, which one graph cannot hold")
        return {"factor": 1.0} | said | {"rope_type": kind}

    @property
    def rope(self):
        return {"theta": self.text.rope_theta, "type": self.scaling["rope_type"], "factor": self.scaling["factor"]}

    def decoder(self):
        lm = self.model.model.language_model
        rotary = type(lm.rotary_emb)(config=self.text)  # the skeleton's has no values
        return graphs.Decoder(lm, self.model.lm_head, self.text, rotary.inv_freq, rotary.attention_scaling)

    def decoder_weight(self, name):
        """name of graphs.Decoder"""
        return self.weight("lm_head.weight" if name == "head.weight" else f"model.language_model.{name}")

    def embeddings(self):
        """what embed_tokens.safetensors holds"""
        held = {"embed_tokens": self.weight("model.language_model.embed_tokens.weight")}
        if self.newline != "none":
            held["newline"] = self.weight("model.image_newline")[None]
        return {n: (w if self.weights == "f32" else w.half()).contiguous() for n, w in held.items()}

    def eos(self, tokenizer):
        ids = self.checkpoint.generation().eos_token_id
        ids = self.text.eos_token_id if ids is None else ids
        ids = tokenizer.eos_token_id if ids is None else ids
        return ids if isinstance(ids, list) else [ids]

    @property
    def placeholder(self):
        """id of the token that stands for a visual row in transformers' prompts"""
        return self.config.image_token_id if self.media == "image" else self.config.video_token_id

    @property
    def dims(self):
        t, v = self.text, self.tower
        return {
            "vision": {
                "tokens": self.side**2 + int(self.has_cls), "patch": 3 * v.patch_size**2, "layers": self.layers,
                "hidden": v.hidden_size, "intermediate": v.intermediate_size,
            },
            "projector": [v.hidden_size, t.hidden_size, t.hidden_size],
            "language": {
                "layers": t.num_hidden_layers, "hidden": t.hidden_size, "intermediate": t.intermediate_size,
                "heads": t.num_attention_heads, "kv_heads": t.num_key_value_heads, "head_dim": self.head_dim,
                "vocab": t.vocab_size,
            },
        }

    @property
    def language_class(self):
        return LANGUAGES[self.text.model_type]

    def language_config(self):
        """of the language model on its own"""
        config = copy.deepcopy(self.text)
        config.architectures, config.tie_word_embeddings = [self.language_class], False
        config.torch_dtype = self.stored("model.language_model.embed_tokens.weight").dtype
        return config


class LlavaNextVideo(Llava):
    """As Llava, but a clip is one run of rows, each frame's pooled before the projector."""

    model_type = "llava_next_video"
    architecture = "LlavaNextVideoForConditionalGeneration"
    media = "video"
    images = "unsupported"  # the model reads them in tiles

    def refuse_others(self):
        super().refuse_others()
        if self.keeps_cls:
            raise Refused(f"{self.checkpoint.source}: vision_feature_select_strategy 'full': the pooling takes patches alone")

    @property
    def pool(self):
        return self.model.model.vision_resampler.pool

    @property
    def grid(self):
        with torch.device("meta"):
            pooled = self.pool(torch.empty(1, self.vision_width, self.side, self.side))
        if pooled.shape[1] != self.vision_width:
            raise Refused(f"{self.checkpoint.source}: pooling to {pooled.shape[1]} channels: the projector reads {self.vision_width}")
        return list(pooled.shape[2:])


class VideoLlava(Llava):
    """A tower of its own for clips, whose CLS row is kept whatever the config selects of images."""

    model_type = "video_llava"
    architecture = "VideoLlavaForConditionalGeneration"
    tower_name = "model.video_tower"
    media = "video"
    images = "unsupported"  # the model has another tower for them
    keeps_cls = True

    @property
    def fixed_frames(self):
        frames, rest = divmod(self.config.video_seq_length, self.tokens)
        if rest or not frames:
            raise Refused(f"{self.checkpoint.source}: video_seq_length {self.config.video_seq_length}: no multiple of {self.tokens} tokens a frame")
        return frames


class LlavaOnevision(Llava):
    """SigLIP and Qwen2; pools each frame after the projector, and ends a clip with one newline row."""

    model_type = "llava_onevision"
    architecture = "LlavaOnevisionForConditionalGeneration"
    media = "video"
    images = "unsupported"  # the model reads them in tiles
    newline = "end"

    @property
    def mixing(self):
        """[P,P']: what the model's own pooling makes of each projected row alone"""
        return self.model.model.apply_pooling(torch.eye(self.side**2)[None])[0].contiguous()

    @property
    def grid(self):
        side = round(len(self.mixing) ** 0.5)
        return [side, side]

    @property
    def pool_after(self):
        mixing = self.mixing
        if (mixing != 0).sum(1).max() > 4:
            raise Refused(f"{self.checkpoint.source}: its pooling mixes more than four rows")
        weight, src = mixing.topk(4, dim=1)
        return {"from": mixing.shape[1], "src": src.tolist(), "weight": weight.tolist()}


class Preprocessing:
    """How a frame becomes pixels, as the checkpoint's processor says."""

    FILES = ("video_preprocessor_config.json", "video_processor/preprocessor_config.json", "preprocessor_config.json")
    BICUBIC = 3

    def __init__(self, checkpoint, side):
        self.said, name = checkpoint.json(*self.FILES)
        self.where, self.side = f"{checkpoint.source}: {name}", side
        if not self.said:
            raise Refused(f"{checkpoint.source}: none of {', '.join(self.FILES)}: nothing says how a frame becomes pixels")
        if self.want("resample") != self.BICUBIC or not self.want("do_resize"):
            raise Refused(f"{self.where}: resample {self.said.get('resample')}: want {self.BICUBIC}, bicubic")
        if not self.said.get("do_rescale", True):
            raise Refused(f"{self.where}: do_rescale {self.said['do_rescale']}: want it, by 1/255")
        if abs(self.want("rescale_factor") - 1 / 255) > 1e-9 or not self.want("do_normalize"):
            raise Refused(f"{self.where}: rescale_factor {self.said['rescale_factor']}: want 1/255, then mean and std")
        self.mean, self.std = self.want("image_mean"), self.want("image_std")

    def want(self, field):
        if self.said.get(field) is None:
            raise Refused(f"{self.where}: no {field}")
        return self.said[field]

    @property
    def image(self):
        return {"size": self.side, "resize": self.resize(), "mean": self.mean, "std": self.std}

    def resize(self):
        size, crop = self.want("size"), self.said.get("crop_size") or {}
        square = {"height": self.side, "width": self.side}
        if size == square and not self.said.get("do_center_crop"):
            return "squash"
        if size == {"shortest_edge": self.side} and self.said.get("do_center_crop") and crop == square:
            return "shortest_crop"
        raise Refused(f"{self.where}: size {size}, crop {crop}: want {self.side} square, or shortest edge {self.side} and a crop")

"""What differs between model families: where their parts are, and what they do to pixels and tokens."""

import torch
from transformers import CLIPImageProcessor, LlavaForConditionalGeneration

import graphs


def of(config):
    """the class that exports checkpoints of config's family"""
    known = {"llava": Llava}
    if config.model_type not in known:
        raise SystemExit(f"model_type {config.model_type!r}: this exporter knows {', '.join(known)}")
    return known[config.model_type]


class Llava:
    """CLIP tower, two-layer MLP, Llama-style decoder; one placeholder an image, the projector over all patches."""

    def __init__(self, source, config):
        self.config, self.text, self.tower = config, config.text_config, config.vision_config
        self.refuse_others()
        model = LlavaForConditionalGeneration.from_pretrained(source, torch_dtype=torch.float32, attn_implementation="eager")
        self.model = rounded(model.eval())
        self.preprocessing = CLIPImageProcessor.from_pretrained(source)

    def refuse_others(self):
        if self.tower.model_type != "clip_vision_model" or self.text.model_type != "llama":
            raise SystemExit(f"llava with {self.tower.model_type} and {self.text.model_type}: want clip_vision_model and llama")
        if not isinstance(self.config.vision_feature_layer, int):
            raise SystemExit(f"vision_feature_layer {self.config.vision_feature_layer}: several layers are not supported")

    @property
    def layers(self):
        """layers of the tower that run: hidden_states[i] is the output of i layers"""
        i = self.config.vision_feature_layer
        return i if i >= 0 else self.tower.num_hidden_layers + 1 + i

    @property
    def keeps_cls(self):
        return self.config.vision_feature_select_strategy == "full"

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
    def vision_width(self):
        return self.tower.hidden_size

    @property
    def width(self):
        return self.text.hidden_size

    @property
    def context(self):
        return self.text.max_position_embeddings

    @property
    def head_dim(self):
        return getattr(self.text, "head_dim", None) or self.width // self.text.num_attention_heads

    @property
    def cache_shape(self):
        return self.text.num_hidden_layers, self.text.num_key_value_heads, self.head_dim

    @property
    def image(self):
        p = self.preprocessing
        crops = p.do_resize and p.do_center_crop and "shortest_edge" in p.size
        if not crops or p.size["shortest_edge"] != self.tower.image_size:
            raise SystemExit(f"preprocessing {p.size}, centre crop {p.do_center_crop}: want shortest edge {self.tower.image_size} and a crop")
        return {"size": self.tower.image_size, "resize": "shortest_crop", "mean": p.image_mean, "std": p.image_std}

    @property
    def rotary(self):
        return self.model.model.language_model.rotary_emb

    @property
    def rope(self):
        scaling = self.text.rope_scaling or {}
        kind = scaling.get("rope_type", "default")
        if kind not in ("default", "linear", "llama3", "yarn"):
            raise SystemExit(f"rope_type {kind}: its frequencies change with the prompt's length, which one graph cannot hold")
        return {"theta": self.text.rope_theta, "type": kind, "factor": scaling.get("factor", 1.0)}

    @property
    def dims(self):
        t, v = self.text, self.tower
        return {
            "vision": {
                "tokens": self.side**2 + 1, "patch": 3 * v.patch_size**2, "layers": self.layers,
                "hidden": v.hidden_size, "intermediate": v.intermediate_size,
            },
            "projector": [v.hidden_size, t.hidden_size, t.hidden_size],
            "language": {
                "layers": t.num_hidden_layers, "hidden": t.hidden_size, "intermediate": t.intermediate_size,
                "heads": t.num_attention_heads, "kv_heads": t.num_key_value_heads, "head_dim": self.head_dim,
                "vocab": t.vocab_size,
            },
        }

    def eos(self, tokenizer):
        ids = self.model.generation_config.eos_token_id
        ids = tokenizer.eos_token_id if ids is None else ids
        return ids if isinstance(ids, list) else [ids]

    def vision(self):
        p = self.preprocessing
        tower = self.model.model.vision_tower.vision_model
        return graphs.Vision(tower, self.layers, self.keeps_cls, p.image_mean, p.image_std)

    def projector(self):
        return graphs.Projector(self.model.model.multi_modal_projector)

    def decoder(self):
        r = self.rotary
        return graphs.Decoder(self.model.model.language_model, self.model.lm_head, self.text, r.inv_freq, r.attention_scaling)

    def embeddings(self):
        return self.model.model.language_model.embed_tokens.weight.detach().half()

    # What transformers itself computes, for check.py.

    def reference_tokens(self, pixels):
        """u8 [B,H,W,3] -> [B,P,D]"""
        p = self.preprocessing
        x = (pixels.permute(0, 3, 1, 2).float() / 255 - column(p.image_mean)) / column(p.image_std)
        x = self.model.model.vision_tower(x, output_hidden_states=True).hidden_states[self.config.vision_feature_layer]
        return x if self.keeps_cls else x[:, 1:]

    def reference_rows(self, tokens):
        return self.model.model.multi_modal_projector(tokens)

    def reference_logits(self, rows):
        """[1,L,E] -> logits of the last position [V]"""
        hidden = self.model.model.language_model(inputs_embeds=rows).last_hidden_state
        return self.model.lm_head(hidden[0, -1])


def column(values):
    return torch.tensor(values).view(1, 3, 1, 1)


def rounded(model):
    """the model with its weights as f16 holds them"""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half().float())
    return model

"""What `transformers` itself computes, with the weights that a bundle stores."""

import torch

import rediprune
from onnxfile import BLOCK, blocks


class Reference:
    """The checkpoint's own class in f32. The projector reads its tokens rounded to f16, as a bundle keeps them."""

    def __init__(self, family):
        self.family, self.tokenizer = family, family.checkpoint.tokenizer()
        model = family.model_class.from_pretrained(
            family.checkpoint.folder, torch_dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self.model = {"f32": lambda m: m, "f16": rounded, "int8": quantised}[family.weights](model)
        self.projector.register_forward_pre_hook(self.keep_tokens)
        self.projector.register_forward_hook(self.keep_rows)
        self.model.model.language_model.register_forward_pre_hook(self.keep_embeds, with_kwargs=True)
        self.tokens = self.rows = self.embeds = None  # of the last forward

    @property
    def projector(self):
        return self.model.model.multi_modal_projector

    def keep_tokens(self, _, inputs):
        self.tokens = inputs[0].half()
        return (self.tokens.float(),)

    def keep_rows(self, _, inputs, output):
        self.rows = output

    def keep_embeds(self, _, inputs, named):
        self.embeds = named["inputs_embeds"]

    def pixels(self, frames):
        """u8 [T,H,W,3] -> [T,3,H,W], as the processor normalises"""
        p = self.family.preprocessing
        return (frames.permute(0, 3, 1, 2).float() / 255 - column(p.mean)) / column(p.std)

    def see(self, frames, ids):
        """logits [L,V] of a prompt with placeholders; tokens [T,P',D] and embeds [L,E] are kept"""
        x = self.pixels(frames)
        named = {"image": {"pixel_values": x}, "video": {"pixel_values_videos": x[None]}}[self.family.media]
        return self.model(input_ids=ids[None], **named).logits[0]

    def embeddings(self):
        return self.model.get_input_embeddings().weight.detach()

    def project(self, tokens):
        """f16 [M,D] -> [M,E]"""
        return self.projector(tokens.float())

    def logits(self, embeds):
        """[L,E] -> [L,V]"""
        hidden = self.model.model.language_model(inputs_embeds=embeds[None]).last_hidden_state
        return self.model.lm_head(hidden[0])

    def visual(self, ids, frames):
        """which of the T·P rows each position is; -1 of text and of the newline"""
        at, rows, seen = [], frames * self.family.tokens, 0
        for i in ids.tolist():
            is_row = i == self.family.placeholder and seen < rows
            at.append(seen if is_row else -1)
            seen += is_row
        return at

    def selectable(self):
        """[T,P,D]: the last clip's tokens, pooled as the model pools its rows"""
        tokens = self.tokens.float()
        if self.family.pool_after:
            tokens = torch.einsum("ps,tsd->tpd", self.family.mixing, tokens).half().float()
        return tokens

    def select(self, query, keep):
        """the rows of T·P that ReDiPrune keeps of the last clip"""
        return rediprune.select(self.selectable(), query, keep)

    def splice(self, ids, frames, kept):
        """the last prompt's embeddings [L′,E] with these rows alone"""
        chosen = set(kept)
        return self.embeds[0][[row < 0 or row in chosen for row in self.visual(ids, frames)]]

    def greedy(self, embeds, logits, most):
        """(id, logits) of every step, until an end token"""
        ends, table = self.family.eos(self.tokenizer), self.embeddings()
        for step in range(most):
            best = int(logits.argmax())
            yield best, logits
            if best in ends or step + 1 == most:
                return
            embeds = torch.cat([embeds, table[best : best + 1]])
            logits = self.logits(embeds)[-1]

    def expand(self, text, frames):
        """text with each mark repeated as often as the processor does"""
        mark = self.tokenizer.convert_ids_to_tokens(self.family.placeholder)
        per_mark = self.family.tokens if self.family.media == "image" else self.family.tokens * frames
        rows = per_mark + (1 if self.family.newline == "end" else 0)
        return text.replace(mark, mark * rows)


def column(values):
    return torch.tensor(values).view(1, 3, 1, 1)


def rounded(model):
    """the model with its weights as f16 holds them"""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half().float())
    return model


def quantised(model):
    """the model with its decoder's matrices as int8 holds them, and the rest as f16 does; what they are multiplied by is rounded as well"""
    linear = [m for m in (*model.model.language_model.modules(), model.lm_head) if isinstance(m, torch.nn.Linear) and m.in_features % BLOCK == 0]
    held = [restored(m.weight.detach()) for m in linear]
    rounded(model)
    for m, weight in zip(linear, held):
        m.weight = torch.nn.Parameter(weight, requires_grad=False)  # a head that shares the embeddings parts from them here
        m.register_forward_pre_hook(lambda _, inputs: (restored(inputs[0]),))
    return model


def restored(values):
    levels, scale = blocks(values.numpy().reshape(-1, values.shape[-1]))
    return torch.from_numpy((levels * scale).reshape(values.shape))

"""The demo model's shape: a LlavaForConditionalGeneration small enough to train on two cores.

ViT of 4 layers, D = 128, on 96 x 96 pixels in patches of 8; two-layer MLP; Llama of 4 layers, E = 256.
"""

import torch
import transformers as tf

import text
import world

D, E = 128, 256
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(1, 3, 1, 1)  # CLIPImageProcessor's own
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(1, 3, 1, 1)


def normalise(pixels):
    """u8 [B,H,W,3] -> f32 [B,3,H,W], as the tower reads them"""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def vision_config():
    return tf.CLIPVisionConfig(
        hidden_size=D, intermediate_size=4 * D, num_hidden_layers=4, num_attention_heads=4,
        image_size=world.SIZE, patch_size=world.PATCH, hidden_act="quick_gelu", projection_dim=D,
    )


def text_config(vocab):
    return tf.LlamaConfig(
        vocab_size=vocab, hidden_size=E, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=2048, tie_word_embeddings=False, pad_token_id=text.PAD, bos_token_id=text.BOS, eos_token_id=text.EOS,
    )


def build(vocab, image_token):
    config = tf.LlavaConfig(
        vision_config=vision_config(), text_config=text_config(vocab), image_token_index=image_token,
        vision_feature_layer=-1, vision_feature_select_strategy="default", image_seq_length=world.CELLS, projector_hidden_act="gelu",
    )
    config._attn_implementation = "eager"
    return tf.LlavaForConditionalGeneration(config)

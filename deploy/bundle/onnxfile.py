"""Writing a torch module as an ONNX file whose weights are f16 and whose arithmetic is f32."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def write(path, module, inputs, outputs, axes):
    """inputs: name -> example, in the order of forward's arguments; axes: name -> {axis: letter}"""
    module.eval()
    with torch.no_grad():
        torch.onnx.export(
            module, tuple(inputs.values()), str(path), dynamo=False, opset_version=OPSET,
            input_names=list(inputs), output_names=outputs, dynamic_axes=axes,
        )
    model = onnx.load(str(path))
    halve(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def decoder_signature(width, cache):
    """inputs, output names and dynamic axes of a decoder; cache is (layers, Hkv, hd)"""
    layers, heads, hd = cache
    inputs = {
        "inputs_embeds": torch.zeros(2, 3, width),
        "attention_mask": torch.ones(2, 5, dtype=torch.long),
        "position_ids": torch.arange(2, 5).expand(2, 3).clone(),
    }
    axes = {
        "inputs_embeds": {0: "B", 1: "L"}, "attention_mask": {0: "B", 1: "S_plus_L"},
        "position_ids": {0: "B", 1: "L"}, "logits": {0: "B"},
    }
    outputs = ["logits"]
    for i in range(layers):
        for part in "kv":
            inputs[f"past.{i}.{part}"] = torch.zeros(2, heads, 2, hd)
            outputs.append(f"present.{i}.{part}")
            axes[f"past.{i}.{part}"] = {0: "B", 2: "S"}
            axes[f"present.{i}.{part}"] = {0: "B", 2: "S_plus_L"}
    return inputs, outputs, axes


def halve(graph):
    """Stores every f32 initializer that f16 holds exactly as f16, and casts it where it is used.

    Weights were rounded to f16 before, so they all are; constants such as RoPE's
    frequencies are not, and stay.
    """
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        full = numpy_helper.to_array(tensor)
        half = full.astype(np.float16)
        if full.size < 2 or not np.array_equal(half.astype(np.float32), full):
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(half, tensor.name + ".f16"))
        casts.append(helper.make_node("Cast", [tensor.name + ".f16"], [tensor.name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)

"""Writing a torch module as an ONNX file, its weights one at a time.

The graph is traced with weights that take no memory; then the true ones are
read, converted and written one after another. Those of a graph whose weights
exceed `inline` bytes lie beside it in FILE.data, since a protobuf holds at most
2 GB; the graph holds the data's SHA-256, so that its own digest covers it.
"""

import hashlib
import io
import math

import numpy as np
import onnx
import torch
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from tqdm import tqdm

OPSET = 17
INLINE = 1 << 30
ALIGN = 64
BLOCK = 32  # columns that share a scale under int8
INTEGERS = 4  # MatMulNBits' level: integers times integers. With f32 rows it would widen all weights again for every token, 20 times as slow
DTYPES = {"f32": np.float32, "f16": np.float16}


def write(path, module, weight, inputs, outputs, axes, weights="f16", inline=INLINE):
    """weight(name) is a parameter of module, as f32; inputs: name -> example, in the order of forward's
    arguments; axes: name -> {axis: letter}; weights: how they are stored, f32, f16 or int8"""
    shapes = {n: p.shape for n, p in module.named_parameters()}
    count = sum(math.prod(s) for s in shapes.values())
    with Data(path, count * 4 > inline) as data, progress(path, count) as bar:
        model = traced(module, inputs, outputs, axes)
        constants = dict(module.named_buffers())
        Weights(model, shapes, constants, weight, data, weights, bar).fill(set(inputs))
    if data.external:
        model.metadata_props.add(key="data_sha256", value=data.digest())
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path) if data.external else model)


def progress(path, count):
    """a bar that counts a graph's weights, where somebody looks"""
    return tqdm(total=count, desc=path.name, unit="", unit_scale=True, disable=None, leave=False)


def traced(module, inputs, outputs, axes):
    """the graph, with module's parameters and buffers as further inputs"""
    hollow(module)
    out = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            module, tuple(inputs.values()), out, dynamo=False, opset_version=OPSET, export_params=False,
            do_constant_folding=False, input_names=list(inputs), output_names=outputs, dynamic_axes=axes,
            training=torch.onnx.TrainingMode.TRAINING,  # else weights of like shape, all empty, are taken for one
        )
    return onnx.load_from_string(out.getvalue())


def hollow(module):
    """gives every parameter its shape and no memory"""
    for part in module.modules():
        for name, p in list(part.named_parameters(recurse=False)):
            setattr(part, name, torch.nn.Parameter(torch.zeros(()).expand(p.shape), requires_grad=False))


class Data:
    """where large weights go: a file beside the graph"""

    def __init__(self, path, external):
        self.path, self.external = path.with_name(path.name + ".data"), external

    def __enter__(self):
        self.file = open(self.path, "wb") if self.external else None
        return self

    def __exit__(self, *_):
        if self.file:
            self.file.close()

    def put(self, tensor):
        """moves a tensor's bytes to the file"""
        if not self.external:
            return
        self.file.write(b"\0" * (-self.file.tell() % ALIGN))
        external_data_helper.set_external_data(tensor, self.path.name, self.file.tell(), len(tensor.raw_data))
        self.file.write(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL

    def digest(self):
        with open(self.path, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()


class Weights:
    """turns a traced graph's weight inputs into initializers"""

    def __init__(self, model, shapes, constants, weight, data, kind, bar):
        self.graph, self.model = model.graph, model
        self.shapes, self.constants, self.weight, self.data, self.kind, self.bar = shapes, constants, weight, data, kind, bar
        self.readers = {}  # tensor -> the nodes that read it
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.casts = []

    def fill(self, given):
        names = [i.name for i in self.graph.input if i.name not in given]
        kept = [i for i in self.graph.input if i.name in given]
        del self.graph.input[:]
        self.graph.input.extend(kept)
        for name in names:
            if name in self.constants:
                self.add(name, self.constants[name].detach().float().numpy())
            else:
                self.place(name)
                self.bar.update(math.prod(self.shapes[name]))
        nodes = self.casts + list(self.graph.node)
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def place(self, name):
        value = self.weight(name).detach().float().numpy()
        if value.shape != tuple(self.shapes[name]):
            raise ValueError(f"{name} is {value.shape}, want {tuple(self.shapes[name])}")
        multiplied = self.multiplied(name)
        if self.kind == "int8" and multiplied and value.shape[1] % BLOCK == 0:
            self.quantise(name, value, *multiplied)
            return
        if multiplied:
            turn, _ = multiplied
            value = np.ascontiguousarray(value.T)
            self.redirect(turn.output[0], name)
            self.graph.node.remove(turn)
        self.cast(name, value)

    def multiplied(self, name):
        """where a weight is only turned over and multiplied by: (Transpose, MatMul)"""
        readers = self.readers.get(name, [])
        if len(readers) != 1 or readers[0].op_type != "Transpose":
            return None
        users = self.readers.get(readers[0].output[0], [])
        if len(users) != 1 or users[0].op_type != "MatMul":
            return None
        return readers[0], users[0]

    def redirect(self, old, new):
        for node in self.readers.get(old, []):
            for i, name in enumerate(node.input):
                if name == old:
                    node.input[i] = new

    def cast(self, name, value):
        """stored in half precision and computed with in single"""
        if self.kind == "f32":
            self.add(name, value)
            return
        self.add(name + ".f16", value.astype(np.float16))
        self.casts.append(helper.make_node("Cast", [name + ".f16"], [name], to=TensorProto.FLOAT))

    def quantise(self, name, value, turn, product):
        """blocks of 8-bit integers with a scale each, multiplied by rows that ONNX Runtime's MatMulNBits rounds likewise"""
        rows, columns = value.shape
        levels, scale = blocks(value)
        self.add(name + ".q8", (levels + 128).astype(np.uint8))
        self.add(name + ".scale", scale[..., 0])
        at = list(self.graph.node).index(product)
        self.graph.node.insert(at, helper.make_node(
            "MatMulNBits", [product.input[0], name + ".q8", name + ".scale"], list(product.output), domain="com.microsoft",
            K=columns, N=rows, bits=8, block_size=BLOCK, accuracy_level=INTEGERS,
        ))
        self.graph.node.remove(product)
        self.graph.node.remove(turn)
        if all(o.domain != "com.microsoft" for o in self.model.opset_import):
            self.model.opset_import.add(domain="com.microsoft", version=1)

    def add(self, name, value):
        tensor = numpy_helper.from_array(value, name)
        self.data.put(tensor)
        self.graph.initializer.append(tensor)


def blocks(value):
    """f32 [N,K] -> integers of -127 to 127 [N,K/BLOCK,BLOCK], and their scales f32 [N,K/BLOCK,1]"""
    parts = value.reshape(len(value), -1, BLOCK)
    scale = np.abs(parts).max(-1, keepdims=True) / 127
    scale[scale == 0] = 1
    return np.round(parts / scale).astype(np.int16), scale.astype(np.float32)


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

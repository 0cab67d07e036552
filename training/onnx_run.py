"""Runs the ONNX files of this folder in PyTorch, to measure them before the C engine does: float and QDQ graphs."""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Net:
    def __init__(self, path):
        model = onnx.load(path)
        self.nodes = model.graph.node
        self.values = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in model.graph.initializer}
        self.size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
        self.into, self.out = model.graph.input[0].name, model.graph.output[0].name
        live = []
        for n in self.nodes:   # fold what depends on weights only
            if all(i in self.values for i in n.input):
                self.values[n.output[0]] = self.step(n, self.values)
            else:
                live.append(n)
        self.nodes = live

    @staticmethod
    def step(n, v):
        a = {q.name: onnx.helper.get_attribute_value(q) for q in n.attribute}
        x = [v[i] for i in n.input]

        def per_axis(t):
            if t.ndim == 0 or t.numel() == 1:
                return t.reshape(())
            return t.view([-1 if d == a.get('axis', 1) else 1 for d in range(x[0].ndim)])
        if n.op_type == 'Cast':
            return x[0].float()
        if n.op_type == 'Conv':
            p = a['pads']
            return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a['strides'], p[:2], groups=a['group'])
        if n.op_type == 'Add':
            return x[0] + x[1]
        if n.op_type == 'Relu':
            return x[0].relu()
        if n.op_type == 'PRelu':
            return F.prelu(x[0], x[1].flatten())
        if n.op_type == 'MaxPool':
            return F.max_pool2d(x[0], a['kernel_shape'], a['strides'])
        if n.op_type == 'Flatten':
            return x[0].flatten(1)
        if n.op_type == 'Gemm':
            return F.linear(x[0], x[1] if a.get('transB') else x[1].t(), x[2])
        if n.op_type == 'QuantizeLinear':
            lo, hi = (0, 255) if x[2].dtype == torch.uint8 else (-128, 127)
            return (torch.round(x[0] / per_axis(x[1])) + per_axis(x[2]).float()).clamp(lo, hi)
        if n.op_type == 'DequantizeLinear':
            zero = per_axis(x[2]).float() if len(x) > 2 else 0
            return (x[0].float() - zero) * per_axis(x[1])
        raise ValueError(f'operation {n.op_type} is not supported')

    def __call__(self, x):
        v = dict(self.values)
        v[self.into] = x
        for n in self.nodes:
            v[n.output[0]] = self.step(n, v)
        return v[self.out]

#!/usr/bin/env python3
"""Post-training quantisation of an exported network to ONNX QDQ: int8 weights per output channel, 8-bit activations.

    quantise.py vgg16-half.onnx vgg16-half-int8.onnx POOL

- weights: symmetric int8, one scale an output channel (DequantizeLinear, axis 0);
- activations: after each ReLU uint8 with zero point 0, at the clip that loses least squared error on the
  calibration faces; the input int8 at 1/64, a pixel level a step;
- biases are corrected layer by layer for the mean error that the quantised layers before and the rounded weights cause;
- sums of a residual block, the global convolution and the linear layer stay float: they are 0.1 % of the arithmetic.
Calibrated on 256 composed faces of the pool (faces.py; never on LFW), then the cosine to the float network is printed for 256 others.
"""
import argparse

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

import onnx_run
from distill_embedder import to_input
from faces import Faces, plain
from nets import SCALE


def fake(x, scale, lo, hi):
    return torch.round(x / scale).clamp(lo, hi) * scale


def weight_scales(w):
    """Per output channel, the scale of least squared error among clips at 70..100 % of the largest weight"""
    flat, best, out = w.flatten(1), None, None
    top = flat.abs().amax(1, keepdim=True).clamp(min=1e-8)
    for r in np.linspace(.7, 1, 16):
        s = top * float(r) / 127
        err = (fake(flat, s, -127, 127) - flat).square().sum(1, keepdim=True)
        if best is None:
            best, out = err, s
        else:
            out, best = torch.where(err < best, s, out), torch.minimum(err, best)
    return out.view(-1)


def activation_scale(x):
    top, sample = x.max().item(), x.flatten()[::13]      # no divisor of a map's side: all columns are in it
    clips = [top * r for r in np.geomspace(.25, 1, 40)]
    return min((c / 255 for c in clips), key=lambda s: (fake(sample, s, 0, 255) - sample).square().mean().item())


class Writer:
    """The quantised graph, and beside it two computations on the calibration faces: exact, and as the quantised graph rounds"""

    def __init__(self, net, faces):
        self.net, self.nodes, self.initializers = net, [], []
        self.exact, self.rounded, self.names, self.scales = {net.into: faces}, {}, {}, {}
        self.round(net.into, net.into, 'input_dq', SCALE, signed=True)

    def put(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def half(self, name, array):
        self.put(name + '_f16', array.numpy().astype(np.float16))
        self.nodes.append(helper.make_node('Cast', [name + '_f16'], [name], to=TensorProto.FLOAT))
        return name

    def round(self, value, x, tag, scale, signed=False):
        """Rounds the value, called x in the new graph, where it is called tag from here on"""
        s, z = self.put(tag + '_scale', np.float32(scale)), self.put(tag + '_zero', np.int8(0) if signed else np.uint8(0))
        self.nodes.append(helper.make_node('QuantizeLinear', [x, s, z], [tag + '_q']))
        self.nodes.append(helper.make_node('DequantizeLinear', [tag + '_q', s, z], [tag]))
        limits = (-128, 127) if signed else (0, 255)
        self.rounded[value] = fake(self.rounded.get(value, self.exact[value]), scale, *limits)
        self.names[value], self.scales[value] = tag, scale

    def conv(self, node):
        x, out = node.input[0], node.output[0]
        w, b = (self.net.values[i].float() for i in node.input[1:3])
        a = {q.name: helper.get_attribute_value(q) for q in node.attribute}
        run = lambda v, w: F.conv2d(v, w, b, a['strides'], a['pads'][:2])
        ws = weight_scales(w)
        wq = torch.round(w / ws.view(-1, 1, 1, 1)).clamp(-127, 127)
        self.exact[out], self.rounded[out] = run(self.exact[x], w), run(self.rounded[x], wq * ws.view(-1, 1, 1, 1))
        shift = (self.exact[out] - self.rounded[out]).mean((0, 2, 3))
        self.rounded[out] += shift.view(-1, 1, 1)
        self.nodes.append(helper.make_node('DequantizeLinear', [self.put(out + '_wq', wq.numpy().astype(np.int8)), self.put(out + '_ws', ws.numpy()),
                                                                self.put(out + '_wz', np.zeros(len(ws), np.int8))], [out + '_w'], axis=0))
        self.copy(node, [self.names[x], out + '_w', self.half(out + '_b', b + shift)])

    def copy(self, node, inputs):
        made = onnx.NodeProto()
        made.CopyFrom(node)
        made.input[:] = inputs
        self.nodes.append(made)
        self.names[node.output[0]] = node.output[0]

    def plain(self, node):
        """A node that stays as it is, in floats"""
        for side in (self.exact, self.rounded):
            side[node.output[0]] = self.net.step(node, {**self.net.values, **side})
        self.copy(node, [self.half(i, self.net.values[i].float()) if i in self.net.values else self.names[i] for i in node.input])

    def node(self, node):
        x, out = node.input[0], node.output[0]
        if node.op_type == 'Conv' and self.net.values[node.input[1]].shape[1] > 1:
            return self.conv(node)
        self.plain(node)
        if node.op_type == 'Relu':
            self.round(out, out, out + '_dq', activation_scale(self.rounded[out]))
        elif node.op_type == 'MaxPool':
            self.round(out, out, out + '_dq', self.scales[x])

    def write(self, model, name):
        last_read = {i: k for k, n in enumerate(self.net.nodes) for i in n.input}
        for k, node in enumerate(self.net.nodes):
            self.node(node)
            for i in [i for i, at in last_read.items() if at == k]:     # 256 faces: the first layers take much room
                self.exact.pop(i, None), self.rounded.pop(i, None)
        first = lambda n: n.op_type == 'Cast' or (n.op_type == 'DequantizeLinear' and n.output[0].endswith('_w'))
        self.nodes.sort(key=lambda n: not first(n))
        g = helper.make_graph(self.nodes, name, model.graph.input, model.graph.output, self.initializers, model.graph.doc_string)
        out = helper.make_model(g, producer_name='facegate', opset_imports=[helper.make_opsetid('', 13)])
        out.ir_version = 7
        onnx.checker.check_model(out, full_check=True)
        return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('float_net'), p.add_argument('out'), p.add_argument('pool')
    p.add_argument('--faces', type=int, default=256)
    a = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model, net, faces = onnx.load(a.float_net), onnx_run.Net(a.float_net), Faces(a.pool, 'cpu')
    with torch.no_grad():
        batch = lambda: to_input(plain(faces.next(a.faces).round(), net.size).round())
        onnx.save(Writer(net, batch()).write(model, model.graph.name + '-int8'), a.out)
        quantised = onnx_run.Net(a.out)
        cos = torch.cat([F.cosine_similarity(net(q), quantised(q)) for q in batch().split(64)])
    print(f'cosine int8 to float: median {cos.median():.4f}, 1st percentile {cos.sort()[0][len(cos) // 100]:.4f}')


if __name__ == '__main__':
    main()

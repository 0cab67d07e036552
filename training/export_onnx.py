#!/usr/bin/env python3
"""Write a network of a checkpoint as ONNX: opset 13; Conv, Relu, Add, MaxPool, Flatten and Gemm; BatchNorm folded; weights stored as
FLOAT16 initializers, each widened by a Cast (so any ONNX runtime reads it, and a loader may fold it).

    export_onnx.py CHECKPOINT vgg16 OUT.onnx
"""
import argparse

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import nets


def folded(conv, norm):
    """Weight and bias of a convolution and the BatchNorm behind it, as one convolution's"""
    k = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    w, b = conv.weight.double() * k.view(-1, 1, 1, 1), norm.bias.double() - norm.running_mean.double() * k
    return [v.detach().float().numpy() for v in (w, b)]


class Graph:
    def __init__(self):
        self.nodes, self.initializers, self.count = [], [], 0

    def store(self, name, a):
        self.initializers.append(numpy_helper.from_array(a.astype(np.float16), name + '_f16'))
        self.nodes.append(helper.make_node('Cast', [name + '_f16'], [name], to=TensorProto.FLOAT))
        return name

    def add(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, conv, norm, name=None):
        if not name:
            self.count += 1
            name = f'conv{self.count}'
        w, b = folded(conv, norm)
        return self.add('Conv', [x, self.store(name + '_w', w), self.store(name + '_b', b)], name, kernel_shape=w.shape[2:],
                        strides=conv.stride, pads=2 * conv.padding, dilations=[1, 1], group=conv.groups)

    def relu(self, x):
        return self.add('Relu', [x], f'relu{self.count}')

    def block(self, x, block):
        skip = x if isinstance(block.skip, torch.nn.Identity) else self.conv(x, *block.skip)
        y = self.conv(self.relu(self.conv(x, *block.one)), *block.two)
        return self.relu(self.add('Add', [y, skip], f'sum{self.count}'))

    def network(self, net):
        x = 'input'
        for m in net.body:
            if isinstance(m, nets.Block):
                x = self.block(x, m)
            elif isinstance(m, torch.nn.MaxPool2d):
                x = self.add('MaxPool', [x], f'pool{self.count}', kernel_shape=[2, 2], strides=[2, 2])
            elif isinstance(m, torch.nn.ReLU):
                x = self.relu(x)
            else:
                x = self.conv(x, *m)
        x = self.add('Flatten', [self.conv(x, net.head.globe, net.head.norm, 'globe')], 'flat', axis=1)
        line = (self.store('line_' + k, p.detach().numpy()) for k, p in (('w', net.head.line.weight), ('b', net.head.line.bias)))
        self.add('Gemm', [x, *line], 'embedding', transB=1)


def model_of(net, name):
    g = Graph()
    g.network(net)
    g.nodes.sort(key=lambda n: n.op_type != 'Cast')
    graph = helper.make_graph(g.nodes, name, [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, net.size, net.size])],
                              [helper.make_tensor_value_info('embedding', TensorProto.FLOAT, [1, net.head.line.out_features])], g.initializers,
                              f'{name}, {net.size} px, RGB, (x - {nets.MEAN}) * {nets.SCALE}')
    model = helper.make_model(graph, producer_name='facegate', opset_imports=[helper.make_opsetid('', 13)])
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('checkpoint'), p.add_argument('name', choices=nets.NETS), p.add_argument('out')
    a = p.parse_args()
    onnx.save(model_of(nets.load(a.checkpoint, a.name), a.name), a.out)


if __name__ == '__main__':
    main()

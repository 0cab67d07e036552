#!/usr/bin/env python3
"""VGG-16 (convolutions, 112 px) and ResNet-50 (224 px) with random weights, as ONNX: what `facegate bench` is compared on.

    reference_networks.py OUT_DIR

Simonyan and Zisserman 2014, configuration D; He et al. 2015, the 50-layer network, batch norms folded away."""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    def __init__(self, name, size):
        self.name, self.size, self.nodes, self.weights, self.count = name, size, [], [], 0
        self.rng = np.random.RandomState(1)

    def add(self, op, inputs, **attributes):
        self.count += 1
        out = f"{op}{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [out], name=out, **attributes))
        return out

    def conv(self, x, cin, cout, kernel, stride=1, relu=True):
        w = self.rng.randn(cout, cin, kernel, kernel).astype(np.float32) * (2 / (cin * kernel * kernel)) ** 0.5
        name = f"w{self.count}"
        self.weights += [numpy_helper.from_array(w, name), numpy_helper.from_array(np.zeros(cout, np.float32), name + "b")]
        pad = kernel // 2
        x = self.add("Conv", [x, name, name + "b"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        return self.add("Relu", [x]) if relu else x

    def save(self, x, channels, folder):
        x = self.add("Flatten", [self.add("GlobalAveragePool", [x])], axis=1)
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, self.size, self.size])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, channels])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        onnx.checker.check_model(model)
        onnx.save(model, os.path.join(folder, self.name + ".onnx"))


def vgg16(folder):
    g, x, c = Graph("vgg16", 112), "input", 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x, c = g.conv(x, c, width, 3), width
        x = g.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    g.save(x, c, folder)


def resnet50(folder):
    g, c = Graph("resnet50", 224), 64
    x = g.add("MaxPool", [g.conv("input", 3, 64, 7, 2)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(depth):
            stride = 2 if stage and block == 0 else 1
            y = g.conv(g.conv(x, c, width, 1), width, width, 3, stride)
            y = g.conv(y, width, 4 * width, 1, relu=False)
            if block == 0:
                x = g.conv(x, c, 4 * width, 1, stride, relu=False)
            x, c = g.add("Relu", [g.add("Add", [y, x])]), 4 * width
    g.save(x, c, folder)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    vgg16(sys.argv[1])
    resnet50(sys.argv[1])

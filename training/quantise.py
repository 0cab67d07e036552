#!/usr/bin/env python3
"""Post-training quantisation of an exported network to ONNX QDQ: int8 weights per output channel, 8-bit activations.

    quantise.py vgg16-half.onnx vgg16-half-int8.onnx POOL

- weights: symmetric int8, one scale an output channel (DequantizeLinear, axis 0);
- activations: after each ReLU uint8 with zero point 0, at the clip that loses least squared error on the
  calibration faces; the input int8 at 1/64, a pixel level a step;
- biases are corrected layer by layer for the mean error that the quantised layers before and the rounded weights cause;
- the global convolution and the linear layer stay float: they are 0.1 % of the arithmetic.
Calibrated on 256 faces of the pool (never on LFW), then the cosine to the float network is printed for 256 others.
"""
import argparse

import cv2
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

import onnx_run
from export_onnx import pool_chips
from vgg16 import MEAN, SCALE


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
    top, sample = x.max().item(), x.flatten()[::7]
    clips = [top * r for r in np.geomspace(.25, 1, 40)]
    return min((c / 255 for c in clips), key=lambda s: (fake(sample, s, 0, 255) - sample).square().mean().item())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('float_net'), p.add_argument('out'), p.add_argument('pool')
    p.add_argument('--faces', type=int, default=256)
    a = p.parse_args()
    torch.set_num_threads(1)
    model, ref = onnx.load(a.float_net), onnx_run.Net(a.float_net)
    size = ref.size

    def batch(n, seed):
        m = np.array([[size / 128, 0, 0], [0, size / 128, 0]])
        x = np.stack([cv2.warpAffine(c, m, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                      for c in pool_chips(a.pool, n, seed)])
        return (torch.from_numpy(x).permute(0, 3, 1, 2).float() - MEAN) * SCALE
    nodes, inits, n = [], [], 0

    def put(name, array):
        inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def half(name, array):
        put(name + '_f16', array.numpy().astype(np.float16))
        nodes.append(helper.make_node('Cast', [name + '_f16'], [name], to=TensorProto.FLOAT))
        return name

    def qdq(x, scale, signed, tag):
        s, z = put(tag + '_scale', np.float32(scale)), put(tag + '_zero', np.int8(0) if signed else np.uint8(0))
        nodes.append(helper.make_node('QuantizeLinear', [x, s, z], [tag + '_q']))
        nodes.append(helper.make_node('DequantizeLinear', [tag + '_q', s, z], [tag]))
        return tag
    with torch.no_grad():
        exact = batch(a.faces, 1)
        rounded, name, scale = fake(exact, 1 / 64, -128, 127), None, 1 / 64
        name = qdq('input', scale, True, 'input_dq')
        for node in ref.nodes:
            if node.op_type == 'Conv' and ref.values[node.input[1]].shape[1] > 1:
                n += 1
                w, b = (ref.values[i].float() for i in node.input[1:3])
                groups = exact.shape[1] // w.shape[1]
                ws = weight_scales(w)
                wq = torch.round(w / ws.view(-1, 1, 1, 1)).clamp(-127, 127)
                exact = F.conv2d(exact, w, b, padding=1, groups=groups)
                out = F.conv2d(rounded, wq * ws.view(-1, 1, 1, 1), b, padding=1, groups=groups)
                b = b + (exact - out).mean((0, 2, 3))
                rounded = F.conv2d(rounded, wq * ws.view(-1, 1, 1, 1), b, padding=1, groups=groups)
                t = f'conv{n}'
                nodes.append(helper.make_node('DequantizeLinear', [put(t + '_wq', wq.numpy().astype(np.int8)), put(t + '_ws', ws.numpy()),
                                                                   put(t + '_wz', np.zeros(len(ws), np.int8))], [t + '_w'], axis=0))
                nodes.append(helper.make_node('Conv', [name, t + '_w', half(t + '_b', b)], [t], name=t, kernel_shape=[3, 3],
                                              strides=[1, 1], pads=[1, 1, 1, 1], dilations=[1, 1], group=groups))
                name = t
            elif node.op_type == 'Relu':
                exact, rounded = exact.relu(), rounded.relu()
                scale = activation_scale(rounded)
                rounded = fake(rounded, scale, 0, 255)
                nodes.append(helper.make_node('Relu', [name], [f'relu{n}']))
                name = qdq(f'relu{n}', scale, False, f'act{n}')
            elif node.op_type == 'MaxPool':
                exact, rounded = (F.max_pool2d(v, 2, 2) for v in (exact, rounded))
                nodes.append(helper.make_node('MaxPool', [name], [f'pool{n}'], kernel_shape=[2, 2], strides=[2, 2]))
                name = qdq(f'pool{n}', scale, False, f'pooled{n}')
            elif node.op_type == 'Conv':
                w, b = (ref.values[i].float() for i in node.input[1:3])
                nodes.append(helper.make_node('Conv', [name, half('global_w', w), half('global_b', b)], ['global'], name='global',
                                              kernel_shape=list(w.shape[2:]), strides=[1, 1], pads=[0] * 4, dilations=[1, 1], group=len(w)))
                name = 'global'
            elif node.op_type == 'Flatten':
                nodes.append(helper.make_node('Flatten', [name], ['flat'], axis=1))
                name = 'flat'
            else:
                w, b = (ref.values[i].float() for i in node.input[1:3])
                nodes.append(helper.make_node('Gemm', [name, half('fc_w', w), half('fc_b', b)], ['embedding'], name='fc', transB=1))
    nodes.sort(key=lambda q: not (q.op_type == 'Cast' or (q.op_type == 'DequantizeLinear' and q.output[0].endswith('_w'))))
    g = helper.make_graph(nodes, 'vgg16-int8', model.graph.input, model.graph.output, inits, model.graph.doc_string)
    out = helper.make_model(g, producer_name='facegate', opset_imports=[helper.make_opsetid('', 13)])
    out.ir_version = 7
    onnx.checker.check_model(out, full_check=True)
    onnx.save(out, a.out)
    x = batch(256, 2)
    with torch.no_grad():
        cos = torch.cat([F.cosine_similarity(ref(q), quantised(q)) for quantised in [onnx_run.Net(a.out)] for q in x.split(64)])
    print(f'cosine int8 to float: median {cos.median():.4f}, 1st percentile {cos.sort()[0][2]:.4f}')


if __name__ == '__main__':
    main()

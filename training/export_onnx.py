#!/usr/bin/env python3
"""Write a checkpoint as ONNX: opset 13; Conv, Relu, MaxPool, Flatten and Gemm; BatchNorm folded; weights stored as
FLOAT16 initializers, each widened by a Cast (so any ONNX runtime reads it, and a loader may fold it).

    export_onnx.py CHECKPOINT OUT.onnx [--recalibrate POOL]

--recalibrate measures BatchNorm's statistics anew on 2,048 of the pool's chips: the kept weights are an average, the
statistics in the checkpoint were those of other weights.
"""
import argparse
import glob

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import vgg16
from distill_embedder import plain, to_input


def fold(net):
    """[(kind, weight, bias)] in order; kind: conv, pool, global, linear"""
    steps, mods = [], list(net.f)

    def folded(conv, norm):
        k = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).double()
        return (conv.weight.double() * k.view(-1, 1, 1, 1)).float(), (norm.bias.double() - norm.running_mean.double() * k).float()
    for i, m in enumerate(mods):
        if isinstance(m, torch.nn.Conv2d):
            steps.append(('conv', *folded(m, mods[i + 1])))
        elif isinstance(m, torch.nn.MaxPool2d):
            steps.append(('pool', None, None))
    steps.append(('global', *folded(net.gd, net.b)))
    steps.append(('linear', net.fc.weight, net.fc.bias))
    return [(k, None if w is None else w.detach().float().numpy(), None if b is None else b.detach().float().numpy()) for k, w, b in steps]


def graph_of(net, doc):
    """The folded net as a list of nodes and initializers, float16 storage"""
    nodes, inits, x, n, channels = [], [], 'input', 0, 3

    def store(name, a):
        inits.append(numpy_helper.from_array(a.astype(np.float16), name + '_f16'))
        nodes.append(helper.make_node('Cast', [name + '_f16'], [name], to=TensorProto.FLOAT))
        return name
    for kind, w, b in fold(net):
        if kind == 'pool':
            nodes.append(helper.make_node('MaxPool', [x], [f'pool{n}'], kernel_shape=[2, 2], strides=[2, 2]))
            x = f'pool{n}'
        elif kind in ('conv', 'global'):
            n += 1
            k, groups, channels = w.shape[-1], channels // w.shape[1], len(w)
            pad = [1, 1, 1, 1] if kind == 'conv' else [0, 0, 0, 0]
            out = f'conv{n}'
            nodes.append(helper.make_node('Conv', [x, store(out + '_w', w), store(out + '_b', b)], [out], name=out,
                                          kernel_shape=[k, k], strides=[1, 1], pads=pad, dilations=[1, 1], group=groups))
            x = out
            if kind == 'conv':
                nodes.append(helper.make_node('Relu', [x], [f'relu{n}']))
                x = f'relu{n}'
        else:
            nodes.append(helper.make_node('Flatten', [x], ['flat'], axis=1))
            nodes.append(helper.make_node('Gemm', ['flat', store('fc_w', w), store('fc_b', b)], ['embedding'], name='fc', transB=1))
    nodes.sort(key=lambda q: q.op_type != 'Cast')
    s = net.size
    graph = helper.make_graph(nodes, 'vgg16', [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, s, s])],
                              [helper.make_tensor_value_info('embedding', TensorProto.FLOAT, [1, net.fc.out_features])], inits, doc)
    model = helper.make_model(graph, producer_name='facegate', opset_imports=[helper.make_opsetid('', 13)])
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model


def pool_chips(pool, count, seed=0):
    """A reproducible choice of the pool's own chips"""
    files = sorted(f for f in glob.glob(pool + '/chips*.npy') if f.count('.') == pool.count('.') + 1)
    chips = [np.load(f, mmap_mode='r') for f in files]
    rng = np.random.RandomState(seed)
    for _ in range(count):
        c = chips[rng.randint(len(chips))]
        yield np.asarray(c[rng.randint(len(c))])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('checkpoint'), p.add_argument('out')
    p.add_argument('--recalibrate', metavar='POOL')
    a = p.parse_args()
    torch.set_num_threads(1)
    net = vgg16.load(a.checkpoint)
    if a.recalibrate:
        chips = list(pool_chips(a.recalibrate, 2048))
        vgg16.recalibrate(net, (to_input([plain(c, net.size) for c in chips[k:k + 64]], 'cpu') for k in range(0, len(chips), 64)))
    onnx.save(graph_of(net, f'VGG-16, {net.size} px, RGB, (x - 127.5) / 64'), a.out)


if __name__ == '__main__':
    main()

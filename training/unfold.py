#!/usr/bin/env python3
"""The weights that ship as something to train on: an exported file's convolutions with BatchNorm set back in.

    unfold.py ../models/vgg16-half.onnx POOL start.pt

Export folds BatchNorm into the convolutions. Here each gets one again, whose mean and deviation are those measured on the pool's
chips and whose scale and shift undo them, so that the network computes what it did; kernels are set to one size, since a
convolution before BatchNorm has none of its own.
"""
import argparse

import torch

import onnx_run
from distill_embedder import plain, to_input
from export_onnx import pool_chips
from vgg16 import VGG16


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('onnx'), p.add_argument('pool'), p.add_argument('out')
    a = p.parse_args()
    torch.set_num_threads(1)
    old = onnx_run.Net(a.onnx)
    convs = [n for n in old.nodes if n.op_type == 'Conv']
    weight = lambda n, i: old.values[n.input[i]].float()
    channels = weight(convs[0], 1).shape[0]
    net = VGG16(channels / 64, weight(old.nodes[-1], 1).shape[0], old.size, channels // weight(convs[1], 1).shape[1])
    mods = list(net.f) + [net.gd, net.b]
    pairs = [(m, mods[i + 1]) for i, m in enumerate(mods) if isinstance(m, torch.nn.Conv2d)]
    x = to_input([plain(c, old.size) for c in pool_chips(a.pool, 1024)], 'cpu')
    values = dict(old.values, **{old.into: x})
    with torch.no_grad():
        for n in old.nodes:
            y = values[n.output[0]] = old.step(n, values)
            if n.op_type != 'Conv':
                continue
            (conv, norm), w, b = pairs[convs.index(n)], weight(n, 1), weight(n, 2)
            size = (2 / w[0].numel()) ** .5 / w.flatten(1).square().mean(1).sqrt().clamp(min=1e-8)
            raw = (y - b.view(1, -1, 1, 1)) * size.view(1, -1, 1, 1)
            mean, var = raw.mean((0, 2, 3)), raw.var((0, 2, 3))
            conv.weight.copy_(w * size.view(-1, 1, 1, 1))
            norm.running_mean.copy_(mean), norm.running_var.copy_(var)
            norm.weight.copy_((var + norm.eps).sqrt() / size), norm.bias.copy_(b + mean / size)
        net.fc.weight.copy_(weight(old.nodes[-1], 1)), net.fc.bias.copy_(weight(old.nodes[-1], 2))
        cos = torch.nn.functional.cosine_similarity(net.eval()(x[:64]), values[old.out][:64])
    print(f'cosine to the file: at least {cos.min():.5f}')
    torch.save(net.state_dict(), a.out)


if __name__ == '__main__':
    main()

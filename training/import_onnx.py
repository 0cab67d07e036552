#!/usr/bin/env python3
"""Make a checkpoint that distill_embedder.py goes on from of an exported VGG16, float or int8: the way back of export_onnx.py.

    import_onnx.py ../models/vgg16.onnx vgg16 POOL CHECKPOINT

The file's BatchNorms are folded into its convolutions. They are put back: their means and variances are measured on faces of
POOL, their weights chosen so that the network gives what the file gives.
"""
import argparse
import os

import torch

import nets
import onnx_run
from distill_embedder import save, to_input
from faces import Faces, plain

FACES = 128
STEPS = 2000     # as many updates as make the weights' average a slow one: it is not given up for what the first few bring


def fill(conv, norm, weight, bias, x):
    """Weight and bias of the folded convolution -> both layers; returns what they give for x"""
    gain = weight.flatten(1).norm(dim=1) / 2 ** .5     # the size of fresh weights, for which the rates of learning are meant
    conv.weight.copy_(weight / gain.view(-1, 1, 1, 1))
    z = conv(x)
    var, mean = torch.var_mean(z, (0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean), norm.running_var.copy_(var)
    norm.weight.copy_(gain * (var + norm.eps).sqrt()), norm.bias.copy_(bias + gain * mean)
    return norm(z)


@torch.no_grad()
def unfolded(graph, name, x):
    net = nets.NETS[name](graph.size).eval()
    stored = [[graph.values[i].float() for i in n.input[1:3]] for n in graph.nodes if n.op_type in ('Conv', 'Gemm')]
    convs = [m for m in net.body if isinstance(m, torch.nn.Sequential)]
    wanted = [c.weight.shape for c in [m[0] for m in convs] + [net.head.globe, net.head.line]]
    if [w.shape for w, _ in stored] != wanted:
        raise SystemExit(f'the file is not a {name}')
    stored = iter(stored)
    for m in net.body:
        x = fill(*m, *next(stored), x) if m in convs else m(x)
    fill(net.head.globe, net.head.norm, *next(stored), x)
    for mine, theirs in zip((net.head.line.weight, net.head.line.bias), next(stored)):
        mine.copy_(theirs)
    return net


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('file'), p.add_argument('name', choices=[n for n in nets.NETS if n.startswith('vgg16')])
    p.add_argument('pool'), p.add_argument('checkpoint')
    a = p.parse_args()
    if os.path.exists(a.checkpoint):
        raise SystemExit(f'{a.checkpoint} is there already: choose another name')
    graph = onnx_run.Net(a.file)
    torch.manual_seed(1)
    net = unfolded(graph, a.name, to_input(plain(Faces(a.pool, 'cpu').next(FACES), graph.size)))
    state = dict(live=net.state_dict(), average=net.state_dict(), optimizer=dict(m=[], v=[], steps=STEPS))
    save(a.checkpoint, dict(size=graph.size, spent=0., seen=0, nets={a.name: state}))


if __name__ == '__main__':
    main()

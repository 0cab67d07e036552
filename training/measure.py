#!/usr/bin/env python3
"""Accuracy of embedders on LFW's pairs, from chips made by chips.py --set lfw. For measuring only: nothing is trained or
chosen on these pictures. `facegate eval lfw` is the measurement that counts; this one needs no build.

    measure.py ../shared/data/lfw-dev/pairs.txt lfw MODEL... [--flip]

lfw is the prefix that chips.py wrote (lfw.npy, lfw.names). MODEL is an ONNX file (.onnx, run by onnx_run.py) or
an OpenVINO IR without suffix.
Prints accuracy (mean and deviation over the folds, the threshold of each chosen on the others) and TAR at FAR 1 % and 0.1 %.
"""
import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F

import onnx_run
import teacher
from distill_embedder import to_input
from faces import plain


def pairs(path):
    """Yields (file, file, same) and the number of folds"""
    lines = [q.split() for q in open(path).read().splitlines()]
    folds = int(lines[0][0])
    name = lambda n, i: f'{n}_{int(i):04d}.jpg'
    return [(name(q[0], q[1]), name(q[0], q[2]), True) if len(q) == 3 else (name(q[0], q[1]), name(q[2], q[3]), False)
            for q in lines[1:] if len(q) >= 3], folds


def net_of(path):
    """A function from 128 px chips to unit embeddings"""
    if os.path.exists(path + '.xml'):
        ir = teacher.IR(path)

        def embed(x):
            x = torch.from_numpy(np.ascontiguousarray(x[..., ::-1])).permute(0, 3, 1, 2).float()
            return F.normalize(ir(x).float())
        return embed
    net = onnx_run.Net(path)
    return lambda x: F.normalize(net(to_input(plain(torch.from_numpy(x).permute(0, 3, 1, 2).float(), net.size).round())).float())


def embeddings(path, chips, flip, bf16=False):
    embed, out = net_of(path), []
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16, enabled=bf16):
        for k in range(0, len(chips), 32):
            x = np.ascontiguousarray(chips[k:k + 32])
            e = embed(x)
            if flip:
                e = F.normalize(e + embed(np.ascontiguousarray(x[:, :, ::-1])))
            out.append(e.numpy())
    return np.concatenate(out)


def figures(score, same, folds):
    """score, same: one a pair, folds in order. -> accuracy mean, std, {far: tar}"""
    n, acc = len(score) // folds, []
    grid = np.linspace(-.2, 1, 1201)
    hits = np.array([[((score[k * n:(k + 1) * n] > t) == same[k * n:(k + 1) * n]).mean() for t in grid] for k in range(folds)])
    for k in range(folds):
        rest = np.delete(hits, k, 0).mean(0)
        acc.append(hits[k][int(np.median(np.flatnonzero(rest == rest.max())))])
    other = np.sort(score[~same])[::-1]
    tar = {far: float((score[same] > other[min(int(far * len(other)), len(other) - 1)]).mean()) for far in (.01, .001)}
    return float(np.mean(acc)), float(np.std(acc)), tar


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pairs'), p.add_argument('chips'), p.add_argument('models', nargs='+')
    p.add_argument('--flip', action='store_true'), p.add_argument('--bf16', action='store_true', help='quick look')
    a = p.parse_args()
    torch.set_num_threads(1)
    chips = np.load(a.chips + '.npy', mmap_mode='r')
    row = {os.path.basename(q.split()[0]): i for i, q in enumerate(open(a.chips + '.names'))}
    todo, folds = pairs(a.pairs)
    use = sorted({row[f] for q in todo for f in q[:2]})
    at = {r: i for i, r in enumerate(use)}
    x, y = ([at[row[q[s]]] for q in todo] for s in (0, 1))
    same = np.array([q[2] for q in todo])
    for model in a.models:
        e = embeddings(model, chips[use], a.flip, a.bf16)
        acc, std, tar = figures((e[x] * e[y]).sum(1), same, folds)
        print(f'{os.path.basename(model)}{" flip" if a.flip else ""}: pairs {len(todo)} accuracy {acc * 100:.2f} +- {std * 100:.2f} %'
              f'  TAR {tar[.01] * 100:.2f} % at FAR 1 %, {tar[.001] * 100:.2f} % at FAR 0.1 %', flush=True)


if __name__ == '__main__':
    main()

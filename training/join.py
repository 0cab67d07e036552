#!/usr/bin/env python3
"""Two trained networks of one width as the towers of a network of twice that width, to train on.

    join.py FIRST.pt SECOND.pt OUT.pt

Where the fifth block will join them, nothing crosses over yet: the result computes the mean of the two answers. Networks that a
training left at different times err differently, so already that is nearer to the teacher than either.
"""
import argparse

import torch

import vgg16


def beside(a, b):
    """Block-diagonal: each tower's outputs from its own inputs"""
    out = torch.zeros(a.shape[0] + b.shape[0], a.shape[1] + b.shape[1], *a.shape[2:])
    out[:a.shape[0], :a.shape[1]], out[a.shape[0]:, a.shape[1]:] = a, b
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('first'), p.add_argument('second'), p.add_argument('out')
    a = p.parse_args()
    halves = [vgg16.load(f) for f in (a.first, a.second)]
    width, dim, _ = vgg16.shape_of(halves[0].state_dict())
    net = vgg16.VGG16(2 * width, dim, halves[0].size, towers=2)
    one, two = (h.state_dict() for h in halves)
    state = {k: torch.cat((v, two[k])) if v.ndim else v for k, v in one.items()}
    for k in state:
        if k.startswith('f.') and state[k].ndim == 4 and int(k.split('.')[1]) >= vgg16.LAST_BLOCK:
            state[k] = beside(one[k], two[k])
    state['fc.weight'] = torch.cat((one['fc.weight'], two['fc.weight']), 1) / 2
    state['fc.bias'] = (one['fc.bias'] + two['fc.bias']) / 2
    net.load_state_dict(state)
    x = torch.randn(4, 3, net.size, net.size)
    with torch.no_grad():
        print('largest difference to the mean of the two:', (net.eval()(x) - (halves[0](x) + halves[1](x)) / 2).abs().max().item())
    torch.save(net.state_dict(), a.out)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Distil a teacher's embedding into the networks of nets.py, several side by side.

    distill_embedder.py POOL TEACHER CHECKPOINT --minutes 10 [--device cuda] [--nets vgg16,vgg16-half] [--sizes 80:.4,112:1]

POOL is the folder of chips.py; TEACHER an OpenVINO IR without suffix, which embeds 128 px chips (see teacher.py).

- faces.py composes every batch anew; the teacher's answer for a clean face, the mean of those for it and its mirror image,
  is what all students are to give for a spoiled view of it (each student then gives in one pass what the teacher gives in two);
- loss: 1 - cosine to the target, and the squared difference of the batch's two similarity matrices, since verification
  compares pairs;
- convolutions are updated by Muon (momentum, orthogonalised: Jordan et al. 2024), everything else by AdamW; the rate falls to
  zero on the clock, so that a run ends when it must; in its last 30 % half of each batch is only misplaced, so that it ends
  near what the student will meet;
- small pictures first, then the final size: the early part costs half;
- the weights that are kept are an exponential average; the checkpoint holds all that a killed run needs to go on.
"""
import argparse
import os
import time

import torch
import torch.nn.functional as F

from faces import Faces, plain
from nets import MEAN, NETS, SCALE, resize_state
from teacher import IR

RELATION = 6.


def to_input(x):
    return ((x - MEAN) * SCALE).contiguous(memory_format=torch.channels_last)


def orthogonal(g):
    """Newton-Schulz to the nearest semi-orthogonal matrix, five steps in bfloat16"""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    if g.shape[0] > g.shape[1]:
        x = x.t()
    x = (x / (x.norm() + 1e-7)).contiguous()
    for _ in range(5):
        s = x @ x.t()
        x = a * x + (b * s + c * (s @ s)) @ x
    return (x.t() if g.shape[0] > g.shape[1] else x).to(g.dtype)


class Optimizer:
    def __init__(self, params, lr, muon_lr, decay=.02):
        self.params, self.lr, self.muon_lr, self.decay, self.steps = params, lr, muon_lr, decay, 0
        self.muon = [p.ndim == 4 and p.shape[1] >= 16 for p in params]
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [None if u else torch.zeros_like(p) for p, u in zip(params, self.muon)]

    def state(self):
        return dict(m=self.m, v=self.v, steps=self.steps)

    def restore(self, s):
        self.steps = s['steps']
        for mine, theirs in zip(self.m + self.v, s['m'] + s['v']):
            if mine is not None and mine.shape == theirs.shape:
                mine.copy_(theirs)

    @torch.no_grad()
    def step(self, rate):
        self.steps += 1
        lr, muon_lr, n = self.lr * rate, self.muon_lr * rate, self.steps
        for p, m, v, u in zip(self.params, self.m, self.v, self.muon):
            g = p.grad
            if u:
                m.mul_(.95).add_(g, alpha=.05)
                look = orthogonal((.05 * g + .95 * m).flatten(1)).view_as(p)
                p.mul_(1 - muon_lr * self.decay).add_(look, alpha=-muon_lr * .2 * max(p.shape[0], p[0].numel()) ** .5)
            else:
                m.mul_(.9).add_(g, alpha=.1)
                v.mul_(.99).addcmul_(g, g, value=.01)
                if p.ndim > 1:
                    p.mul_(1 - lr * self.decay)
                p.addcdiv_(m / (1 - .9 ** n), (v / (1 - .99 ** n)).sqrt_().add_(1e-8), value=-lr)


class Student:
    """A network in training at one size, with its average"""

    def __init__(self, name, size, a, old):
        self.name, self.size, self.device = name, size, a.device
        self.net, self.average = (NETS[name](size).to(a.device).to(memory_format=torch.channels_last) for _ in range(2))
        if old:
            self.net.load_state_dict(resize_state(old['live'], size))
            self.average.load_state_dict(resize_state(old['average'], size))
        else:
            self.average.load_state_dict(self.net.state_dict())
        for m in self.net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.momentum = .03
        self.average.eval().requires_grad_(False)
        self.optimizer = Optimizer(list(self.net.parameters()), a.lr, a.muon_lr)
        if old:
            self.optimizer.restore(old['optimizer'])

    def state(self):
        return dict(live=self.net.state_dict(), average=self.average.state_dict(), optimizer=self.optimizer.state())

    def embed(self, net, x):
        with torch.autocast('cuda' if 'cuda' in self.device else 'cpu', dtype=torch.bfloat16):
            e = net(to_input(x))
        return F.normalize(e.float())

    def learn(self, x, target, likeness, rate):
        e = self.embed(self.net, x)
        cos = (e * target).sum(1).mean()
        n = len(x)
        relation = ((e @ e.t() - likeness) ** 2).sum() / (n * (n - 1))
        self.net.zero_grad(set_to_none=True)
        (1 - cos + RELATION * relation).backward()
        self.optimizer.step(rate)
        with torch.no_grad():
            keep = min(.996, (1 + self.optimizer.steps) / (10 + self.optimizer.steps))
            for mine, live in zip(self.average.state_dict().values(), self.net.state_dict().values()):
                if mine.is_floating_point():
                    mine.lerp_(live, 1 - keep)
        return cos.detach()


class Teacher:
    def __init__(self, base, device):
        self.device, self.layout = device, torch.channels_last
        self.net = IR(base, torch.float16 if 'cuda' in device else torch.bfloat16)
        if 'cuda' in device:     # depthwise layers may be several times slower in one of the layouts: tried
            self.layout = min((torch.channels_last, torch.contiguous_format), key=self.time)
        self.net.to(device, self.layout)

    def time(self, layout):
        x, self.layout = torch.zeros(256, 3, 128, 128, device=self.device), layout
        self.net.to(self.device, layout)
        for k in range(4):
            if k == 2:
                torch.cuda.synchronize()
                start = time.time()
            self(x)
        torch.cuda.synchronize()
        return time.time() - start

    @torch.no_grad()
    def __call__(self, x):
        x = x.flip(1).to(self.net.dtype).contiguous(memory_format=self.layout)     # the teacher takes BGR
        return F.normalize(F.normalize(self.net(x).float()) + F.normalize(self.net(x.flip(3)).float()))


@torch.no_grad()
def held_out(faces, teacher, students, places, size):
    """Mean cosine of each student's average to the teacher, plain views of held-out chips"""
    sums = {s.name: 0. for s in students}
    for some in places.split(128):
        x = faces.get(some)[0]
        t = teacher(x)
        for s in students:
            sums[s.name] += (s.embed(s.average, plain(x, size)) * t).sum().item()
    return ' '.join(f'{k} {v / max(1, len(places)):.4f}' for k, v in sums.items())


def save(path, state):
    torch.save(state, path + '.tmp')
    os.replace(path + '.tmp', path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pool'), p.add_argument('teacher'), p.add_argument('checkpoint')
    p.add_argument('--minutes', type=float, default=100)
    p.add_argument('--nets', default='vgg16,vgg16-half')
    p.add_argument('--sizes', default='80:.4,112:1', help='size:fraction of the time at which its stage ends')
    p.add_argument('--batch', type=int, default=512, help='faces an update (CPU: 64)')
    p.add_argument('--lr', type=float, default=2e-3), p.add_argument('--muon-lr', type=float, default=4e-3)
    p.add_argument('--warm', type=int, default=200, help='updates until the rate is full')
    p.add_argument('--report-s', type=float, default=60), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--device', default='cpu')
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    stages = [(int(s.split(':')[0]), float(s.split(':')[1])) for s in a.sizes.split(',')]
    old = torch.load(a.checkpoint, map_location=a.device) if os.path.exists(a.checkpoint) else dict(nets={}, spent=0., seen=0)
    seen, before = old['seen'], old['spent']
    faces, teacher = Faces(a.pool, a.device), Teacher(a.teacher, a.device)
    print(f'{len(faces.known)} chips, {len(faces.whole)} of them whole; held out {len(faces.held)}, {len(faces.held_whole)} of them whole', flush=True)
    start, reported = time.time(), time.time()
    spent = lambda: before + time.time() - start
    students, cos = [], None

    def report():
        names, now = [s.name for s in students], spent()
        print(f'{now:.0f} s, {students[0].size} px, {seen} faces, trained {" ".join(f"{n} {c:.4f}" for n, c in zip(names, cos.tolist()))}'
              f' | held-out {held_out(faces, teacher, students, faces.held, students[0].size)}'
              f' | whole {held_out(faces, teacher, students, faces.held_whole, students[0].size)}', flush=True)
        save(a.checkpoint, dict(size=students[0].size, spent=now, seen=seen, nets={s.name: s.state() for s in students}))

    while True:
        part = spent() / (a.minutes * 60)
        size = next((size for size, end in stages if part < end), None)
        if not size:
            break
        if not students or students[0].size != size:
            states = {s.name: s.state() for s in students} or old['nets']
            students = [Student(name, size, a, states.get(name)) for name in a.nets.split(',')]
        x = faces.next(a.batch)
        target = teacher(x)
        likeness = target @ target.t()
        view = faces.spoil(x, size, part > .7)
        rate = min(1., (students[0].optimizer.steps + 1) / a.warm) * min(1., (1 - part) / .85)
        got = torch.stack([s.learn(view, target, likeness, rate) for s in students])
        cos = got if cos is None else cos.lerp(got, .02)
        seen += a.batch
        if time.time() - reported > a.report_s:
            report()
            reported = time.time()
    report()


if __name__ == '__main__':
    main()

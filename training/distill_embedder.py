#!/usr/bin/env python3
"""Distil the teacher's embedding into VGG-16.

    distill_embedder.py POOL CHECKPOINT --minutes 100 --stages 80:1 [--start trial.pt] [--device cpu|cuda]

POOL is a folder of pairs X.npy (N,128,128,3 uint8 chips, from chips.py and morphs.py) and X.targets.npy (from teacher.py);
pairs that appear while it runs are taken in. Every 60th chip whose file name starts with "chips" is held out: it is never trained on.

What is done, and why:
- the chip is warped once, straight to the student's size, with a little rotation, scale, shift and mirror image: the
  detector's noise; then light, blur, JPEG, noise, grey, an occluding patch, each rarely: the target stays that of the
  clean chip;
- in the last 30 % of the time half of the chips are only misplaced, so that it ends near what it will meet;
- loss: 1 - cosine to the target, and the squared difference of the batch's two similarity matrices, since verification
  compares pairs;
- convolutions are updated by Muon (momentum, orthogonalised: Jordan et al. 2024), everything else by AdamW; the rate falls to zero on
  the clock, so that a run ends when it must, whatever else the machine does;
- workers are processes of one thread that share the weights and apply their gradients as they come (at most a few
  updates stale): on a busy machine nobody waits for a straggler, and no two OpenMP threads wait for each other;
- the weights that are kept are an exponential average; the checkpoint holds all that a killed run needs to go on.
"""
import argparse
import glob
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

from vgg16 import MEAN, SCALE, VGG16, resize_state

HELD_OUT = 60


class Pool:
    def __init__(self, folder):
        self.folder, self.chips, self.corners, self.targets, self.seen = folder, [], [], [], []
        self.index, self.whole = [], []   # (file, row) of every chip; of those with hair and surroundings
        self.refresh()

    def refresh(self):
        for f in sorted(glob.glob(self.folder + '/*.targets.npy')):
            if f in self.seen:
                continue
            self.seen.append(f)
            chips, k = np.load(f.replace('.targets.npy', '.npy'), mmap_mode='r'), len(self.chips)
            self.chips.append(chips), self.targets.append(np.load(f))
            self.corners.append(np.load(f.replace('.targets.npy', '.corners.npy')).reshape(len(chips), -1, 4, 2))
            real = os.path.basename(f).startswith('chips')
            if 'context' in os.path.basename(f):
                self.whole += [(k, i) for i in range(len(chips))] * (2 if 'real' in f else 1)
                continue
            self.index += [(k, i) for i in range(len(chips)) if not (real and i % HELD_OUT == 0)]

    def held_out(self, limit):
        out = [(k, i) for k, f in enumerate(self.seen) if os.path.basename(f).startswith('chips')
               for i in range(0, len(self.chips[k]), HELD_OUT)]
        return out[:: max(1, len(out) // limit)][:limit]


def fill_outside(chip, corners, other, rng):
    """Replace what lies outside of the picture (the repeated border) by something else: a face crop has no hair or
    background there, a photo has, and the student must learn that neither matters."""
    inside = np.full((128, 128), 255, np.uint8)
    for q in corners:
        part = np.zeros((128, 128), np.uint8)
        cv2.fillConvexPoly(part, np.round(q).astype(np.int32), 255)
        inside &= part
    if (inside == 0).mean() < .01:
        return chip
    if rng.rand() < .7:
        n = rng.randint(40, 128)
        i, j = rng.randint(0, 129 - n, 2)
        fill = cv2.resize(other[j:j + n, i:i + n], (128, 128), interpolation=cv2.INTER_LINEAR)
        fill = fill[::rng.choice((-1, 1)), ::rng.choice((-1, 1))].astype(np.float32)
    else:
        fill = rng.uniform(0, 255, 3) + np.zeros((128, 128, 3), np.float32)
        if rng.rand() < .5:
            fill += cv2.resize(rng.standard_normal((8, 8, 3)).astype(np.float32), (128, 128)) * rng.uniform(5, 60)
    w = cv2.GaussianBlur(inside, (0, 0), rng.uniform(.5, 5)).astype(np.float32)[..., None] / 255
    return (chip * w + fill.clip(0, 255) * (1 - w)).astype(np.uint8)


def blurred(chip, rng):
    kind = rng.rand()
    if kind < .15:
        return cv2.GaussianBlur(chip, (0, 0), rng.uniform(.4, 1.8))
    if kind < .25:
        n = rng.randint(40, 100)
        return cv2.resize(cv2.resize(chip, (n, n), interpolation=cv2.INTER_AREA), (128, 128), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(chip, (0, 0), .5) if kind < .55 else chip


def misplaced(chip, size, rng):
    """Warped to size, or to its mirror image, with the error of a detector's points"""
    a, s = math.radians(rng.randn() * 2.5), size / 128 * math.exp(rng.randn() * .03)
    sx, sy = s * math.exp(rng.randn() * .012), s
    if rng.rand() < .5:
        sx = -sx
    c, d = math.cos(a), math.sin(a)
    m = np.array([[c * sx, -d * sy, 0], [d * sx, c * sy, 0]])
    m[:, 2] = size / 2 + rng.randn(2) * .012 * size - m[:, :2] @ (64., 64.)
    if sx < 0:   # the mirror image of a chip is its columns reversed: 127 - x, and not 128 - x
        m[:, 2] -= m[:, 0]
    return cv2.warpAffine(chip, m, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def spoiled(chip, size, rng):
    """Light, colour, noise, JPEG, an occluding patch"""
    x = chip.astype(np.float32)
    if rng.rand() < .8:
        x = (x - 128) * math.exp(rng.uniform(-.3, .3)) + 128 + rng.uniform(-25, 25)
        x += rng.uniform(-10, 10, 3).astype(np.float32)
    if rng.rand() < .1:
        x = np.repeat(x @ np.array([[.299], [.587], [.114]], np.float32), 3, 2)
    if rng.rand() < .1:
        x += rng.standard_normal(x.shape).astype(np.float32) * rng.uniform(1, 7)
    x = x.clip(0, 255)
    if rng.rand() < .12:
        q = int(rng.uniform(30, 90))
        x = cv2.imdecode(cv2.imencode('.jpg', x.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, q])[1], cv2.IMREAD_COLOR).astype(np.float32)
    if rng.rand() < .08:
        w, h = (rng.uniform(.1, .45, 2) * size).astype(int)
        i, j = rng.randint(0, size - w), rng.randint(0, size - h)
        x[j:j + h, i:i + w] = rng.uniform(0, 255, 3)
    return x


def augment(chip, corners, other, size, rng, calm):
    """uint8 128 px chip -> size px, as a careless camera and detector would have given it; calm: half of them only
    misplaced"""
    gentle = calm and rng.rand() < .5
    if rng.rand() < .6:
        chip = fill_outside(chip, corners, other, rng)
    if not gentle:
        chip = blurred(chip, rng)
    chip = misplaced(chip, size, rng)
    return chip.astype(np.float32) if gentle else spoiled(chip, size, rng)


def plain(chip, size):
    return cv2.warpAffine(np.asarray(chip), np.array([[size / 128, 0, 0], [0, size / 128, 0]]), (size, size),
                          flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def to_input(images, device):
    x = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2)
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
    """Muon and AdamW over tensors that several processes share."""

    def __init__(self, params, muon):
        self.params = params
        self.muon = [muon and p.ndim == 4 and p.shape[1] >= 16 for p in params]
        self.m = [torch.zeros_like(p).share_memory_() for p in params]
        self.v = [torch.zeros(1 if u else p.shape).share_memory_() for p, u in zip(params, self.muon)]
        self.steps = torch.zeros(1, dtype=torch.int64).share_memory_()

    def state(self):
        return dict(m=self.m, v=self.v, steps=self.steps)

    def restore(self, s):
        for mine, theirs in ((self.m, s['m']), (self.v, s['v']), ([self.steps], [s['steps']])):
            for a, b in zip(mine, theirs):
                if a.shape == b.shape:
                    a.copy_(b)

    @torch.no_grad()
    def update(self, grads, lr, muon_lr, lock, decay=.02):
        with lock:
            self.steps += 1
            n, looks = self.steps.item(), []
            for p, g, m, v, u in zip(self.params, grads, self.m, self.v, self.muon):
                if u:
                    m.mul_(.95).add_(g, alpha=.05)
                    looks.append(g.mul(.05).add_(m, alpha=.95))
                else:
                    m.mul_(.9).add_(g, alpha=.1)
                    v.mul_(.99).addcmul_(g, g, value=.01)
                    looks.append(None)
        looks = [None if q is None else orthogonal(q.flatten(1)).view_as(q).mul_(.2 * max(q.shape[0], q[0].numel()) ** .5) for q in looks]
        with lock:
            for p, m, v, q in zip(self.params, self.m, self.v, looks):
                if q is not None:
                    p.mul_(1 - muon_lr * decay).add_(q, alpha=-muon_lr)
                else:
                    if p.ndim > 1:
                        p.mul_(1 - lr * decay)
                    p.addcdiv_(m / (1 - .9 ** n), (v / (1 - .99 ** n)).sqrt_().add_(1e-8), value=-lr)
        return n


def rate(fraction, warm):
    return max(0., min(1., warm) * min(1., (1 - fraction) / .85))


def trained(net):
    return [(k, p) for k, p in net.named_parameters() if p.requires_grad]


def worker(rank, a, size, shared, ema, opt, clock, stage_end, samples, lock):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    seed = (a.seed * 1000 + rank * 100 + int(samples.item())) % 2 ** 31
    torch.manual_seed(seed)
    pool, rng = Pool(a.pool), np.random.RandomState(seed)
    net = VGG16(a.width, a.dim, size, a.towers).to(a.device).to(memory_format=torch.channels_last)
    net.load_state_dict({k: v for k, v in shared.items()})
    for layer in net.f[:a.freeze]:
        layer.eval().requires_grad_(False)
    names, params = zip(*trained(net))
    buffers = {k: v for k, v in net.named_buffers() if v.is_floating_point()}
    for mod in net.modules():
        if isinstance(mod, torch.nn.BatchNorm2d):
            mod.momentum = .03
    kind = 'cuda' if a.device.startswith('cuda') else 'cpu'
    threads = ThreadPoolExecutor(a.loaders) if a.loaders else None

    def fetch(calm):
        n = int(a.batch * a.whole) if pool.whole else 0
        pick = [pool.whole[i] for i in rng.randint(0, len(pool.whole), n)] if n else []
        pick += [pool.index[i] for i in rng.randint(0, len(pool.index), a.batch - n)]
        seeds = rng.randint(0, 2 ** 31, a.batch)
        others = [pool.index[i] for i in rng.randint(0, len(pool.index), a.batch)]
        one = lambda q: augment(np.asarray(pool.chips[q[0][0]][q[0][1]]), pool.corners[q[0][0]][q[0][1]],
                                np.asarray(pool.chips[q[1][0]][q[1][1]]), size, np.random.RandomState(q[2]), calm)
        images = list((threads.map if threads else map)(one, zip(pick, others, seeds)))
        return images, np.stack([pool.targets[k][i] for k, i in pick])

    ahead = ThreadPoolExecutor(1) if threads else None
    pending = ahead.submit(fetch, False) if ahead else None
    start, last_report, last_pool, local, mean = time.time(), time.time(), time.time(), 0, 0.
    while True:
        now = time.time()
        fraction = (now - clock[0]) / (clock[1] - clock[0])
        if fraction >= stage_end or os.path.exists(a.checkpoint + '.stop'):
            break
        with torch.no_grad():
            for p, k in zip(params, names):
                p.copy_(shared[k])
        if ahead:
            images, t = pending.result()
            pending = ahead.submit(fetch, fraction > a.calm)
        else:
            images, t = fetch(fraction > a.calm)
        t = torch.from_numpy(t).to(a.device)
        with torch.autocast(kind, dtype=torch.bfloat16):
            e = net(to_input(images, a.device))
        e = F.normalize(e.float())
        cos = (e * t).sum(1)
        relation = ((e @ e.t() - t @ t.t()) ** 2).sum() / (len(t) * (len(t) - 1))
        loss = (1 - cos).mean() + a.relation * relation
        net.zero_grad(set_to_none=True)
        loss.backward()
        r = rate(fraction, (now - start + 2) / a.warm_s)
        n = opt.update([p.grad.to('cpu', torch.float32) for p in params], a.lr * r, a.muon_lr * r, lock)
        local += 1
        mean = .98 * mean + .02 * cos.mean().item() if local > 1 else cos.mean().item()
        with lock, torch.no_grad():
            samples += len(t)
            if n % 8 == 0:
                f = min(.992, (1 + n / 8) / (10 + n / 8))
                for k in names:
                    ema[k].mul_(f).add_(shared[k], alpha=1 - f)
            if local % 4 == 0:
                for k, v in buffers.items():
                    shared[k].mul_(.5).add_(v.cpu(), alpha=.5)
                    ema[k].mul_(.9).add_(v.cpu(), alpha=.1)
        if rank:
            if now - last_pool > 60:
                pool.refresh()
                last_pool = now
            continue
        if now - last_report > a.report_s:
            pool.refresh()
            last_report = now
            with lock:
                save(a, size, shared, ema, opt, clock, samples)
                state = {k: v.clone() for k, v in ema.items()}
            check = VGG16(a.width, a.dim, size, a.towers)
            check.load_state_dict(state)
            check = check.eval().to(memory_format=torch.channels_last)
            total, held = 0., pool.held_out(192)
            with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
                for k in range(0, len(held), 32):
                    e = check(to_input([plain(pool.chips[q][i], size) for q, i in held[k:k + 32]], 'cpu')).float()
                    total += (F.normalize(e) * torch.from_numpy(np.stack([pool.targets[q][i] for q, i in held[k:k + 32]]))).sum().item()
            print(f'{time.strftime("%H:%M:%S", time.gmtime())} {fraction:.3f} size {size} steps {n} samples {samples.item():.0f} '
                  f'lr {r:.3f} train cos {mean:.4f} held-out cos {total / len(held):.4f} pool {len(pool.index)} + {len(pool.whole)}', flush=True)


def save(a, size, shared, ema, opt, clock, samples):
    tmp = a.checkpoint + '.tmp'
    torch.save(dict(size=size, live=dict(shared), ema=dict(ema), opt=opt.state(), clock=clock, samples=samples.item()), tmp)
    os.replace(tmp, a.checkpoint)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pool'), p.add_argument('checkpoint')
    p.add_argument('--minutes', type=float, default=100), p.add_argument('--until', type=float, help='end at this Unix time instead')
    p.add_argument('--stages', default='80:1', help='size:fraction of the time at which the stage ends')
    p.add_argument('--start', help='weights to start from'), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--width', type=float, default=.5), p.add_argument('--dim', type=int, default=256)
    p.add_argument('--towers', type=int, default=1, help='2: as join.py makes them')
    p.add_argument('--freeze', type=int, default=0, metavar='LAYERS', help='of the convolutional part, leave these first layers as they are')
    p.add_argument('--batch', type=int, default=64), p.add_argument('--workers', type=int, default=2)
    p.add_argument('--loaders', type=int, default=0, help='augmentation threads a worker (CUDA: 12)')
    p.add_argument('--lr', type=float, default=2e-3), p.add_argument('--muon-lr', type=float, default=3e-3)
    p.add_argument('--adam', action='store_true', help='AdamW for everything'), p.add_argument('--relation', type=float, default=6)
    p.add_argument('--warm-s', type=float, default=30), p.add_argument('--report-s', type=float, default=120)
    p.add_argument('--calm', type=float, default=.7, help='from this fraction of the time on, spoil only half of the chips')
    p.add_argument('--whole', type=float, default=.75, help='share of a batch taken from context*.npy, where there are any')
    p.add_argument('--device', default='cpu')
    a = p.parse_args()
    torch.manual_seed(a.seed)
    now = time.time()
    stages = [(int(s.split(':')[0]), float(s.split(':')[1])) for s in a.stages.split(',')]
    clock, samples, old, state = [now, a.until or now + a.minutes * 60], torch.zeros(1).share_memory_(), None, None
    if os.path.exists(a.checkpoint):
        old = torch.load(a.checkpoint, map_location='cpu')
        clock, state = [old['clock'][0], a.until or old['clock'][1]], old['live']
        samples += old['samples']
    elif a.start:
        state = torch.load(a.start, map_location='cpu')
        state = state.get('live', state)
    averaged = old['ema'] if old else None
    for size, end in stages:
        if (time.time() - clock[0]) / (clock[1] - clock[0]) >= end:
            continue
        net = VGG16(a.width, a.dim, size, a.towers)
        for layer in net.f[:a.freeze]:
            layer.requires_grad_(False)
        if state:
            net.load_state_dict(resize_state(state, size))
        shared = {k: v.detach().clone().contiguous().share_memory_() for k, v in net.state_dict().items()}
        if averaged:
            net.load_state_dict(resize_state(averaged, size))
        ema = {k: v.detach().clone().contiguous().share_memory_() for k, v in net.state_dict().items()}
        opt = Optimizer([shared[k] for k, _ in trained(net)], not a.adam)
        if old:
            opt.restore(old['opt'])
        lock = mp.Lock()
        ps = [mp.Process(target=worker, args=(r, a, size, shared, ema, opt, clock, end, samples, lock)) for r in range(a.workers)]
        [q.start() for q in ps]
        [q.join() for q in ps]
        if any(q.exitcode for q in ps):
            raise SystemExit('a worker failed')
        save(a, size, shared, ema, opt, clock, samples)
        old, state, averaged = torch.load(a.checkpoint), dict(shared), dict(ema)
        if os.path.exists(a.checkpoint + '.stop'):
            os.remove(a.checkpoint + '.stop')
            break


if __name__ == '__main__':
    main()

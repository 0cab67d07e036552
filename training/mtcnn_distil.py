#!/usr/bin/env python3
"""Distils the shipped detector from facenet-pytorch's MIT-licensed MTCNN weights.

    mtcnn_distil.py collect TEACHER DATA WORK [--minutes M]     patches and candidate crops -> WORK/crops-*.npy
    mtcnn_distil.py pnet|rnet|onet TEACHER DATA WORK [--minutes M]    trains one network on them
    mtcnn_distil.py export  WORK OUT                            WORK/*.ckpt -> OUT/mtcnn-*.onnx

TEACHER holds pnet.pt, rnet.pt, onet.pt. DATA holds train-faces/ and background/. Networks start from random weights;
the loss asks for the teacher's probability and its boxes and points where it sees a face, and for nothing else. Nothing inside the
teacher is looked at: a layer that is asked to answer as the teacher's layer does ends up with the teacher's weights, and those are
not ours to ship. Scenes are composed: faces of all sizes, turned, cut, covered and relit, over pictures without people.
"""
import argparse
import glob
import math
import os
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import mtcnn_nets
from faces import between, chance, normal, warp
from mtcnn_nets import NETS, normalise
from scenes import Scenes
from soap import Soap

BATCH = {False: {'pnet': 512, 'rnet': 128, 'onet': 48}, True: {'pnet': 8192, 'rnet': 4096, 'onet': 2048}}      # with CUDA?


def area_matrix(n, m):
    """m x n matrix of adaptive average pooling."""
    A = np.zeros((m, n), np.float32)
    for i in range(m):
        a, b = i * n // m, -(-(i + 1) * n // m)
        A[i, a:b] = 1 / (b - a)
    return A


class Cropper:
    """Cuts boxes out of a picture exactly as the cascade does, only faster."""

    def __init__(s):
        s.cache = {}

    def matrix(s, n, m):
        if (n, m) not in s.cache:
            s.cache[n, m] = area_matrix(n, m)
        return s.cache[n, m]

    def cut(s, img, boxes, side):
        _, H, W = img.shape
        out = []
        for x1, y1, x2, y2 in boxes.astype(np.int64):
            x1, y1, x2, y2 = max(x1, 1), max(y1, 1), min(x2, W), min(y2, H)
            if y2 - y1 < 4 or x2 - x1 < 4:
                continue
            c = img[:, y1 - 1:y2, x1 - 1:x2].astype(np.float32)
            c = s.matrix(c.shape[1], side) @ c @ s.matrix(c.shape[2], side).T
            out.append(np.rint(c).astype(np.uint8))
        return np.stack(out) if out else np.zeros((0, 3, side, side), np.uint8)


def jitter(rng, b, shift, zoom):
    side = b[:, 2:3] - b[:, :1]
    c = (b[:, :2] + b[:, 2:]) / 2 + rng.uniform(-shift, shift, (len(b), 2)) * side
    half = side / 2 * np.exp(rng.uniform(-zoom, zoom, (len(b), 1)))
    return np.concatenate([c - half, c + half], 1)


def pick(rng, b, n):
    return b if len(b) <= n else b[rng.choice(len(b), n, replace=False)]


@torch.no_grad()
def patches(pnet, rng, img, near=96, far=96):
    """12x12 windows of one picture at random scales: up to `near` that P-Net finds face-like, and `far` others."""
    out = [], []
    x = torch.from_numpy(img)[None].float()
    for k in 12 / np.exp(rng.uniform(np.log(16), np.log(min(img.shape[1:])), 5)):
        small = F.interpolate(x, size=(max(int(img.shape[1] * k + 1), 12), max(int(img.shape[2] * k + 1), 12)), mode='area')
        m = margin(pnet(normalise(small)))[0].numpy()[:(small.shape[2] - 10) // 2, :(small.shape[3] - 10) // 2]
        small = small[0].numpy().round().astype(np.uint8)
        score = m + rng.gumbel(0, 1, m.shape)       # the likelier, the more often
        for keep, where in zip(out, (m > -3, m <= -3)):
            ys, xs = np.nonzero(where)
            best = np.argsort(-score[ys, xs])[:(near if keep is out[0] else far) // 4]
            keep += [small[:, 2 * y:2 * y + 12, 2 * x:2 * x + 12] for y, x in zip(ys[best], xs[best])]
    out = out[0][:near] + out[1][:far]
    return np.stack(out) if out else np.zeros((0, 3, 12, 12), np.uint8)


def flush(a, parts, made, part):
    for k, v in parts.items():
        if v:
            tmp = os.path.join(a.work, f'{k}.{a.seed}.tmp.npy')
            np.save(tmp, np.concatenate(v))
            os.rename(tmp, os.path.join(a.work, f'crops-{k}-{a.seed}-{part:03d}.npy'))
            made[k] += sum(map(len, v))
            parts[k] = []


def collect(a):
    teacher, cut = mtcnn_nets.load(a.teacher), Cropper()
    sc = Scenes(a.data, a.seed)
    rng, parts, t0, n = sc.rng, {k: [] for k in NETS}, time.time(), 0
    made = dict.fromkeys(NETS, 0)
    report = lambda: print(n, 'scenes', made, f'{time.time() - t0:.0f}s, {time.process_time():.0f}s of a core', flush=True)
    while time.time() - t0 < a.minutes * 60:
        img = sc.next(int(rng.integers(160, 320)), int(rng.integers(160, 320)))
        if n % 4 == 0:      # a picture has many more windows than faces
            parts['pnet'].append(patches(teacher['pnet'], rng, img))
        trace = {}
        boxes, _, _ = mtcnn_nets.detect(teacher, img.transpose(1, 2, 0), float(rng.uniform(20, 48)), (.4, .5, .5), trace)
        H, W = img.shape[1:]
        side = np.exp(rng.uniform(np.log(16), np.log(min(H, W)), (6, 1)))
        corner = rng.uniform(-.2, 1, (6, 2)) * (W, H)
        loose = np.concatenate([corner, corner + side], 1)
        none = np.zeros((0, 4))
        r, o = pick(rng, trace.get('rnet', none), 24), pick(rng, trace.get('onet', none), 16)
        face = mtcnn_nets.square(boxes) if len(boxes) else none
        near = np.repeat(face, 3, 0)
        parts['rnet'].append(cut.cut(img, np.concatenate([r, jitter(rng, near, .35, .5), loose]), 24))
        parts['onet'].append(cut.cut(img, np.concatenate([o, jitter(rng, near, .2, .3), jitter(rng, face, .4, .6),
                                                          loose[:2]]), 48))
        n += 1
        if n % 1000 == 0:
            flush(a, parts, made, n // 1000)
            report()
    flush(a, parts, made, n // 1000 + 1)
    report()


def margin(out):
    return out['logit'][:, 1] - out['logit'][:, 0]


def loss_outputs(s, t, threshold):
    """Probability everywhere, doubled where there may be a face and more near the threshold, which alone decides in the cascade; boxes and
    points where there is a face. Their distances count almost linearly: squared, they would no longer pull long before they are small."""
    ds, dt = margin(s).flatten(), margin(t).flatten()
    p = torch.sigmoid(dt)
    kl = F.binary_cross_entropy_with_logits(ds, p, reduction='none') - F.binary_cross_entropy_with_logits(dt, p, reduction='none')
    far = F.smooth_l1_loss(ds.clamp(-8, 8), dt.clamp(-8, 8), reduction='none')
    w = 1 + (p > .02).float() + 2 * torch.exp(-((dt - math.log(threshold / (1 - threshold))) / 2) ** 2)
    loss = ((kl + .03 * far) * w).sum() / w.sum() * 4
    for name, weight in (('reg', 5), ('points', 10)):
        if name in s:
            d = (((s[name] - t[name]) ** 2).mean(1).flatten() + 1e-4).sqrt() - 1e-2
            q = p + .01
            loss = loss + weight * (d * q).sum() / q.sum()
    return loss, kl.detach(), p


class Crops:
    """The collected crops, on the device. The first fiftieth of each file is held out: other scenes than the rest's."""

    def __init__(self, a):
        files = sorted(glob.glob(os.path.join(a.work, f'crops-{a.kind}-*.npy')))
        if not files:
            raise SystemExit(f'{a.work}: no crops-{a.kind}-*.npy; make them with collect')
        sizes = [len(np.load(f, mmap_mode='r')) for f in files]
        apart = [min(n // 50, -(-16384 // len(files))) for n in sizes]
        shape = np.load(files[0], mmap_mode='r').shape[1:]
        empty = lambda n: torch.empty((n, *shape), dtype=torch.uint8, device=a.device)
        self.held, self.x, i, j = empty(sum(apart)), empty(sum(sizes) - sum(apart)), 0, 0
        for f, n, k in zip(files, sizes, apart):      # one at a time: all of them may be more than the memory holds twice
            x = torch.from_numpy(np.load(f))
            self.held[i:i + k], self.x[j:j + n - k] = x[:k], x[k:]
            i, j = i + k, j + n - k
        print(f'{len(files)} files, {len(self.x)} crops and {len(self.held)} held out', flush=True)

    def next(self, n):
        """n crops: mirrored, lit otherwise; some mixed with another, some covered by another from below, half of them misplaced, since the
        teacher answers whatever it is shown"""
        x = self.x[torch.randint(0, len(self.x), (n,), device=self.x.device)].float()
        side = x.shape[-1]
        x = torch.where(chance(n, .5, x), x.flip(3), x)
        mixed = between(n, 0, .5, x) * chance(n, .1, x)
        x = x * (1 - mixed) + x.roll(1, 0) * mixed
        below = torch.arange(side, device=x.device).view(1, 1, side, 1) >= between(n, .4, 1, x) * side
        x = torch.where(below & chance(n, .08, x), x.roll(2, 0), x)
        x = ((x - 128) * normal(n, .15, x).exp() + 128 + normal(n, 12, x)).clamp(0, 255)
        k = n // 2
        return torch.cat((x[:k], warp(x[k:], side, .08, .07, .03, .03, False)))


@torch.no_grad()
def evaluate(net, teacher, x):
    """On held-out crops: what the log prints"""
    rows = 0
    for q in x.split(4096):
        part = len(q) / len(x)
        q = normalise(q.float())
        s, t = net(q), teacher(q)
        loss, kl, p = loss_outputs(s, t, net.threshold)
        ds = torch.sigmoid(margin(s)).flatten()
        face, found = p > net.threshold, ds > net.threshold
        row = [loss, kl.mean(), (ds - p).abs().mean(), (found & ~face).float().mean(), (~found & face).float().mean(), face.float().mean()]
        row += [((s[k] - t[k]).abs().flatten(1).mean(1) * face).mean() for k in ('reg', 'points') if k in s]
        rows = rows + torch.stack(row) * part
    m = rows.tolist()
    of = max(m[5], 1e-9)
    return (f'loss {m[0]:.4f} kl {m[1]:.5f} dp {m[2]:.4f} extra {m[3] / of:.4f} missed {m[4] / of:.4f} '
            f'box/points {" ".join(f"{v / of:.4f}" for v in m[6:])}')


def train(a):
    t0 = time.time()      # reading the crops counts: on a lent machine it is the whole that is limited
    torch.manual_seed(a.seed)
    cuda = a.device.startswith('cuda')
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False     # ten bits are too few to get near
    layout = torch.contiguous_format if cuda else torch.channels_last
    teacher, net, ema = (q.to(a.device).to(memory_format=layout) for q in (mtcnn_nets.load(a.teacher)[a.kind], NETS[a.kind](), NETS[a.kind]()))
    if a.start:
        net.load_state_dict(torch.load(os.path.join(a.start, a.kind + '.ckpt'), map_location=a.device))
    ema.load_state_dict(net.state_dict())
    crops = Crops(a)
    opt = Soap(net.parameters(), a.lr, every=40 if cuda else 15)
    batch = a.batch or BATCH[cuda][a.kind]
    begin, end = time.time(), t0 + a.minutes * 60
    step, logged = 0, begin
    print(f'{a.kind} 0 {begin - t0:.0f}s {evaluate(ema, teacher, crops.held)}', flush=True)
    while True:
        part = (time.time() - begin) / (end - begin)
        if time.time() >= end:
            break
        for g in opt.param_groups:
            g['lr'] = a.lr * min(1, step / 50 + .02) * .5 * (1 + math.cos(math.pi * part)) + 1e-6
        x = normalise(crops.next(batch)).contiguous(memory_format=layout)
        with torch.no_grad():
            t = teacher(x)
        loss, _, _ = loss_outputs(net(x), t, net.threshold)
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.)
        opt.step()
        step += 1
        with torch.no_grad():
            keep = min(.998, step / (step + 20))
            for e, w in zip(ema.parameters(), net.parameters()):
                e.lerp_(w, 1 - keep)
        if time.time() - logged > (15 if cuda else 120):
            print(f'{a.kind} {step} {time.time() - t0:.0f}s {evaluate(ema, teacher, crops.held)}', flush=True)
            save(a, ema)
            logged = time.time()
    print(f'{a.kind} {step} {time.time() - t0:.0f}s {evaluate(ema, teacher, crops.held)}', flush=True)
    save(a, ema)


def save(a, net):
    tmp = os.path.join(a.work, a.kind + '.tmp')
    torch.save(net.state_dict(), tmp)
    os.rename(tmp, os.path.join(a.work, a.kind + '.ckpt'))


def export(a):
    import mtcnn_onnx
    for kind in NETS:
        net = NETS[kind]()
        net.load_state_dict(torch.load(os.path.join(a.work, kind + '.ckpt'), map_location='cpu'))
        if kind != 'pnet':
            shift = a.shift[kind == 'onet']
            with torch.no_grad():
                net.logit_bias().add_(torch.tensor([-shift / 2, shift / 2]))
        w = {k: v.numpy() for k, v in net.state_dict().items()}
        mtcnn_onnx.write(kind, w, os.path.join(a.out, f'mtcnn-{kind}.onnx'), 'facegate',
                         'MTCNN distilled by the Facegate project; see models/cards/mtcnn.md')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest='kind', required=True)
    for kind in ('collect', *NETS):
        q = sub.add_parser(kind)
        for name in ('teacher', 'data', 'work'):
            q.add_argument(name)
        q.add_argument('--minutes', type=float, default=20)
        q.add_argument('--seed', type=int, default=1)
        if kind == 'collect':
            continue
        q.add_argument('--device', default='cpu')
        q.add_argument('--batch', type=int, help=f'crops an update; by default {BATCH[False][kind]}, and {BATCH[True][kind]} with --device cuda')
        q.add_argument('--start', metavar='DIR', help='go on from DIR/KIND.ckpt; WORK itself goes on from its own')
        q.add_argument('--lr', type=float, default={'pnet': 2e-2, 'rnet': 1e-2, 'onet': 6e-3}[kind])
    q = sub.add_parser('export')
    q.add_argument('work')
    q.add_argument('out')
    q.add_argument('--shift', type=float, nargs=2, default=(0., 0.), metavar=('RNET', 'ONET'),
                   help="""added to the log odds of R-Net's and O-Net's probability: a student is less sure than its teacher, two in a row still
                   less, and the thresholds are to keep their meaning""")
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if a.kind == 'export':
        return export(a)
    os.makedirs(a.work, exist_ok=True)
    collect(a) if a.kind == 'collect' else train(a)


if __name__ == '__main__':
    main()

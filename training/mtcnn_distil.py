#!/usr/bin/env python3
"""Distils the shipped detector from facenet-pytorch's MIT-licensed MTCNN weights.

    mtcnn_distil.py collect TEACHER DATA WORK [--minutes M]     patches and candidate crops -> WORK/crops-*.npy
    mtcnn_distil.py pnet|rnet|onet TEACHER DATA WORK [--minutes M]    trains one network on them
    mtcnn_distil.py export  WORK OUT                            WORK/*.ckpt -> OUT/mtcnn-*.onnx

TEACHER holds pnet.pt, rnet.pt, onet.pt. DATA holds train-faces/ and background/. Networks start from random weights;
the loss asks for the teacher's probability and its boxes and points where it sees a face, and for nothing else. Nothing inside the
teacher is looked at: a layer that is asked to answer as the teacher's layer does ends up with the teacher's weights, and those are
not ours to ship. Scenes are composed: faces of all sizes, turned, cut and relit, over pictures without people.
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
from faces import warp
from mtcnn_nets import NETS, normalise
from soap import Soap


class Scenes:
    """An endless source of 3xHxW uint8 RGB pictures with none to four faces. Seeded."""

    def __init__(s, data, seed):
        s.rng = np.random.default_rng(seed)
        faces = sorted(glob.glob(os.path.join(data, 'train-faces', '*', '**', '*.*'), recursive=True))
        s.faces = [f for f in faces if f.lower().endswith(('.jpg', '.png', '.jpeg'))]
        s.plain = sorted(glob.glob(os.path.join(data, 'background', '*.jpg')))
        assert s.faces and s.plain, f'no pictures in {data}'

    def read(s, files):
        while True:
            img = cv2.imread(files[s.rng.integers(len(files))])
            if img is not None and min(img.shape[:2]) >= 24:
                return img

    def background(s, h, w):
        r = s.rng
        kind = r.random()
        if kind < .1:
            a, b = r.integers(0, 256, (2, 3))
            t = np.linspace(0, 1, w)[None, :, None] * np.ones((h, 1, 1))
            return (a + (b - a) * t + r.normal(0, r.uniform(0, 12), (h, w, 3))).clip(0, 255).astype(np.uint8)
        img = s.read(s.faces if kind < .3 else s.plain)
        k = max(h / img.shape[0], w / img.shape[1]) * r.uniform(1, 1.6)
        img = cv2.resize(img, None, fx=k, fy=k, interpolation=cv2.INTER_LINEAR if k > 1 else cv2.INTER_AREA)
        y, x = r.integers(0, img.shape[0] - h + 1), r.integers(0, img.shape[1] - w + 1)
        return img[y:y + h, x:x + w].copy()

    def relight(s, img):
        r = s.rng
        x = img.astype(np.float32)
        if r.random() < .5:
            x = (x - 128) * r.uniform(.5, 1.4) + 128 + r.uniform(-40, 40)
        if r.random() < .3:
            x = x * r.uniform(.8, 1.2, 3)
        if r.random() < .15:
            x[:] = x.mean(2, keepdims=True)
        if r.random() < .2:
            x = cv2.GaussianBlur(x, (0, 0), r.uniform(.4, 2))
        if r.random() < .2:
            x = x + r.normal(0, r.uniform(1, 12), x.shape)
        x = x.clip(0, 255).astype(np.uint8)
        if r.random() < .3:
            x = cv2.imdecode(cv2.imencode('.jpg', x, [cv2.IMWRITE_JPEG_QUALITY, int(r.integers(30, 95))])[1], 1)
        return x

    def covered(s, face):
        r, (h, w) = s.rng, face.shape[:2]
        shape = np.array([(.2, .55), (.5, .48), (.8, .55), (.78, .8), (.5, .97), (.22, .8)]) + r.normal(0, .03, (6, 2))
        color = r.integers(0, 256, 3) if r.random() < .5 else np.full(3, r.integers(0, 256)) + r.integers(-12, 13, 3)
        return cv2.fillPoly(face.copy(), [np.round(shape * (w, h)).astype(np.int32)], [int(v) for v in color.clip(0, 255)])

    def next(s, h=256, w=256):
        r = s.rng
        img = s.background(h, w)
        for _ in range(r.choice([0, 1, 2, 3, 4], p=[.1, .35, .3, .15, .1])):
            face = s.read(s.faces)
            fh, fw = face.shape[:2]
            size = np.exp(r.uniform(np.log(28), np.log(min(h, w) * 1.2)))
            k = size / max(fh, fw)
            if k < .6:
                face = cv2.resize(face, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
                fh, fw = face.shape[:2]
                k = 1.
            if r.random() < .15:      # something in front of a part of the face
                y, x = r.integers(0, fh), r.integers(0, fw)
                face = face.copy()
                face[y:y + fh // 3, x:x + fw // 3] = r.integers(0, 256, 3)
            if r.random() < .15:      # a mask over mouth and nose
                face = s.covered(face)
            angle = r.normal(0, 14) if r.random() < .6 else 0
            M = cv2.getRotationMatrix2D((fw / 2, fh / 2), angle, k)
            M[:, 2] += r.uniform(0, (w, h)) - (fw / 2, fh / 2)
            if r.random() < .5:
                face = face[:, ::-1]
            mask = cv2.warpAffine(np.full((fh, fw), 255, np.uint8), M, (w, h))
            if r.random() < .5:
                mask = cv2.GaussianBlur(mask, (0, 0), r.uniform(1, 4))
            top = cv2.warpAffine(np.ascontiguousarray(face), M, (w, h), borderMode=cv2.BORDER_REPLICATE)
            a = mask[..., None].astype(np.float32) / 255
            img = (img * (1 - a) + top * a).astype(np.uint8)
        return np.ascontiguousarray(s.relight(img)[..., ::-1].transpose(2, 0, 1))


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


def flush(a, parts, part):
    for k, v in parts.items():
        if v:
            tmp = os.path.join(a.work, f'{k}.{a.seed}.tmp.npy')
            np.save(tmp, np.concatenate(v))
            os.rename(tmp, os.path.join(a.work, f'crops-{k}-{a.seed}-{part:03d}.npy'))
            parts[k] = []
    return 1


def collect(a):
    teacher, cut = mtcnn_nets.load(a.teacher), Cropper()
    sc = Scenes(a.data, a.seed)
    rng, parts, t0, n, part = sc.rng, {'pnet': [], 'rnet': [], 'onet': []}, time.time(), 0, 0
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
        if n % 500 == 0:
            print(n, 'scenes', {k: sum(map(len, v)) for k, v in parts.items()}, f'{time.time() - t0:.0f}s', flush=True)
        if n % 1000 == 0:
            part += flush(a, parts, part)
    flush(a, parts, part)


def margin(out):
    return out['logit'][:, 1] - out['logit'][:, 0]


def loss_outputs(s, t):
    """Flattened heads: probability everywhere, doubled where it matters; boxes and points where there is a face."""
    ds, dt = margin(s).flatten(), margin(t).flatten()
    p = torch.sigmoid(dt)
    kl = F.binary_cross_entropy_with_logits(ds, p, reduction='none') - F.binary_cross_entropy_with_logits(dt, p, reduction='none')
    far = F.smooth_l1_loss(ds.clamp(-8, 8), dt.clamp(-8, 8), reduction='none')
    hard = (p > .02).float()
    w = 1 + hard
    loss = ((kl + .03 * far) * w).sum() / w.sum() * 4
    for name in ('reg', 'points'):
        if name in s:
            d = ((s[name] - t[name]) ** 2).mean(1).flatten()
            q = p + .01
            loss = loss + 30 * (d * q).sum() / q.sum()
    return loss, kl.detach(), p


class Crops:
    """The collected crops, on the device; every 50th is held out"""

    def __init__(self, a):
        files = sorted(glob.glob(os.path.join(a.work, f'crops-{a.kind}-*.npy')))
        if not files:
            raise SystemExit(f'{a.work}: no crops-{a.kind}-*.npy; make them with collect')
        x = np.concatenate([np.load(f) for f in files])
        held = np.arange(len(x)) % 50 == 0
        self.held, self.x = torch.from_numpy(x[held][:16384]).to(a.device), torch.from_numpy(x[~held]).to(a.device)
        print(f'{len(files)} files, {len(x)} crops', flush=True)

    def next(self, n):
        """n crops: mirrored, lit otherwise; a part of them misplaced or mixed with another, since the teacher answers whatever it is shown"""
        x = self.x[torch.randint(0, len(self.x), (n,), device=self.x.device)].float()
        chance = lambda p: torch.rand(n, 1, 1, 1, device=x.device) < p
        x = torch.where(chance(.5), x.flip(3), x)
        mixed = torch.rand(n, 1, 1, 1, device=x.device) * .5
        x = torch.where(chance(.15), x * (1 - mixed) + x.roll(1, 0) * mixed, x)
        gain = (torch.randn(n, 1, 1, 1, device=x.device) * .15).exp()
        x = ((x - 128) * gain + 128 + torch.randn(n, 1, 1, 1, device=x.device) * 12).clamp(0, 255)
        k = n // 2
        return torch.cat((x[:k], warp(x[k:], x.shape[-1], .08, .07, .03, .03, False)))


def evaluate(net, teacher, x):
    """On held-out crops: what the log prints"""
    with torch.no_grad():
        rows = []
        for q in x.split(4096):
            q = normalise(q.float())
            s, t = net(q), teacher(q)
            loss, kl, p = loss_outputs(s, t)
            ds = torch.sigmoid(margin(s)).flatten()
            thr = net.threshold
            face = p > thr
            row = [loss, kl.mean(), (ds - p).abs().mean(), ((ds > thr) & ~face).float().mean(), ((ds <= thr) & face).float().mean(), face.float().mean()]
            row += [((s[k] - t[k]).abs().flatten(1).mean(1) * face).mean() for k in ('reg', 'points') if k in s]
            rows.append(torch.stack(row))
        m = torch.stack(rows).mean(0).tolist()
    return (f'loss {m[0]:.4f} kl {m[1]:.5f} dp {m[2]:.4f} extra {m[3] / m[5]:.4f} missed {m[4] / m[5]:.4f} '
            f'box/points {" ".join(f"{v / m[5]:.4f}" for v in m[6:])}')


def train(a):
    torch.manual_seed(a.seed)
    torch.backends.cudnn.benchmark = True
    layout = torch.channels_last
    teacher, net, ema = (q.to(a.device).to(memory_format=layout) for q in (mtcnn_nets.load(a.teacher)[a.kind], NETS[a.kind](), NETS[a.kind]()))
    if a.start:
        net.load_state_dict(torch.load(os.path.join(a.start, a.kind + '.ckpt'), map_location=a.device))
    ema.load_state_dict(net.state_dict())
    crops = Crops(a)
    opt = Soap(net.parameters(), a.lr)
    t0, step, logged = time.time(), 0, time.time()
    while True:
        part = (time.time() - t0) / (a.minutes * 60)
        if part >= 1:
            break
        for g in opt.param_groups:
            g['lr'] = a.lr * min(1, step / 50 + .02) * .5 * (1 + math.cos(math.pi * part)) + 1e-6
        x = normalise(crops.next(a.batch)).contiguous(memory_format=layout)
        with torch.no_grad():
            t = teacher(x)
        loss, _, _ = loss_outputs(net(x), t)
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.)
        opt.step()
        step += 1
        with torch.no_grad():
            keep = min(.998, step / (step + 20))
            for e, w in zip(ema.parameters(), net.parameters()):
                e.lerp_(w, 1 - keep)
        if time.time() - logged > 15:
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
            with torch.no_grad():
                net.logit_bias().add_(torch.tensor([-a.shift / 2, a.shift / 2]))
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
        q.add_argument('--batch', type=int, default={'pnet': 512, 'rnet': 128, 'onet': 48}[kind], help='crops an update (CUDA: some thousands)')
        q.add_argument('--start', metavar='DIR', help='go on from DIR/KIND.ckpt')
        q.add_argument('--lr', type=float, default={'pnet': 2e-2, 'rnet': 1e-2, 'onet': 6e-3}[kind])
    q = sub.add_parser('export')
    q.add_argument('work')
    q.add_argument('out')
    q.add_argument('--shift', type=float, default=0., help="""added to the log odds of R-Net's and O-Net's probability: a student is less
                   sure than its teacher, two in a row still less, and the thresholds are to keep their meaning""")
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if a.kind == 'export':
        return export(a)
    os.makedirs(a.work, exist_ok=True)
    collect(a) if a.kind == 'collect' else train(a)


if __name__ == '__main__':
    main()

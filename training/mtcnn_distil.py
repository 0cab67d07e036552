#!/usr/bin/env python3
"""Distils the shipped detector from facenet-pytorch's MIT-licensed MTCNN weights.

    mtcnn_distil.py collect TEACHER DATA WORK [--minutes M]     patches and candidate crops -> WORK/crops-*.npy
    mtcnn_distil.py pnet|rnet|onet TEACHER DATA WORK [--minutes M]    trains one network on them
    mtcnn_distil.py layers pnet|rnet|onet TEACHER DATA WORK [--minutes M]    layer by layer, quickly, before or after
    mtcnn_distil.py export  WORK OUT                            WORK/*.ckpt -> OUT/mtcnn-*.onnx

TEACHER holds pnet.pt, rnet.pt, onet.pt. DATA holds train-faces/ and background/. Networks start from random weights;
the loss asks for the teacher's probability and its boxes and points where it sees a face. Hints (the teacher's inner
activations, whitened) speed up the first part and fade to nothing over the run, so that the end is judged by
outputs alone. Scenes are composed: faces of all sizes, turned, cut and relit, over pictures without people.
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
        if 'pnet' in a.only:
            parts['pnet'].append(patches(teacher['pnet'], rng, img))
        trace = {}
        if a.only == 'pnet':
            n += 1
            due = n % 2000 == 0 or time.time() - t0 >= a.minutes * 60
            part += due and flush(a, parts, part)
            continue
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
            print(n, 'scenes', {k: sum(map(len, v)) for k, v in parts.items()}, f'{time.time() - t0:.0f}s', flush=True)
        due = n % 2000 == 0 or time.time() - t0 >= a.minutes * 60
        part += due and flush(a, parts, part)


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


class Hints:
    """Mean squared distance of inner activations, each channel in units of the teacher's spread over the first batches."""

    def __init__(s):
        s.var = None

    def __call__(s, fs, ft):
        now = [f.detach().transpose(0, 1).flatten(1).var(1) + 1e-4 for f in ft]
        s.var = now if s.var is None else [.98 * v + .02 * n for v, n in zip(s.var, now)]
        total = 0.
        for a, b, v in zip(fs, ft, s.var):
            total = total + ((a - b) ** 2 / v.reshape(1, -1, *[1] * (a.dim() - 2))).mean()
        return total


def crop_batches(a):
    """Re-reads the folder now and then, so that training can start while collecting goes on."""
    rng, files, t0 = np.random.default_rng(a.seed), [], -1e9
    while True:
        if time.time() - t0 > 120:
            now = sorted(glob.glob(os.path.join(a.work, f'crops-{a.kind}-*.npy')))
            if now != files:
                files, X = now, [np.load(f, mmap_mode='r') for f in now]
                total = np.array([len(x) for x in X])
                print(len(files), 'files', total.sum(), 'crops', flush=True)
            t0 = time.time()
        k = rng.choice(len(X), p=total / total.sum())
        q = np.sort(rng.integers(0, len(X[k]), a.batch))
        x = torch.from_numpy(X[k][q]).float()
        x = torch.where(torch.from_numpy(rng.random((a.batch, 1, 1, 1)) < .5), x.flip(3), x)
        g = torch.from_numpy(np.exp(rng.normal(0, .15, (a.batch, 1, 1, 1))).astype(np.float32))
        o = torch.from_numpy(rng.normal(0, 12, (a.batch, 1, 1, 1)).astype(np.float32))
        yield ((x - 128) * g + 128 + o).clamp(0, 255)


def train(a):
    torch.manual_seed(a.seed)
    layout = torch.channels_last
    teacher, net = mtcnn_nets.load(a.teacher)[a.kind].to(memory_format=layout), NETS[a.kind]().to(memory_format=layout)
    if a.resume:
        net.load_state_dict(torch.load(os.path.join(a.work, a.kind + '.ckpt')))
    ema = NETS[a.kind]()
    ema.load_state_dict(net.state_dict())
    batches = crop_batches(a)
    opt = Soap(net.parameters(), a.lr)
    hints, t0, step, log = Hints(), time.time(), 0, []
    while True:
        part = (time.time() - t0) / (a.minutes * 60)
        if part >= 1:
            break
        for g in opt.param_groups:
            g['lr'] = a.lr * min(1, step / 50 + .02) * .5 * (1 + math.cos(math.pi * part)) + 1e-6
        x = normalise(next(batches)).contiguous(memory_format=layout)
        with torch.no_grad():
            ft = teacher.features(x)
            t = teacher.heads(ft[-1])
        if part < a.forced:     # every layer by itself, given what the teacher's layer is given
            fs = [stage(v) for stage, v in zip(net.stages(), [x] + ft)]
            s = net.heads(ft[-1])
        else:
            fs = net.features(x)
            s = net.heads(fs[-1])
        out, kl, p = loss_outputs(s, t)
        weight = 1. if part < a.forced else .3 * max(0., 1 - (part - a.forced) / (.85 - a.forced))
        loss = out + weight * hints(fs, ft) if weight else out
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.)
        opt.step()
        step += 1
        with torch.no_grad():
            keep = min(.998, step / (step + 20))
            for e, w in zip(ema.parameters(), net.parameters()):
                e.lerp_(w, 1 - keep)
            ds = torch.sigmoid(margin(s)).flatten()
            thr = .6 if a.kind == 'pnet' else .7
            face = p > thr
            row = [loss.item(), out.item(), kl.mean().item(), (ds - p).abs().mean().item(),
                   ((ds > thr) & ~face).sum().item(), ((ds <= thr) & face).sum().item(), face.sum().item()]
            for name in ('reg', 'points'):
                if name in s:
                    d = (s[name] - t[name]).abs().mean(1).flatten()
                    row.append((d * face).sum().item() / max(1, face.sum().item()))
            log.append(row)
        if step % 200 == 0:
            m = np.array(log).mean(0)
            log = []
            print(f'{a.kind} {step} {time.time() - t0:.0f}s loss {m[0]:.4f} out {m[1]:.4f} kl {m[2]:.5f} dp {m[3]:.4f} '
                  f'extra {m[4] / max(m[6], 1e-9):.4f} missed {m[5] / max(m[6], 1e-9):.4f} '
                  f'box/points {" ".join(f"{v:.4f}" for v in m[7:])}', flush=True)
            save(a, ema)
    save(a, ema)


def whitened(x):
    """Mean, and the matrices into coordinates of unit covariance and back: there every direction is learnt at one pace."""
    mu = x.mean(0)
    w, v = torch.linalg.eigh((x - mu).t() @ (x - mu) / len(x))
    root = (w.clamp(min=0) + 1e-4 * w.mean()).sqrt()
    return mu, v / root @ v.t(), v * root @ v.t()


@torch.no_grad()
def solve(x, y, w, b, slope, rounds=30):
    """PReLU(w x + b) = y by alternating least squares: each round takes the side of the kink that a sample is on at present as
    given, and solves for all units at once; where the slope is small its samples count less (Levenberg's damping). A unit keeps
    its best round. Slopes may be negative: then both sides look alike, and plain gradients get stuck on the wrong one; hence
    several beginnings."""
    one = torch.cat([x, torch.ones(len(x), 1)], 1)
    gram = torch.linalg.cholesky(one.t() @ one / len(x) + 1e-5 * torch.eye(one.shape[1]))
    mine, linear = torch.cat([w, b[:, None]], 1), torch.cholesky_solve(one.t() @ y / len(x), gram).t()
    best = torch.full((len(w),), float('inf'))
    kept, kept_slope = mine.clone(), slope.clone()
    begin = [(mine, slope)] + [(linear * 2 / (1 + s), torch.full_like(slope, s)) for s in (-.6, -.25, .05, .4)]
    begin += [(mine * torch.randn_like(mine).mul(.3).exp(), slope) for _ in range(3)]
    for round in range(rounds * len(begin)):
        if round % rounds == 0:
            m, slope = begin[round // rounds]
        z = one @ m.t()
        low = z < 0
        d = torch.where(low, slope, torch.ones(()))
        left = y - d * z
        error = left.square().mean(0)
        better = error < best
        best, kept[better], kept_slope[better] = torch.minimum(best, error), m[better], slope[better]
        m = torch.cholesky_solve(one.t() @ (z + left * d / (d.square() + .02)) / len(x), gram).t()
        z = one @ m.t()
        low = z < 0
        slope = (low * y * z).sum(0) / (low * z * z).sum(0).clamp(min=1e-6)
    return kept[:, :-1].contiguous(), kept[:, -1].contiguous(), kept_slope


def fit(layer, act, x, y, minutes, extra=None, params=()):
    """One layer (Linear or Conv2d, as a matrix over patches x) and its PReLU to the wanted outputs y. extra(batch, rows) adds
    to the loss."""
    mu, into, back = whitened(x)
    z = (x - mu) @ into
    w = (layer.weight.detach().flatten(1) @ back).requires_grad_()
    b = (layer.bias.detach() + layer.weight.detach().flatten(1) @ mu).requires_grad_()
    var = y.var(0) + 1e-4
    solved = solve(z, y, w.detach(), b.detach(), act.weight.detach())
    with torch.no_grad():
        for old, new in zip((w, b, act.weight), solved):
            old.copy_(new)
        print(f'{((F.prelu(F.linear(z, w, b), act.weight) - y) ** 2 / var).mean():.6f} of the variance left by least squares', flush=True)
    act.weight.requires_grad_()
    rate = 1e-3
    opt, t0, n = torch.optim.Adam([w, b, act.weight, *params], lr=rate), time.time(), 0
    while time.time() - t0 < minutes * 60:
        opt.param_groups[0]['lr'] = rate * .5 * (1 + math.cos(math.pi * min(1, (time.time() - t0) / (minutes * 60)))) + 1e-6
        q = torch.randint(len(z), (1024,))
        out = F.prelu(F.linear(z[q], w, b), act.weight)
        hint = ((out - y[q]) ** 2 / var).mean()
        loss = hint + extra(out, q) if extra else hint
        opt.zero_grad()
        loss.backward()
        opt.step()
        n += 1
    with torch.no_grad():
        layer.weight.copy_((w @ into).view_as(layer.weight))
        layer.bias.copy_(b - layer.weight.flatten(1) @ mu)
        left = ((F.prelu(F.linear(x, layer.weight.flatten(1), layer.bias), act.weight) - y) ** 2 / var).mean()
    print(f'{n} steps, {len(x)} patches of {x.shape[1]}: {left:.6f} of the variance left', flush=True)


def layers(a):
    """Every layer by itself, given what the teacher's layer is given, on random patches of many crops: neighbouring patches are
    near copies, so few of each crop teach more than all of some. Then the heads, and the dense layer once more on the network's own features."""
    torch.manual_seed(a.seed)
    teacher, net = mtcnn_nets.load(a.teacher)[a.net], NETS[a.net]()
    path = os.path.join(a.work, a.net + '.ckpt')
    if a.resume:
        net.load_state_dict(torch.load(path))
    a.kind, a.batch = a.net, 256
    convs = [m for m in net.children() if isinstance(m, torch.nn.Conv2d)]
    acts = [m for m in net.children() if isinstance(m, torch.nn.PReLU)]
    dense = next(m for m in net.children() if isinstance(m, torch.nn.Linear)) if a.net != 'pnet' else None
    batches, seen = crop_batches(a), {}
    x = torch.cat([next(batches) for _ in range(a.crops // a.batch)])
    for m in convs + [dense] * (dense is not None):     # what a layer is given, pooled and flattened as its stage does it
        m.register_forward_pre_hook(lambda m, v: seen.__setitem__(m, v[0]))
    with torch.no_grad():
        fs = [[] for _ in acts]
        for part in x.split(a.batch):
            for k, f in enumerate(teacher.features(normalise(part))):
                if k >= a.skip - 1:     # the first layers' are the largest by far
                    fs[k].append(f)
        fs = [torch.cat(f) if f else None for f in fs]
    minutes = a.minutes / (len(convs) - a.skip + 4)    # the dense layer is the widest
    for k, conv in enumerate(convs):
        if k < a.skip:
            continue
        xs, ys = [], []
        with torch.no_grad():
            for i in range(0, len(x), a.batch):
                net.stages()[k](normalise(x[i:i + a.batch]) if k == 0 else fs[k - 1][i:i + a.batch])
                patches = F.unfold(seen[conv], conv.kernel_size).transpose(1, 2)
                want = fs[k][i:i + a.batch].flatten(2).transpose(1, 2)
                pos = torch.randint(patches.shape[1], (len(patches), min(a.patches, patches.shape[1])))
                rows = torch.arange(len(patches))[:, None]
                xs.append(patches[rows, pos].flatten(0, 1)), ys.append(want[rows, pos].flatten(0, 1))
        fit(conv, acts[k], torch.cat(xs), torch.cat(ys), minutes)
        save(a, net)
    if dense is None:
        return
    heads = [m for m in net.children() if isinstance(m, torch.nn.Linear) and m is not dense]
    with torch.no_grad():
        t = [teacher.heads(fs[-1][i:i + a.batch]) for i in range(0, len(x), a.batch)]
        t = {k: torch.cat([o[k] for o in t]) for k in t[0]}
        own = []
        for i in range(0, len(x), a.batch):
            net.features(normalise(x[i:i + a.batch]))
            own.append(seen[dense])
    fit(dense, acts[-1], torch.cat(own), fs[-1], 4 * minutes, lambda out, q: loss_outputs(net.heads(out), {k: v[q] for k, v in t.items()})[0],
        [w for m in heads for w in m.parameters()])
    save(a, net)


def save(a, net):
    tmp = os.path.join(a.work, a.kind + '.tmp')
    torch.save(net.state_dict(), tmp)
    os.rename(tmp, os.path.join(a.work, a.kind + '.ckpt'))


def export(a):
    import mtcnn_onnx
    for kind in NETS:
        w = {k: v.numpy() for k, v in torch.load(os.path.join(a.work, kind + '.ckpt')).items()}
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
        q.add_argument('--only', default='pnet rnet onet', help='collect: which networks to collect for')
        q.add_argument('--batch', type=int, default={'pnet': 512, 'rnet': 128, 'onet': 48}.get(kind, 1))
        q.add_argument('--forced', type=float, default=.5, help='share of the time in which layers learn one by one')
        q.add_argument('--resume', action='store_true', help='go on from WORK/KIND.ckpt')
        q.add_argument('--lr', type=float, default={'pnet': 2e-2, 'rnet': 1e-2}.get(kind, 6e-3))
    q = sub.add_parser('layers')
    q.add_argument('net', choices=tuple(NETS))
    for name in ('teacher', 'data', 'work'):
        q.add_argument(name)
    q.add_argument('--minutes', type=float, default=10)
    q.add_argument('--crops', type=int, default=20000)
    q.add_argument('--patches', type=int, default=4, help='of a crop')
    q.add_argument('--seed', type=int, default=1)
    q.add_argument('--resume', action='store_true', help='go on from WORK/NET.ckpt')
    q.add_argument('--skip', type=int, default=0, help='leave the first layers as they are')
    q = sub.add_parser('export')
    q.add_argument('work')
    q.add_argument('out')
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if a.kind == 'export':
        return export(a)
    os.makedirs(a.work, exist_ok=True)
    {'collect': collect, 'layers': layers}.get(a.kind, train)(a)


if __name__ == '__main__':
    main()

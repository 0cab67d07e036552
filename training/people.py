#!/usr/bin/env python3
"""People who do not exist, for tests, demo and background cohort.

    people.py model  MTCNN UTKFACE WORK                    the face model -> WORK/people-model.npz
    people.py sheet  WORK MTCNN RETAIL OUT.png [--skip ..] candidates, chosen as `select` would, to be looked at
    people.py select WORK MTCNN RETAIL OUT_DIR [--skip ..] the shipped portraits

A model of shape and texture (Cootes et al., "Active Appearance Models", 1998, with optical flow in place of marked
points): several hundred sharp frontal faces are aligned by their five points, brought into exact correspondence by
dense optical flow towards their mean, and the principal components of flow and of texture are kept, for women and men
apart. A person is a random draw of both. `select` keeps draws that MTCNN finds, that retail-0095 holds far from one
another, and that are far from every face the model was made of.

MTCNN: folder with the published weights. RETAIL: face-reidentification-retail-0095 without suffix.
"""
import argparse
import glob
import os

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import mtcnn_nets
from align import chip, similarity

SIDE = 224
# Five points in the frame of the model, as fractions: the mean of UTKFace, with some room around the head.
FRAME = np.array([(.3222, .2355), (.6778, .2355), (.5, .455), (.3381, .6118), (.6619, .6118)])
TEXTURE, SHAPE = 80, 30                     # components kept
YY, XX = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
HEAD = ((XX - SIDE / 2) / 75) ** 2 + ((YY - SIDE / 2) / 95) ** 2 < 1


def landmarks(nets, folder, wanted, rng):
    """Yields (file, woman, picture, points) of faces of adults, in random order."""
    files = []
    for f in sorted(glob.glob(os.path.join(folder, '*.jpg'))):
        part = os.path.basename(f).split('_')
        if len(part) == 4 and 16 <= int(part[0]) <= 60:
            files.append((f, int(part[1])))
    rng.shuffle(files)
    for f, woman in files[:wanted]:
        img = cv2.imread(f)
        box, score, pts = mtcnn_nets.detect(nets, img[..., ::-1], 70)
        if len(box) and score[0] > .999:
            yield f, woman, img, pts[0]


def frontal(p):
    eyes, mouth = (p[0] + p[1]) / 2, (p[3] + p[4]) / 2
    span, axis = np.linalg.norm(p[1] - p[0]), mouth - eyes
    length = np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]]) / length
    yaw = abs((p[2] - eyes) @ across) / span
    pitch = (p[2] - eyes) @ axis / length ** 2
    return yaw < .07 and abs(p[1, 1] - p[0, 1]) / span < .25 and abs(pitch - .583) < .08


def good_light(img):
    """Sharp, evenly lit, in colour; no bright or dark bar between the eyes, which glasses leave."""
    grey = cv2.cvtColor(img, cv2.COLOR_BGR2GRAY).astype(np.float32)
    core = grey[60:170, 50:174]
    colour = cv2.cvtColor(img, cv2.COLOR_BGR2HSV)[60:170, 50:174, 1].mean()
    bridge = np.abs(np.diff(grey[42:72, 98:126].mean(1))).max() / core.std()
    return (cv2.Laplacian(core, cv2.CV_32F).var() > 30 and 70 < core.mean() < 200 and 25 < colour < 140 and
            abs(core[:, :62].mean() - core[:, 62:].mean()) < 14 and bridge < .30)


def flatten_light(grey):
    f = grey.astype(np.float32)
    m = cv2.GaussianBlur(f, (0, 0), 12)
    s = np.sqrt(cv2.GaussianBlur((f - m) ** 2, (0, 0), 12)) + 6
    return np.clip((f - m) / s * 50 + 128, 0, 255).astype(np.uint8)


def correspond(grey, rounds=(9, 7, 6)):
    """Flow from the evolving mean to every picture; smoother at first."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    ref = flatten_light(grey.mean(0).astype(np.uint8))
    flow, err = np.zeros((len(grey), SIDE, SIDE, 2), np.float32), np.zeros(len(grey))
    for blur in rounds:
        total = np.zeros((SIDE, SIDE))
        for k, g in enumerate(grey):
            flow[k] = cv2.GaussianBlur(dis.calc(ref, g, None), (0, 0), blur)
            warped = cv2.remap(g, XX + flow[k, ..., 0], YY + flow[k, ..., 1], cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_REFLECT_101)
            err[k] = np.abs(warped.astype(np.float32) - ref)[HEAD].mean()
            total += warped
        ref = flatten_light((total / len(grey)).clip(0, 255).astype(np.uint8))
    return flow, err


def components(a, k):
    """Mean, k principal directions (columns) and their standard deviations. In PyTorch for its matrix products."""
    a = torch.from_numpy(a)
    mu = a.mean(0)
    b = a - mu
    w, v = torch.linalg.eigh(b @ b.t())
    w, v = w.flip(0)[:k].clamp(min=1e-6), v.flip(1)[:, :k]
    return mu.numpy(), (b.t() @ (v / w.sqrt())).numpy(), (w / len(a)).sqrt().numpy()


def build(a):
    rng = np.random.RandomState(5)
    nets = mtcnn_nets.load(a.mtcnn)
    pics, women = [], []
    for f, woman, img, p in landmarks(nets, a.utkface, 7000, rng):
        if not frontal(p):
            continue
        m = similarity(p.astype(np.float64), FRAME * SIDE)
        w = cv2.warpAffine(img, m, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if good_light(w):
            pics.append(w)
            women.append(woman)
    pics, women = np.stack(pics), np.array(women)
    flow, err = correspond(np.stack([flatten_light(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY)) for p in pics]))
    reach = np.abs(flow[:, HEAD]).mean((1, 2))
    ok = (reach < np.percentile(reach, 85)) & (err < np.percentile(err, 85))
    print(len(pics), 'faces', ok.sum(), 'kept', women[ok].sum(), 'women')
    pics, flow, women = pics[ok], flow[ok], women[ok]
    out = {'sources': np.stack([chip(p, FRAME * SIDE, 128) for p in pics])}
    for sex in (0, 1):
        sel = np.nonzero(women == sex)[0]
        tex = np.stack([cv2.remap(pics[k], XX + flow[k, ..., 0], YY + flow[k, ..., 1], cv2.INTER_CUBIC,
                                  borderMode=cv2.BORDER_REFLECT_101) for k in sel])
        out[f't_mean{sex}'], out[f't_dir{sex}'], out[f't_sd{sex}'] = components(
            tex.reshape(len(sel), -1).astype(np.float32), TEXTURE)
        out[f's_mean{sex}'], out[f's_dir{sex}'], out[f's_sd{sex}'] = components(
            flow[sel][:, ::4, ::4].reshape(len(sel), -1), SHAPE)
    np.savez(os.path.join(a.work, 'people-model.npz'), **out)


class Model:
    def __init__(self, work):
        z = np.load(os.path.join(work, 'people-model.npz'))
        self.z = {k: z[k] for k in z.files}
        self.torch = {k: torch.from_numpy(v) for k, v in self.z.items() if '_dir' in k}

    def draw(self, rng, sex, texture=.75, shape=.8):
        """Coefficients of one person: truncated normal."""
        def normal(n):
            return np.clip(rng.randn(n), -2.2, 2.2).astype(np.float32)
        return sex, normal(TEXTURE) * texture * self.z[f't_sd{sex}'], normal(SHAPE) * shape * self.z[f's_sd{sex}']

    def face(self, person):
        """SIDE x SIDE x 3 BGR float in the frame, and the flow that carries the mean shape to this one."""
        sex, ct, cs = person
        z, t = self.z, self.torch
        tex = z[f't_mean{sex}'] + (t[f't_dir{sex}'] @ torch.from_numpy(ct)).numpy()
        flow = z[f's_mean{sex}'] + (t[f's_dir{sex}'] @ torch.from_numpy(cs)).numpy()
        flow = cv2.resize(flow.reshape(SIDE // 4, SIDE // 4, 2), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        back = -flow
        for _ in range(5):      # fixed point: back(x) = -flow(x + back(x))
            back = -cv2.remap(flow, XX + back[..., 0], YY + back[..., 1], cv2.INTER_LINEAR,
                              borderMode=cv2.BORDER_REPLICATE)
        warp = lambda a: cv2.remap(a, XX + back[..., 0], YY + back[..., 1], cv2.INTER_CUBIC,
                                   borderMode=cv2.BORDER_REPLICATE)
        return warp(tex.reshape(SIDE, SIDE, 3).clip(0, 255)), warp


BACKDROPS = [(168, 160, 150), (140, 146, 150), (186, 178, 166), (120, 128, 140), (150, 164, 150), (176, 160, 152)]
CLOTHES = [(92, 62, 42), (58, 58, 66), (70, 92, 60), (52, 44, 110), (120, 104, 84), (140, 132, 126), (96, 48, 88)]
HAIR = [(26, 24, 26), (32, 38, 52), (40, 58, 84), (62, 92, 128), (96, 132, 164), (34, 44, 92)]
HEAD_X, HEAD_Y, HEAD_TOP, HEAD_LOW = 76., 100., 104., 104.
SIZE = 256
# Made-up names, man and woman in turn as `choose` gives them. The first five in alphabet are the demo's team.
NAMES = ('bruno ada dario carla felix elena hugo greta ivan ines leo kira noah maja otto rosa').split()


def smooth_step(v, a, b):
    t = np.clip((v - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def over(img, colour, mask):
    return img * (1 - mask[..., None]) + colour * mask[..., None]


def disc(cx, cy, rx, ry, edge):
    """1 inside a superellipse, 0 outside, with a soft edge of `edge` pixels."""
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    d = (np.abs((xx - cx) / rx) ** 2.4 + np.abs((yy - cy) / ry) ** 2.4) ** (1 / 2.4)
    return 1 - smooth_step(d, 1 - edge / min(rx, ry), 1 + edge / min(rx, ry))


def portrait(model, person, rng):
    """SIZE x SIZE x 3 uint8 BGR: head, hair and shoulders before a plain backdrop."""
    woman = person[0] == 1
    face, warp = model.face(person)
    k, cx = .92, SIZE / 2
    m = np.array([[k, 0, cx - SIDE / 2 * k], [0, k, 30.]])
    put = lambda a, border: cv2.warpAffine(a, m, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=border)
    d = (np.abs((XX - SIDE / 2) / HEAD_X) ** 2.3 + np.abs((YY - HEAD_Y) / np.where(YY < HEAD_Y, HEAD_TOP, HEAD_LOW)) ** 2.3)
    mask = put(warp((1 - smooth_step(d ** (1 / 2.3), .90, 1.0)).astype(np.float32)), cv2.BORDER_CONSTANT).clip(0, 1)
    face = put(face, cv2.BORDER_REPLICATE)
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    side = np.abs(xx - cx)
    img = np.array(BACKDROPS[rng.randint(len(BACKDROPS))], np.float32)
    img = img * (1.08 - .3 * np.hypot((xx - 110) / SIZE, (yy - 90) / SIZE))[..., None]

    skin = np.median(face[int(30 + k * 130):int(30 + k * 150), int(cx) - 40:int(cx) + 40].reshape(-1, 3), 0)
    strands = cv2.GaussianBlur(rng.randn(SIZE, SIZE).astype(np.float32), (0, 0), 1.1, sigmaY=9) * 2
    hair = np.array(HAIR[rng.choice(range(6) if woman and skin.mean() > 120 else [0, 1, 2])], np.float32)
    hair = hair * (1 + .3 * strands + .25 * np.cos((xx - cx + 25) / 40))[..., None]
    wide, high = (82, 92) if woman else (72, 88)
    crown = disc(cx, 112, wide, high, 3)
    fall = woman and rng.rand() < .8            # down to the shoulders
    behind = np.maximum(crown, disc(cx, 150, wide + 6 * rng.rand(), 92, 4) * (yy > 100)) if fall else crown * (
        1 - smooth_step(yy, 120, 150))
    img = over(img, hair * .8, behind)

    neck = (1 - smooth_step(side - 3 * smooth_step(yy, 205, 240), 38, 44)) * smooth_step(yy, 150, 160)
    img = over(img, skin * (.9 - .30 * (1 - smooth_step(yy, 205, 236)) - .1 * (side / 44) ** 2)[..., None], neck)
    cloth = np.array(CLOTHES[rng.randint(len(CLOTHES))], np.float32)
    collar = np.where(side < 42, 222 + 16 * np.sqrt((1 - (side / 42) ** 2).clip(0, 1)), 222 + 18 * ((side - 42).clip(0) / 86) ** 1.5)
    fold = 1 + .08 * np.sin(xx / 19 + 2 * np.sin(yy / 23)) - .25 * (side / 128) ** 2
    img = over(img, cloth * fold[..., None], smooth_step(yy - collar, -2, 2))

    img = over(img, face, mask)
    line = (62 if woman else 50) + rng.randint(-5, 7)   # the hairline: hair lies outside this opening
    opening = disc(cx + rng.randint(-6, 7), line + 80, 68 if woman else 66, 80, 8)
    low = 200 if fall else 125 if woman else 100
    img = over(img, hair, crown * (1 - opening) * (1 - smooth_step(yy, low - 30, low)))
    return (img + rng.randn(SIZE, SIZE, 1) * 1.2).clip(0, 255).astype(np.uint8)


class Embedder:
    def __init__(self, mtcnn, retail):
        from teacher import IR
        self.nets, self.ir = mtcnn_nets.load(mtcnn), IR(retail).eval()

    def chips(self, chips):
        """(N,128,128,3) BGR uint8 -> unit vectors."""
        out = []
        with torch.no_grad():
            for k in range(0, len(chips), 32):
                x = torch.from_numpy(np.ascontiguousarray(chips[k:k + 32])).permute(0, 3, 1, 2).float()
                out.append(F.normalize(self.ir(x).reshape(len(x), -1).float()))
        return torch.cat(out).numpy()

    def picture(self, img):
        """The chip of the only face, or None."""
        box, score, pts = mtcnn_nets.detect(self.nets, img[..., ::-1], 40)
        return chip(img, pts[0], 128) if len(box) == 1 and score[0] > .99 else None


def choose(a, count=16, pool=140):
    model, emb = Model(a.work), Embedder(a.mtcnn, a.retail)
    skip = {int(v) for v in a.skip.split(',') if v}
    people = []
    for k in range(pool):
        rng = np.random.RandomState(1000 + k)
        p = portrait(model, model.draw(rng, k % 2), rng)
        c = emb.picture(p)
        if c is not None:
            people.append((k, p, c))
    e = emb.chips(np.stack([c for _, _, c in people]))
    s = emb.chips(model.z['sources'])
    near = (e @ s.T).max(1)
    cos = e @ e.T
    ok = [i for i, (k, _, _) in enumerate(people) if k not in skip and near[i] < .5]
    print(f'{len(people)} of {pool} found; {len(ok)} usable; nearest source face: median {np.median(near):.2f} max {near.max():.2f}')
    # Greedy, women and men in turn, always the one farthest from those already chosen.
    got = [min((i for i in ok if people[i][0] % 2 == 0), key=lambda i: cos[i, ok].mean())]
    while len(got) < count:
        rest = [i for i in ok if i not in got and people[i][0] % 2 != people[got[-1]][0] % 2]
        got.append(min(rest, key=lambda i: cos[i, got].max()))
    sub = cos[np.ix_(got, got)] - 2 * np.eye(count)
    print(f'{count} chosen: cosine between two at most {sub.max():.3f}, mean {sub[sub > -1].mean():.3f}; '
          f'to a source face at most {near[got].max():.3f}')
    return [people[i] for i in got]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest='verb', required=True)
    q = sub.add_parser('model')
    for n in ('mtcnn', 'utkface', 'work'):
        q.add_argument(n)
    for verb in ('sheet', 'select'):
        q = sub.add_parser(verb)
        for n in ('work', 'mtcnn', 'retail', 'out'):
            q.add_argument(n)
        q.add_argument('--skip', default='', help='numbers of draws not to take, by eye')
    a = p.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if a.verb == 'model':
        return build(a)
    got = choose(a)
    if a.verb == 'sheet':
        tiles = [cv2.putText(p.copy(), str(k), (4, 16), 0, .5, (0, 0, 255), 1) for k, p, _ in got]
        cv2.imwrite(a.out, np.vstack([np.hstack(tiles[r:r + 4]) for r in range(0, len(tiles), 4)]))
        return None
    os.makedirs(a.out, exist_ok=True)
    for name, (_, img, _) in zip(NAMES, got):
        cv2.imwrite(os.path.join(a.out, name + '.jpg'), img, [cv2.IMWRITE_JPEG_QUALITY, 93])
    return None


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Faces with hair and surroundings: what the face crops lack, and photos have.

A quarter of a chip cut from UTKFace lies outside of the picture, and the teacher's answer depends much on what is there (cosine
0.70 to 0.80 when a whole photo's upper fifth is replaced by its repeated border). A student that never sees hair is near the
teacher on such crops and far from it on photos. So:

    context.py POOL real NAME              the few chips that are whole, under a name of their own (targets copied)
    context.py POOL made NAME --count 2500 --seed 1
        70 %: a crop, softly set into a whole chip of somebody else (aligned, so the hairline fits; colours matched); a third
              of these crops are blends of two, and so are a third of the surroundings
        30 %: a blend of two whole chips
    The teacher then labels what was made, like any picture: teacher.py ... --plain
"""
import argparse
import glob

import cv2
import numpy as np

from distill_embedder import HELD_OUT


def inside(corners):
    m = np.zeros((128, 128), np.uint8)
    cv2.fillConvexPoly(m, np.round(corners).astype(np.int32), 255)
    return m


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pool'), p.add_argument('what', choices=('real', 'made')), p.add_argument('name')
    p.add_argument('--count', type=int, default=2500), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--whole', type=float, default=.12, help='a chip is whole if less than this of it lies outside of the picture')
    a = p.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.RandomState(a.seed)
    files = [f[:-len('.corners.npy')] for f in sorted(glob.glob(a.pool + '/chips*.corners.npy'))]
    chips = [np.load(f + '.npy', mmap_mode='r') for f in files]
    corners = [np.load(f + '.corners.npy') for f in files]
    whole, crops = [], []
    for k, c in enumerate(corners):
        for i in range(len(c)):
            if i % HELD_OUT:
                ((whole if (inside(c[i]) == 0).mean() < a.whole else crops)).append((k, i))
    print(f'{len(whole)} whole chips, {len(crops)} crops', flush=True)
    frame = np.array([(-1, -1), (128, -1), (128, 128), (-1, 128)], np.float32)
    base = f'{a.pool}/{a.name}'
    if a.what == 'real':
        targets = [np.load(f + '.targets.npy', mmap_mode='r') for f in files]
        np.save(base + '.npy', np.stack([chips[k][i] for k, i in whole]))
        np.save(base + '.corners.npy', np.repeat(frame[None], len(whole), 0))
        np.save(base + '.targets.npy', np.stack([targets[k][i] for k, i in whole]))
        return

    def pick(index):
        k, i = index[rng.randint(len(index))]
        face, q = np.asarray(chips[k][i]), corners[k][i].copy()
        if rng.rand() < .5:
            face, q[:, 0] = face[:, ::-1], 127 - q[:, 0]
        return np.ascontiguousarray(face).astype(np.float32), q

    def pick_blend(index):
        face, q = pick(index)
        if rng.rand() < 1 / 3:
            other, r = pick(index)
            w = rng.uniform(.3, .5)
            face, q = face * (1 - w) + other * w, np.stack((q, r))
        return face, q.reshape(-1, 4, 2)

    out = np.empty((a.count, 128, 128, 3), np.uint8)
    for n in range(a.count):
        donor, _ = pick_blend(whole)
        if rng.rand() < .7:
            face, quads = pick_blend(crops)
            gain = (face[45:110, 35:93].mean((0, 1)) + 8) / (donor[45:110, 35:93].mean((0, 1)) + 8)
            donor *= gain.clip(.5, 2) ** rng.uniform(.5, 1)
            s = np.exp(rng.randn() * .05)
            m = np.array([[s, 0, 64 - 64 * s + rng.randn() * 2], [0, s, 64 - 64 * s + rng.randn() * 2]])
            donor = cv2.warpAffine(donor, m, (128, 128), borderMode=cv2.BORDER_REPLICATE)
            w = np.minimum.reduce([inside(q) for q in quads])
            w = cv2.erode(w, np.ones((5, 5), np.uint8), borderValue=255)
            w = cv2.GaussianBlur(w, (0, 0), rng.uniform(1, 5)).astype(np.float32)[..., None] / 255
            face = face * w + donor * (1 - w)
        else:
            other, _ = pick(whole)
            w = rng.uniform(.25, .5)
            face = donor * (1 - w) + other * w
        out[n] = face.clip(0, 255).round()
    np.save(base + '.corners.npy', np.repeat(frame[None], a.count, 0))
    np.save(base + '.npy', out)


if __name__ == '__main__':
    main()

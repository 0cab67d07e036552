#!/usr/bin/env python3
"""New "people": blends of two aligned chips, which the teacher can label like any face.

    morphs.py POOL NAME --count 5000 --seed 1

Reads the pool's chips*.npy (never the held-out ones), writes POOL/NAME.npy and POOL/NAME.corners.npy (both parents' corners).
"""
import argparse
import glob

import numpy as np

from distill_embedder import HELD_OUT


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pool'), p.add_argument('name')
    p.add_argument('--count', type=int, default=5000), p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    rng = np.random.RandomState(a.seed)
    files = [f for f in sorted(glob.glob(a.pool + '/chips*.npy')) if f.count('.') == a.pool.count('.') + 1]
    chips = [np.load(f, mmap_mode='r') for f in files]
    corners = [np.load(f.replace('.npy', '.corners.npy')) for f in files]
    index = [(k, i) for k, c in enumerate(chips) for i in range(len(c)) if i % HELD_OUT]
    out, where = np.empty((a.count, 128, 128, 3), np.uint8), np.empty((a.count, 2, 4, 2), np.float32)
    for n in range(a.count):
        pair = [index[i] for i in rng.randint(0, len(index), 2)]
        w, faces = rng.uniform(.3, .5), []
        for q, (k, i) in enumerate(pair):
            face, c = np.asarray(chips[k][i]), corners[k][i].copy()
            if rng.rand() < .5:
                face, c[:, 0] = face[:, ::-1], 127 - c[:, 0]
            faces.append(face.astype(np.float32))
            where[n, q] = c
        out[n] = (faces[0] * (1 - w) + faces[1] * w).round()
    np.save(f'{a.pool}/{a.name}.corners.npy', where)
    np.save(f'{a.pool}/{a.name}.npy', out)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Make the training chips: every known face of the data folder, aligned at 128 px by O-Net's five points.

The pictures are face crops already, so the pyramid is skipped: O-Net looks at a few square boxes about the centre (or
about the labelled box), the best one is refined once by its own regression, and faces below --min-score are dropped
(that removes the odd non-faces). About 3 O-Net passes a face.

    chips.py ../shared/data ../shared/models/mtcnn chips [--set train|lfw] [--part 0/2]

Writes OUT.npy (N,128,128,3) uint8 RGB, OUT.corners.npy (N,4,2: where the picture's corners lie in the chip, since outside of
them the chip only repeats the border) and OUT.names (one line a chip: path, score).
"""
import argparse
import glob
import json
import os

import cv2
import numpy as np
import torch

import mtcnn_nets
from align import TEMPLATE, chip, similarity


def cut(image, box):
    """The square box at 48 px; outside of the picture is black, as MTCNN pads."""
    x1, y1, x2, y2 = (int(round(v)) for v in box)
    h, w = image.shape[:2]
    patch = np.zeros((max(y2 - y1, 8), max(x2 - x1, 8), 3), np.uint8)
    a, b, c, d = max(x1, 0), max(y1, 0), min(x1 + patch.shape[1], w), min(y1 + patch.shape[0], h)
    if c > a and d > b:
        patch[b - y1:d - y1, a - x1:c - x1] = image[b:d, a:c]
    return cv2.resize(patch, (48, 48), interpolation=cv2.INTER_AREA)


def ask(net, images, boxes):
    x = np.stack([cut(i, b) for i, b in zip(images, boxes)]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        out = net(mtcnn_nets.normalise(torch.from_numpy(x).float()))
    score, reg, pts = out['logit'].softmax(1)[:, 1].numpy(), out['reg'].numpy(), out['points'].numpy()
    b = np.array([[round(v) for v in q] for q in boxes], np.float64)
    side = b[:, 2:] - b[:, :2]
    refined = b + reg * np.tile(side, 2)
    points = np.stack([b[:, :1] + pts[:, :5] * side[:, :1], b[:, 1:2] + pts[:, 5:] * side[:, 1:]], 2)
    return score, refined, points


def square(box):
    cx, cy, s = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1])
    return (cx - s / 2, cy - s / 2, cx + s / 2, cy + s / 2)


def find(net, images, starts, rounds=1):
    """images: list; starts: for each a list of square boxes. Returns score and points of the best face of each."""
    owner = [i for i, s in enumerate(starts) for _ in s]
    score, refined, points = ask(net, [images[i] for i in owner], [b for s in starts for b in s])
    best = {}
    for k, i in enumerate(owner):
        if i not in best or score[k] > score[best[i]]:
            best[i] = k
    boxes = [square(refined[best[i]]) for i in range(len(images))]
    for _ in range(rounds):
        score, refined, points = ask(net, images, boxes)
        boxes = [square(b) for b in refined]
    return score, points


def centred(w, h, fractions):
    s = min(w, h)
    return [(w / 2 - s * f / 2, h / 2 - s * f / 2, w / 2 + s * f / 2, h / 2 + s * f / 2) for f in fractions]


def sources(data, which):
    """Yields (path, box or None, fractions of the side to start from)."""
    if which == 'lfw':
        for f in sorted(glob.glob(data + '/lfw-dev/**/*.jpg', recursive=True)):
            yield f, None, (.38, .46, .56)
        return
    for f in sorted(glob.glob(data + '/train-faces/utkface/**/*.jpg', recursive=True)):
        yield f, None, (.65,)
    for f in sorted(glob.glob(data + '/train-faces/unmasked12k/**/*.jpg', recursive=True)):
        yield f, None, (.75, 1.)
    for name, entry in sorted(json.load(open(data + '/detect/boxes.json')).items()) if os.path.exists(data + '/detect/boxes.json') else ():
        for box in entry:
            yield os.path.join(data, 'detect', name), box['box'], (.85, 1., 1.2)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('data'), p.add_argument('mtcnn'), p.add_argument('out')
    p.add_argument('--set', default='train', choices=('train', 'lfw'))
    p.add_argument('--part', default='0/1', help='this process makes every n-th file: i/n')
    p.add_argument('--min-score', type=float, default=.9)
    a = p.parse_args()
    torch.set_num_threads(1)
    part, parts = map(int, a.part.split('/'))
    net = mtcnn_nets.load(a.mtcnn)['onet']
    todo = list(sources(a.data, a.set))
    if a.set == 'train':
        np.random.RandomState(0).shuffle(todo)
    todo = todo[part::parts]
    chips, corners, names, dropped = [], [], [], 0
    for k in range(0, len(todo), 64):
        images, starts, paths = [], [], []
        for path, box, fractions in todo[k:k + 64]:
            im = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if im is None:
                continue
            im = im[..., ::-1].copy()
            if box is None:
                start = centred(im.shape[1], im.shape[0], fractions)
            else:
                cx, cy, s = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1])
                if s < 24:
                    continue
                start = [(cx - s * f / 2, cy - s * f / 2, cx + s * f / 2, cy + s * f / 2) for f in fractions]
            images.append(im), starts.append(start), paths.append(path)
        if not images:
            continue
        score, points = find(net, images, starts, 2 if a.set == 'lfw' else 1)
        for im, s, pt, path in zip(images, score, points, paths):
            if s < a.min_score and a.set == 'train':
                dropped += 1
                continue
            chips.append(chip(im, pt, 128))
            h, w = im.shape[:2]
            m = similarity(pt, TEMPLATE * 128)
            corners.append(np.array([(0, 0, 1), (w - 1, 0, 1), (w - 1, h - 1, 1), (0, h - 1, 1)]) @ m.T)
            names.append(f'{os.path.relpath(path, a.data)} {s:.4f}')
        if k % 6400 == 0:
            print(f'{k}/{len(todo)} kept {len(chips)} dropped {dropped}', flush=True)
    np.save(a.out + '.corners.npy', np.stack(corners).astype(np.float32))
    np.save(a.out + '.npy', np.stack(chips))
    open(a.out + '.names', 'w').write('\n'.join(names) + '\n')
    print(f'{len(chips)} chips, {dropped} dropped')


if __name__ == '__main__':
    main()

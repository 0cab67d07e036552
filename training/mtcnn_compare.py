#!/usr/bin/env python3
"""Compares the shipped detector with the published one.

    mtcnn_compare.py OURS PUBLISHED FOLDER_OR_FILE... [--most N] [--min-face 40]

Takes the published detector's faces as the truth: recall, faces that only ours finds, distance of the points in box
widths, IoU. Measuring only; nothing is chosen by it.
"""
import argparse
import glob
import os

import cv2
import numpy as np
import torch

import mtcnn_nets


def iou(a, b):
    w = np.maximum(0, np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])).prod(2)
    area = lambda v: (v[:, 2:] - v[:, :2]).prod(1)
    return w / (area(a)[:, None] + area(b)[None] - w)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('ours'), p.add_argument('published'), p.add_argument('pictures', nargs='+')
    p.add_argument('--most', type=int, default=0), p.add_argument('--min-face', type=float, default=40)
    a = p.parse_args()
    torch.set_num_threads(1)
    ours, theirs = mtcnn_nets.load(a.ours), mtcnn_nets.load(a.published)
    for source in a.pictures:
        files = [source]
        if os.path.isdir(source):
            files = sorted(f for e in ('jpg', 'png') for f in glob.glob(os.path.join(source, '**', '*.' + e), recursive=True))
        if a.most and len(files) > a.most:
            files = [files[int(k)] for k in np.linspace(0, len(files) - 1, a.most)]
        truth = both = extra = 0
        dist, ious = [], []
        for f in files:
            img = cv2.imread(f)
            if img is None:
                continue
            rgb = img[..., ::-1]
            b, _, p = mtcnn_nets.detect(ours, rgb, a.min_face)
            c, _, q = mtcnn_nets.detect(theirs, rgb, a.min_face)
            truth += len(c)
            if not len(b) or not len(c):
                extra += len(b)
                continue
            m = iou(c, b)
            k = m.argmax(1)
            hit = m.max(1) > .5
            both += hit.sum()
            extra += (m.max(0) <= .5).sum()
            ious += list(m.max(1)[hit])
            dist += list(np.linalg.norm(p[k] - q, axis=2).mean(1)[hit] / (c[:, 2] - c[:, 0])[hit])
        print(f'{source}: {len(files)} pictures, {truth} faces, recall {both / max(1, truth):.4f}, only ours {extra}, '
              f'IoU median {np.median(ious):.3f}, points median {np.median(dist):.4f} 95 % {np.percentile(dist, 95):.4f}', flush=True)


if __name__ == '__main__':
    main()

"""Scenes composed for distilling the detector: faces of all sizes, turned, cut, covered and relit, over pictures without people."""
import glob
import os

import cv2
import numpy as np


def pictures(pattern):
    return sorted(f for f in glob.glob(pattern, recursive=True) if f.lower().endswith(('.jpg', '.jpeg', '.png', '.webp')))


class Scenes:
    """An endless source of 3xHxW uint8 RGB pictures with none to twelve faces. Seeded."""

    def __init__(s, data, seed):
        s.rng = np.random.default_rng(seed)
        s.faces = pictures(os.path.join(data, 'train-faces', '*', '**', '*.*'))
        s.plain = pictures(os.path.join(data, 'background', '*.*'))
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
        """A mask over mouth and nose: cloth with a shade across and some grain"""
        r, (h, w) = s.rng, face.shape[:2]
        shape = np.array([(.2, .55), (.5, .48), (.8, .55), (.78, .8), (.5, .97), (.22, .8)]) + r.normal(0, .03, (6, 2))
        color = r.integers(0, 256, 3) if r.random() < .5 else np.full(3, r.integers(0, 256)) + r.integers(-12, 13, 3)
        shade = np.linspace(*r.uniform(.7, 1.1, 2), h)[:, None, None] * np.linspace(*r.uniform(.8, 1.1, 2), w)[None, :, None]
        cloth = (color * shade + r.normal(0, r.uniform(0, 6), (h, w, 1))).clip(0, 255).astype(np.uint8)
        where = cv2.fillPoly(np.zeros((h, w), np.uint8), [np.round(shape * (w, h)).astype(np.int32)], 1)
        return np.where(where[..., None] > 0, cloth, face)

    def altered(s, face):
        """What the known faces, well lit and frontal, have too little of: few pixels, dark skin, things and masks in front"""
        r, (h, w) = s.rng, face.shape[:2]
        if r.random() < .12:
            k = r.uniform(.15, .6)
            small = cv2.resize(face, (max(int(w * k), 8), max(int(h * k), 8)), interpolation=cv2.INTER_AREA)
            face = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
        if r.random() < .15:
            table = 255 * (np.arange(256) / 255) ** r.uniform(1, 2.2) * r.uniform(.6, 1)
            face = cv2.LUT(face, table.astype(np.uint8))
        if r.random() < .15:
            y, x = r.integers(0, h), r.integers(0, w)
            face = face.copy()
            face[y:y + h // 3, x:x + w // 3] = r.integers(0, 256, 3)
        return s.covered(face) if r.random() < .25 else face

    def next(s, h=256, w=256):
        r = s.rng
        img = s.background(h, w)
        crowd = r.random() < .15      # many small faces
        for _ in range(r.integers(4, 13) if crowd else r.choice([0, 1, 2, 3, 4], p=[.1, .35, .3, .15, .1])):
            face = s.read(s.faces)
            size = np.exp(r.uniform(np.log(22), np.log(72 if crowd else min(h, w) * 1.2)))
            k = size / max(face.shape[:2])
            if k < .6:
                face = cv2.resize(face, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
                k = 1.
            fh, fw = face.shape[:2]
            face = s.altered(face)
            angle = r.normal(0, 14) if r.random() < .6 else 0
            M = cv2.getRotationMatrix2D((fw / 2, fh / 2), angle, k)
            if r.random() < .15:      # narrow, as a head that is turned
                M[:, :2] = M[:, :2] @ np.diag([r.uniform(.7, 1), 1])
                M[:, 2] = (fw / 2, fh / 2) - M[:, :2] @ (fw / 2, fh / 2)
            M[:, 2] += r.uniform(0, (w, h)) - (fw / 2, fh / 2)
            if r.random() < .5:
                face = face[:, ::-1]
            mask = cv2.warpAffine(np.full((fh, fw), 255, np.uint8), M, (w, h))
            if r.random() < .5:
                mask = cv2.GaussianBlur(mask, (0, 0), r.uniform(1, 4) * min(1, size / 60))
            top = cv2.warpAffine(np.ascontiguousarray(face), M, (w, h), borderMode=cv2.BORDER_REPLICATE)
            a = mask[..., None].astype(np.float32) / 255
            img = (img * (1 - a) + top * a).astype(np.uint8)
        return np.ascontiguousarray(s.relight(img)[..., ::-1].transpose(2, 0, 1))

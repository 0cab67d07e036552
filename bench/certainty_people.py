#!/usr/bin/python3
"""People for bench/certainty, from a file that `facegate eval openset --photos 1 --out` has kept.

    bench/certainty_people.py halves PEOPLE.npz A.npz B.npz
        people divided in two by a hash of their names
    bench/certainty_people.py strangers PHOTOS.npz OUT.npz LOOK
        photos of one person each: who is there twice is left out but once, and of what all photos have in common so much
        is taken away that two people's mean cosine is LOOK. Each photo is enrolled, and tried by its mirror image, so that
        only what is said of strangers means anything.
    bench/certainty_people.py cohort PEOPLE.npz IMAGES REST.npz FOLDER
        600 of those of whom IMAGES has a single photo, linked into FOLDER to be a cohort; REST.npz has everybody else.

Needs python3-numpy.
"""
import hashlib
import os
import sys

import numpy as np

SAME = 0.5  # cosine, with the common look taken away: above it two photos are taken to be of one person
MOST = 1600
COHORT = 600


def keep(path, file, rows):
    np.savez(path, model=file['model'], **{key: file[key][rows] for key in ('data', 'label', 'segment')})


def digest(name):
    return hashlib.sha256(name.encode()).digest()


def halves(source, first, second):
    file = np.load(source)
    names, of = np.unique(file['label'], return_inverse=True)
    half = np.array([digest(name)[0] % 2 for name in names])[of]
    keep(first, file, half == 1)
    keep(second, file, half == 0)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def look_of(rows):
    total = rows.sum(0)
    return (total @ total - len(rows)) / (len(rows) * (len(rows) - 1))


def strangers(source, out, look):
    file = np.load(source)
    views = np.count_nonzero(file['segment'] == file['segment'][0])
    photos = file['data'].astype(float).reshape(-1, views, file['data'].shape[1])
    names = file['label'][::views]
    mean = photos[:, 0].mean(0)
    cosines = np.triu(unit(photos[:, 0] - mean) @ unit(photos[:, 0] - mean).T, 1)
    chosen = np.flatnonzero(~(cosines > SAME).any(0))[:MOST]
    photos, names = photos[chosen], names[chosen]
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        if look_of(unit(photos[:, 0] - share * mean)) > look:
            low = share
        else:
            high = share
    photos = unit(photos - high * mean)
    mirrored = photos[:, np.arange(views) ^ 1]  # src/face/vary.c: every other variation is mirrored
    count = 2 * len(photos)
    np.savez(out, data=np.stack([photos, mirrored], 1).reshape(-1, photos.shape[2]).astype(np.float32),
             label=np.repeat(names, 2 * views), segment=np.repeat(np.arange(count), views), model=file['model'])


def cohort(source, images, rest, folder):
    file = np.load(source)
    photos = {name: os.listdir(os.path.join(images, name)) for name in set(file['label'])}
    chosen = sorted((name for name in photos if len(photos[name]) == 1), key=digest)[:COHORT]
    for name in chosen:
        os.symlink(os.path.abspath(os.path.join(images, name, photos[name][0])), os.path.join(folder, name + '.jpg'))
    keep(rest, file, ~np.isin(file['label'], chosen))


if __name__ == '__main__':
    if sys.argv[1:2] == ['halves'] and len(sys.argv) == 5:
        halves(*sys.argv[2:])
    elif sys.argv[1:2] == ['strangers'] and len(sys.argv) == 5:
        strangers(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    elif sys.argv[1:2] == ['cohort'] and len(sys.argv) == 6:
        cohort(*sys.argv[2:])
    else:
        sys.exit(__doc__)

#!/usr/bin/env python3
"""How near the student comes to the teacher, by UTKFace's labels (age, gender, race), on the held-out chips.

    groups.py POOL TEACHER MODEL.onnx

UTKFace names no identities, so no verification error can be given by group; the cosine to the teacher's answer is what
these labels allow. The labels are the data set's own, and coarse. Then the same of faces that it was trained with, for comparison, and
of those of both that have their hair and surroundings.
"""
import argparse
import collections
import glob
import os

import numpy as np
import torch

from distill_embedder import Teacher
from faces import HELD_OUT, Faces
from measure import embeddings

GENDER, RACE = ('male', 'female'), ('White', 'Black', 'Asian', 'Indian', 'other')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('pool'), p.add_argument('teacher'), p.add_argument('model')
    a = p.parse_args()
    torch.set_num_threads(1)
    chips, names = [], []
    for f in sorted(glob.glob(a.pool + '/chips*.names')):
        chips.append(np.load(f.replace('.names', '.npy'), mmap_mode='r')[::HELD_OUT])
        names += open(f).read().splitlines()[::HELD_OUT]
    teacher = Teacher(a.teacher, 'cpu')

    def cosines(chips):
        targets = torch.cat([teacher(x.permute(0, 3, 1, 2).float()) for x in torch.from_numpy(chips).split(32)]).numpy()
        return (embeddings(a.model, chips, False) * targets).sum(1)

    cos = cosines(np.concatenate(chips))
    groups = collections.defaultdict(list)
    for name, c in zip(names, cos):
        groups['all'].append(c)
        part = os.path.basename(name.split()[0]).split('_')
        if 'utkface' not in name or len(part) < 4:
            groups['not UTKFace (no labels)'].append(c)
            continue
        age = int(part[0])
        groups['age ' + ('0-9' if age < 10 else '10-19' if age < 20 else '20-39' if age < 40 else '40-59' if age < 60 else '60+')].append(c)
        groups[GENDER[int(part[1])]].append(c)
        groups[RACE[int(part[2])]].append(c)
    print('| group | faces | mean cosine | 10th percentile |\n|---|---|---|---|')
    for k in sorted(groups, key=lambda g: (g != 'all', g)):
        v = np.array(groups[k])
        print(f'| {k} | {len(v)} | {v.mean():.3f} | {np.percentile(v, 10):.3f} |')
    faces = Faces(a.pool, 'cpu')
    print('\n| | faces | mean cosine |\n|---|---|---|')
    for what, places in (('trained with', faces.known), ('held out', faces.held), ('trained with, whole', faces.whole), ('held out, whole', faces.held_whole)):
        some = faces.chips[places[::max(1, len(places) // 400)]].numpy()
        print(f'| {what} | {len(some)} | {cosines(some).mean():.3f} |')


if __name__ == '__main__':
    main()

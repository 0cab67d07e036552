#!/usr/bin/env python3
"""The background cohort: people who do not exist, as one contact sheet of aligned chips.

    cohort.py WORK OUT.jpg     WORK: folder of people-model.npz (people.py model)

Random draws of the face model of people.py, other ones than the shipped portraits, aligned by the points that the model itself is drawn at."""
import sys

import cv2
import numpy as np

from align import chip
from people import FRAME, SIDE, SIZE, Model, portrait

COUNT, COLUMNS, CHIP, FIRST_SEED = 500, 25, 128, 100000


def main():
    model = Model(sys.argv[1])
    k = .92  # where portrait() puts the model's frame
    points = FRAME * SIDE * k + np.array([SIZE / 2 - SIDE / 2 * k, 30.])
    sheet = np.zeros((COUNT // COLUMNS * CHIP, COLUMNS * CHIP, 3), np.uint8)
    for i in range(COUNT):
        rng = np.random.RandomState(FIRST_SEED + i)
        face = chip(portrait(model, model.draw(rng, i % 2), rng), points, CHIP)
        y, x = i // COLUMNS * CHIP, i % COLUMNS * CHIP
        sheet[y:y + CHIP, x:x + CHIP] = np.clip(face, 0, 255)
    cv2.imwrite(sys.argv[2], sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()

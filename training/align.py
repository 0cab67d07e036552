"""The chip geometry shared by every script: five points -> similarity transform -> aligned face.

Points are left eye, right eye, nose, left and right mouth corner as seen in the picture. TEMPLATE holds their places
as fractions of the chip's side; a chip's pixel (i, j) has its centre at (i, j), as in src/face/align.c.
"""
import cv2
import numpy as np

TEMPLATE = np.array([(.31556875, .46157410), (.68262292, .46157410), (.50026250, .64050536),
                     (.34947188, .82469196), (.65343646, .82469196)])


def similarity(src, dst):
    """Least-squares similarity without reflection (Umeyama 1991): the 2x3 matrix that maps src to dst."""
    ms, md = src.mean(0), dst.mean(0)
    s, d = src - ms, dst - md
    u, sv, vt = np.linalg.svd(d.T @ s / len(src))
    sign = np.ones(2)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[1] = -1
    rot = u @ np.diag(sign) @ vt
    scale = (sv * sign).sum() / (s ** 2).sum() * len(src)
    return np.hstack([scale * rot, (md - scale * rot @ ms)[:, None]])


def chip(image, points, size):
    """The aligned face, size x size, bilinear, border repeated."""
    m = similarity(np.asarray(points, np.float64), TEMPLATE * size)
    return cv2.warpAffine(image, m, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

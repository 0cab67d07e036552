"""P-Net, R-Net and O-Net in PyTorch, and the cascade over them, as `facegate detect` runs it.

Used to distil the shipped detector and to measure it. The cascade follows the published settings (thresholds
0.6/0.7/0.7, factor 0.709) and the conventions of facenet-pytorch: the pyramid resizes by area averaging, boxes are
inclusive pixels.
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import mtcnn_to_onnx
import mtcnn_onnx

THRESHOLDS = (0.6, 0.7, 0.7)
FACTOR = 0.709


class Net(nn.Module):
    """stages() are the layers up to the last inner activation, each with the pooling before it; heads() the outputs; logit_bias() that
    of R-Net's and O-Net's two logits; threshold is what the probability is held against."""

    def features(s, x):
        out = []
        for stage in s.stages():
            x = stage(x)
            out.append(x)
        return out

    def forward(s, x):
        return s.heads(s.features(x)[-1])


class PNet(Net):
    threshold = THRESHOLDS[0]

    def __init__(s):
        super().__init__()
        s.conv1, s.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        s.conv2, s.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        s.conv3, s.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        s.conv4_1, s.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def stages(s):
        return [lambda x: s.prelu1(s.conv1(x)),
                lambda a: s.prelu2(s.conv2(F.max_pool2d(a, 2, 2, ceil_mode=True))),
                lambda b: s.prelu3(s.conv3(b))]

    def heads(s, last):
        return {'reg': s.conv4_2(last), 'logit': s.conv4_1(last)}


class RNet(Net):
    threshold = THRESHOLDS[1]

    def __init__(s):
        super().__init__()
        s.conv1, s.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        s.conv2, s.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        s.conv3, s.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        s.dense4, s.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        s.dense5_1, s.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def stages(s):
        return [lambda x: s.prelu1(s.conv1(x)),
                lambda a: s.prelu2(s.conv2(F.max_pool2d(a, 3, 2, ceil_mode=True))),
                lambda b: s.prelu3(s.conv3(F.max_pool2d(b, 3, 2, ceil_mode=True))),
                lambda c: s.prelu4(s.dense4(c.flatten(1)))]

    def heads(s, last):
        return {'reg': s.dense5_2(last), 'logit': s.dense5_1(last)}

    def logit_bias(s):
        return s.dense5_1.bias


class ONet(Net):
    threshold = THRESHOLDS[2]

    def __init__(s):
        super().__init__()
        s.conv1, s.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        s.conv2, s.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        s.conv3, s.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        s.conv4, s.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        s.dense5, s.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        s.dense6_1, s.dense6_2, s.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def stages(s):
        return [lambda x: s.prelu1(s.conv1(x)),
                lambda a: s.prelu2(s.conv2(F.max_pool2d(a, 3, 2, ceil_mode=True))),
                lambda b: s.prelu3(s.conv3(F.max_pool2d(b, 3, 2, ceil_mode=True))),
                lambda c: s.prelu4(s.conv4(F.max_pool2d(c, 2, 2, ceil_mode=True))),
                lambda d: s.prelu5(s.dense5(d.flatten(1)))]

    def heads(s, last):
        return {'reg': s.dense6_2(last), 'points': s.dense6_3(last), 'logit': s.dense6_1(last)}

    def logit_bias(s):
        return s.dense6_1.bias


NETS = {'pnet': PNet, 'rnet': RNet, 'onet': ONet}


def load(folder):
    """Published .pt files, or our own checkpoints (KIND.ckpt), or ONNX files, whichever the folder has."""
    nets = {}
    for kind, cls in NETS.items():
        net = cls()
        onnx_path = os.path.join(folder, f'mtcnn-{kind}.onnx')
        if os.path.exists(onnx_path):
            import onnx
            from onnx import numpy_helper
            w = {t.name: numpy_helper.to_array(t) for t in onnx.load(onnx_path).graph.initializer}
            w = {k: v.reshape(-1) if 'prelu' in k else v for k, v in w.items()}
        else:
            w = mtcnn_to_onnx.read_state_dict(os.path.join(folder, kind + '.pt'))
            if kind in mtcnn_to_onnx.FIRST_DENSE:
                name, ch = mtcnn_to_onnx.FIRST_DENSE[kind]
                w[name] = mtcnn_onnx.nchw_dense(w[name], ch)
        net.load_state_dict({k: torch.from_numpy(np.array(v, np.float32)) for k, v in w.items()})
        nets[kind] = net.eval()
        for p in net.parameters():
            p.requires_grad_(False)
    return nets


def normalise(x):
    return (x - 127.5) / 128


def pyramid(h, w, min_face):
    scale, side = 12 / min_face, min(h, w) * 12 / min_face
    while side >= 12:
        yield scale, int(h * scale + 1), int(w * scale + 1)
        scale, side = scale * FACTOR, side * FACTOR


def nms(boxes, scores, threshold, minimum=False):
    """Greedy; `minimum` divides by the smaller area and counts inclusive pixels, as the last stage does."""
    one = 1. if minimum else 0.
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + one) * (y2 - y1 + one)
    order, keep = np.argsort(-scores, kind='stable'), []
    while len(order):
        i, rest = order[0], order[1:]
        keep.append(i)
        w = np.maximum(0, np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]) + one)
        h = np.maximum(0, np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]) + one)
        inter = w * h
        base = np.minimum(area[i], area[rest]) if minimum else area[i] + area[rest] - inter
        order = rest[inter <= threshold * base]
    return np.array(keep, int)


def square(b):
    w, h = b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]
    side = np.maximum(w, h)
    out = b.copy()
    out[:, 0] = b[:, 0] + w * .5 - side * .5
    out[:, 1] = b[:, 1] + h * .5 - side * .5
    out[:, 2], out[:, 3] = out[:, 0] + side, out[:, 1] + side
    return out


def regress(b, reg, one=1.):
    size = np.stack([b[:, 2] - b[:, 0] + one, b[:, 3] - b[:, 1] + one] * 2, 1)
    return b + reg * size


def crops(img, boxes, side):
    """img: 1x3xHxW float tensor. Returns normalised crops and which boxes had any pixel inside."""
    _, _, H, W = img.shape
    out, ok = [], []
    for x1, y1, x2, y2 in boxes.astype(np.int64):
        x1, y1, x2, y2 = max(x1, 1), max(y1, 1), min(x2, W), min(y2, H)
        good = y2 > y1 - 1 and x2 > x1 - 1
        ok.append(good)
        if good:
            out.append(F.interpolate(img[:, :, y1 - 1:y2, x1 - 1:x2], size=(side, side), mode='area'))
    return (normalise(torch.cat(out)) if out else torch.zeros(0, 3, side, side)), np.array(ok, bool)


@torch.no_grad()
def detect(nets, rgb, min_face=40, thresholds=THRESHOLDS, trace=None):
    """rgb: HxWx3 uint8. Returns boxes (n,4), scores (n), points (n,5,2), best first. `trace` collects stage inputs."""
    img = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float()
    H, W = img.shape[2:]
    empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
    found = []
    for scale, h, w in pyramid(H, W, min_face):
        out = nets['pnet'](normalise(F.interpolate(img, size=(h, w), mode='area')))
        prob = out['logit'].softmax(1)[0, 1].numpy()
        ys, xs = np.nonzero(prob >= thresholds[0])
        if not len(ys):
            continue
        # In float32 as the published code does: 3 / 0.3 must fall on the same side of 10.
        b = np.stack([2 * xs + 1, 2 * ys + 1, 2 * xs + 12, 2 * ys + 12], 1).astype(np.float32)
        b = np.floor(b / np.float32(scale))
        s, r = prob[ys, xs], out['reg'][0].numpy()[:, ys, xs].T
        k = nms(b, s, .5)
        found.append((b[k], s[k], r[k]))
    if not found:
        return empty
    b, s, r = (np.concatenate(v) for v in zip(*found))
    k = nms(b, s, .7)
    b = square(regress(b[k], r[k], 0.))
    x, ok = crops(img, b, 24)
    b = b[ok]
    if trace is not None:
        trace['rnet'] = b.copy()
    out = nets['rnet'](x)
    s = out['logit'].softmax(1)[:, 1].numpy()
    ok = s > thresholds[1]
    b, s, r = b[ok], s[ok], out['reg'].numpy()[ok]
    k = nms(b, s, .7)
    b = square(regress(b[k], r[k]))
    if not len(b):
        return empty
    x, ok = crops(img, b, 48)
    b = b[ok]
    if trace is not None:
        trace['onet'] = b.copy()
    if not len(b):
        return empty
    out = nets['onet'](x)
    s = out['logit'].softmax(1)[:, 1].numpy()
    ok = s > thresholds[2]
    b, s, r, p = b[ok], s[ok], out['reg'].numpy()[ok], out['points'].numpy()[ok]
    size = np.stack([b[:, 2] - b[:, 0] + 1, b[:, 3] - b[:, 1] + 1], 1)
    pts = p.reshape(-1, 2, 5).transpose(0, 2, 1) * size[:, None] + b[:, None, :2] - 1
    b = regress(b, r)
    k = nms(b, s, .7, True)
    return b[k], s[k], pts[k]


def main():
    """mtcnn_nets.py WEIGHTS SHARED: compares the cascade with SHARED/vectors/mtcnn.json."""
    import json
    import cv2
    torch.set_num_threads(1)
    nets = load(sys.argv[1])
    doc = json.load(open(os.path.join(sys.argv[2], 'vectors/mtcnn.json')))
    worst, point, score, counts = 1., 0., 0., 0
    for e in doc['images']:
        img = cv2.imread(os.path.join(sys.argv[2], e['image']), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        b, s, p = detect(nets, img[..., ::-1])
        counts += len(b) != len(e['faces'])
        if len(b) != len(e['faces']):
            print(e['image'], len(b), len(e['faces']))
        for f in e['faces']:
            g = np.array(f['box'])
            w = np.maximum(0, np.minimum(b[:, 2:], g[2:]) - np.maximum(b[:, :2], g[:2])).prod(1)
            iou = w / ((b[:, 2:] - b[:, :2]).prod(1) + (g[2:] - g[:2]).prod() - w)
            k = iou.argmax()
            worst = min(worst, iou[k])
            point = max(point, np.abs(p[k] - np.array(f['points'])).max() / (g[2] - g[0]))
            score = max(score, abs(s[k] - f['score']))
    print(f"{len(doc['images'])} images, {counts} with another number of faces, least IoU {worst:.4f}, "
          f'points within {point:.4f} of the width, scores within {score:.4f}')


if __name__ == '__main__':
    main()

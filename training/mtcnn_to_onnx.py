#!/usr/bin/env python3
"""Converts facenet-pytorch's published MTCNN weights (pnet.pt, rnet.pt, onet.pt) to ONNX, without PyTorch.

    mtcnn_to_onnx.py DIR_WITH_PT OUT_DIR

Writes OUT_DIR/mtcnn-{pnet,rnet,onet}.onnx and a manifest.json that names them 'mtcnn-published', so that
`facegate --model-path OUT_DIR --detector mtcnn-published` runs them. Needs only numpy and onnx. The .pt files are PyTorch's old format:
a magic number, a version, the machine, the state dict and the list of storages, each a pickle, then the raw storages.
The graphs read the dense layers' input as plain (c, h, w), so the published permutation is folded into the weights.
"""
import collections
import hashlib
import json
import os
import pickle
import struct
import sys

import numpy as np

import mtcnn_onnx

MAGIC = 0x1950a86a20f9469cfc6c
FIRST_DENSE = {'rnet': ('dense4.weight', 64), 'onet': ('dense5.weight', 128)}


class Unpickler(pickle.Unpickler):
    """Understands float tensors and nothing else: a .pt file may otherwise run any code."""
    storages = None

    def find_class(self, module, name):
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if (module, name) == ('torch', 'FloatStorage'):
            return np.float32
        raise pickle.UnpicklingError(f'unexpected {module}.{name}')

    def persistent_load(self, pid):
        return pid[2]


def read_state_dict(path):
    with open(path, 'rb') as f:
        if Unpickler(f).load() != MAGIC:
            raise ValueError(f'{path}: not a PyTorch file of the old format')
        Unpickler(f).load()
        Unpickler(f).load()
        state = Unpickler(f).load()
        storages = {}
        for key in Unpickler(f).load():
            n = struct.unpack('<q', f.read(8))[0]
            raw = f.read(4 * n)
            if len(raw) != 4 * n:
                raise ValueError(f'{path}: cut short')
            storages[key] = np.frombuffer(raw, '<f4')
    out = {}
    for name, (key, offset, size, stride) in state.items():
        s = storages[key]
        out[name] = np.lib.stride_tricks.as_strided(s[offset:], size, [4 * v for v in stride]).copy()
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    src, dst = sys.argv[1:]
    os.makedirs(dst, exist_ok=True)
    files = []
    for kind in mtcnn_onnx.NETWORKS:
        weights = read_state_dict(os.path.join(src, kind + '.pt'))
        if kind in FIRST_DENSE:
            name, channels = FIRST_DENSE[kind]
            weights[name] = mtcnn_onnx.nchw_dense(weights[name], channels)
        out = os.path.join(dst, f'mtcnn-{kind}.onnx')
        mtcnn_onnx.write(kind, weights, out, 'facegate', 'converted from facenet-pytorch (MIT)')
        print(out)
        data = open(out, 'rb').read()
        files.append({'file': os.path.basename(out), 'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()})
    model = {'name': 'mtcnn-published', 'kind': 'detector', 'licence': 'MIT', 'files': files,
             'description': "facenet-pytorch's MTCNN weights, converted; for reference, not shipped",
             'input': {'width': 0, 'height': 0, 'color': 'rgb', 'mean': 127.5, 'scale': 1 / 128}}
    with open(os.path.join(dst, 'manifest.json'), 'w') as f:
        json.dump({'version': 1, 'models': [model]}, f, indent=1)
        f.write('\n')


if __name__ == '__main__':
    main()

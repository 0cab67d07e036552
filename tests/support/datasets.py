"""Datasets as numpy writes them, for tests/unit/test_dataset.c, and the reading of Facegate's by numpy.

    datasets.py make DIR      good-*: all of the same 5 x 8 numbers and labels; bad-*: to be refused
    datasets.py check FILE    of either form: prints shape, type, the labels, and the SHA-256 of the rows' bytes
"""
import hashlib
import io
import os
import pickle
import pickletools
import sys
import zipfile

import numpy

N, SIZE = 5, 8
DATA = numpy.array([[((i * 31 + j * 7) % 64 - 32) / 64 for j in range(SIZE)] for i in range(N)])  # exact in every type
LABEL = ['Ada', 'Ada', 'Zoë 😀', 'Bruno', 'Ada']


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def make(folder):
    def save(name, data):
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(data)

    def npz(name, compressed=False, **arrays):
        out = io.BytesIO()
        (numpy.savez_compressed if compressed else numpy.savez)(out, **arrays)
        save(name, out.getvalue())

    for kind in ('f2', 'f4', 'f8'):
        for order in '<>':
            data = DATA.astype(order + kind)
            npz(f'good-{kind}-{"le" if order == "<" else "be"}.npz', data=data, label=numpy.array(LABEL))
            npz(f'good-{kind}-{"le" if order == "<" else "be"}-fortran.npz', data=numpy.asfortranarray(data), label=numpy.array(LABEL))
            for protocol in range(2, 6):
                dump = lambda o: pickle.dumps(o, protocol=protocol)
                tag = f'{kind}-{"le" if order == "<" else "be"}-p{protocol}'
                save(f'good-list-{tag}.pickle', dump({'data': [row for row in data], 'label': LABEL}))
                save(f'good-matrix-{tag}.pickle', dump({'data': data, 'label': numpy.array(LABEL)}))
                save(f'good-fortran-{tag}.pickle', dump({'data': numpy.asfortranarray(data), 'label': LABEL}))
                save(f'good-copies-{tag}.pickle', dump({'label': [numpy.str_(t) for t in LABEL], 'data': [row.reshape(1, -1).copy() for row in data]}))
    npz('good-compressed.npz', True, data=DATA.astype('f4'), label=numpy.array(LABEL).astype('>U9'), segment=numpy.arange(N, dtype='>i2'),
        model=numpy.array(['ab' * 32]))
    row = DATA.astype('f4')[0]
    save('good-optimized.pickle', pickletools.optimize(pickle.dumps({'data': list(DATA.astype('f4')), 'label': LABEL}, protocol=4)))
    save('good-extra-keys.pickle', pickle.dumps({'note': 'x', 'when': 1.5, 'n': 2 ** 40, 'data': list(DATA.astype('f4')), 'label': LABEL}, protocol=4))

    marker = os.path.join(folder, 'executed')
    for protocol in range(2, 6):
        save(f'bad-system-p{protocol}.pickle', pickle.dumps({'data': Evil(os.system, f'touch {marker}'), 'label': LABEL}, protocol=protocol))
    save('bad-eval.pickle', pickle.dumps(Evil(eval, f'open({marker!r}, "w")'), protocol=4))
    save('bad-objects.pickle', pickle.dumps({'data': numpy.array([Evil(os.system, f'touch {marker}')], dtype=object), 'label': ['a']}, protocol=4))
    save('bad-object-rows.pickle', pickle.dumps({'data': [numpy.array(list(row), dtype=object)] * N, 'label': LABEL}, protocol=4))
    save('bad-records.pickle', pickle.dumps({'data': [numpy.zeros(8, dtype='f4,i4')] * N, 'label': LABEL}, protocol=4))
    save('bad-lists.pickle', pickle.dumps({'data': DATA.tolist(), 'label': LABEL}, protocol=4))
    save('bad-lengths.pickle', pickle.dumps({'data': list(DATA[:4].astype('f4')), 'label': LABEL}, protocol=4))
    save('bad-ragged.pickle', pickle.dumps({'data': [*DATA[:4].astype('f4'), DATA[4, :7].astype('f4')], 'label': LABEL}, protocol=4))
    save('bad-labels.pickle', pickle.dumps({'data': list(DATA.astype('f4')), 'label': [1, 2, 3, 4, 5]}, protocol=4))
    save('bad-empty-label.pickle', pickle.dumps({'data': list(DATA.astype('f4')), 'label': ['a', 'b', '', 'd', 'e']}, protocol=4))
    save('bad-surrogate.pickle', pickle.dumps({'data': list(DATA.astype('f4')), 'label': ['a', 'b', '\ud800', 'd', 'e']}, protocol=4))
    save('bad-keys.pickle', pickle.dumps({'X': list(DATA.astype('f4')), 'y': LABEL}, protocol=4))
    save('bad-none.pickle', pickle.dumps(None, protocol=4))
    save('bad-empty.pickle', pickle.dumps({'data': [], 'label': []}, protocol=4))
    save('bad-p0.pickle', pickle.dumps({'data': [], 'label': []}, protocol=0))
    loop = []
    loop.append(loop)
    save('bad-loop.pickle', pickle.dumps({'data': loop, 'label': loop}, protocol=4))
    npz('bad-objects.npz', data=numpy.array([[1, None]] * N, dtype=object), label=numpy.array(LABEL))
    npz('bad-object-labels.npz', data=DATA.astype('f4'), label=numpy.array(LABEL, dtype=object))
    npz('bad-lengths.npz', data=DATA[:4].astype('f4'), label=numpy.array(LABEL))
    npz('bad-vector.npz', data=DATA[0].astype('f4'), label=numpy.array(LABEL))
    npz('bad-no-label.npz', data=DATA.astype('f4'))
    npz('bad-complex.npz', data=DATA.astype('c8'), label=numpy.array(LABEL))
    npz('bad-segment.npz', data=DATA.astype('f4'), label=numpy.array(LABEL), segment=numpy.zeros(N))
    npz('bad-model.npz', data=DATA.astype('f4'), label=numpy.array(LABEL), model=numpy.array(['../../x']))
    npz('bad-empty.npz', data=numpy.zeros((0, 8), 'f4'), label=numpy.array([], dtype='U1'))
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:  # a gigabyte of nothing in a megabyte
        with z.open('data.npy', 'w', force_zip64=True) as f:
            head = io.BytesIO()
            numpy.lib.format.write_array_header_1_0(head, {'descr': '<f4', 'fortran_order': False, 'shape': (1 << 20, 1 << 20)})
            f.write(head.getvalue() + bytes(1 << 20))
    save('bad-huge.npz', out.getvalue())
    save('bad-text.txt', b'data,label\n1,Ada\n')
    save('bad-nothing', b'')


def check(path):
    if path.endswith('.npz'):
        with numpy.load(path, allow_pickle=False) as z:
            data, label = z['data'], [str(t) for t in z['label']]
    else:
        with open(path, 'rb') as f:
            d = pickle.load(f)
        assert list(d) == ['data', 'label'] and isinstance(d['data'], list) and isinstance(d['label'], list)
        assert all(type(t) is str for t in d['label']) and all(type(r) is numpy.ndarray and r.flags.c_contiguous for r in d['data'])
        label, data = d['label'], numpy.stack(d['data'])
    print(data.shape, data.dtype.str, label, hashlib.sha256(data.tobytes()).hexdigest())


if __name__ == '__main__':
    {'make': make, 'check': check}[sys.argv[1]](sys.argv[2])

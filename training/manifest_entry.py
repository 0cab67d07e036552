#!/usr/bin/env python3
"""Write size and hash of exported files, and an embedder's input shape, into models/manifest.json; other entries stay as they are.

    manifest_entry.py ../models/manifest.json vgg16-half --precision "f16 storage"
"""
import argparse
import copy
import hashlib
import json
import os

import onnx


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('manifest'), p.add_argument('name')
    p.add_argument('--precision'), p.add_argument('--like', help='copy this entry where the name is new')
    a = p.parse_args()
    doc = json.load(open(a.manifest))
    by_name = {m['name']: m for m in doc['models']}
    if a.name not in by_name:
        entry = copy.deepcopy(by_name[a.like])
        entry.update(name=a.name, files=[{'file': a.name + '.onnx'}])
        doc['models'].insert(doc['models'].index(by_name[a.like]) + 1, entry)
    else:
        entry = by_name[a.name]
    for f in entry['files']:
        path = os.path.join(os.path.dirname(a.manifest), f['file'])
        data = open(path, 'rb').read()
        f.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    if entry['kind'] == 'embedder':
        dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
        entry['input']['height'], entry['input']['width'] = dims[2].dim_value, dims[3].dim_value
    if a.precision:
        entry['precision'] = a.precision
    with open(a.manifest, 'w') as f:
        json.dump(doc, f, indent=1)
        f.write('\n')


if __name__ == '__main__':
    main()

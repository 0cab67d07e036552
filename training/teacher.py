"""An OpenVINO IR (the opset-1 subset that face-reidentification-retail-0095 uses) run in PyTorch: the teacher."""
import xml.etree.ElementTree as ET

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

TYPES = {'f16': np.float16, 'f32': np.float32, 'i64': np.int64}


class IR(nn.Module):
    """Folds constants, and the Add that follows a convolution into its bias."""

    def __init__(self, base, dtype=torch.float32):
        super().__init__()
        self.dtype = dtype
        root = ET.parse(base + '.xml').getroot()
        blob = open(base + '.bin', 'rb').read()
        source = {(e.get('to-layer'), int(e.get('to-port'))): e.get('from-layer') for e in root.find('edges')}
        const, self.steps, alias = {}, [], {}
        for layer in root.find('layers'):
            ident, kind = layer.get('id'), layer.get('type')
            data = layer.find('data').attrib if layer.find('data') is not None else {}
            ports = [int(p.get('id')) for p in layer.find('input')] if layer.find('input') is not None else []
            args = [alias.get(source[(ident, p)], source[(ident, p)]) for p in ports]
            if kind == 'Const':
                shape = [int(v) for v in data['shape'].split(',')] if data['shape'] else []
                start = int(data['offset'])
                a = np.frombuffer(blob[start:start + int(data['size'])], TYPES[data['element_type']]).reshape(shape)
                const[ident] = torch.from_numpy(a.astype(np.int64 if a.dtype == np.int64 else np.float32))
            elif kind == 'Convert' and args[0] in const:
                const[ident] = const[args[0]]
            elif kind == 'Add' and args[1] in const and self.steps and self.steps[-1]['id'] == args[0] \
                    and self.steps[-1]['kind'] == 'conv' and self.steps[-1]['bias'] is None:
                self.steps[-1]['bias'] = const[args[1]].flatten().to(dtype)
                alias[ident] = args[0]
            elif kind in ('Convolution', 'GroupConvolution'):
                w = const[args[1]]
                groups = 1
                if kind == 'GroupConvolution':
                    groups, w = w.shape[0], w.reshape(-1, *w.shape[2:])
                self.steps.append(dict(id=ident, kind='conv', args=args[:1], w=w.to(dtype), bias=None, groups=groups,
                                       stride=[int(v) for v in data['strides'].split(',')],
                                       pad=[int(v) for v in data['pads_begin'].split(',')]))
            elif kind == 'PReLU':
                self.steps.append(dict(id=ident, kind=kind, args=args[:1], w=const[args[1]].flatten().to(dtype)))
            elif kind == 'AvgPool':
                self.steps.append(dict(id=ident, kind=kind, args=args))
            elif kind in ('Parameter', 'Add', 'Multiply', 'Sigmoid', 'Result'):
                self.steps.append(dict(id=ident, kind=kind, args=args))
            else:
                raise ValueError(f'{base}.xml: operation {kind} is not supported')
        self.const = {k: v.to(dtype) for k, v in const.items() if v.is_floating_point()}

    def to(self, device, layout=torch.channels_last):
        for s in self.steps:
            for k in ('w', 'bias'):
                if s.get(k) is not None:
                    s[k] = s[k].to(device, memory_format=layout if s[k].ndim == 4 else torch.preserve_format)
        self.const = {k: v.to(device) for k, v in self.const.items()}
        return self

    def forward(self, x):
        """x: N,3,128,128, BGR 0..255 -> N,256, not normalised"""
        v = dict(self.const)
        for s in self.steps:
            kind, a = s['kind'], [v[i] for i in s['args']]
            if kind == 'Parameter':
                r = x
            elif kind == 'conv':
                r = F.conv2d(a[0], s['w'], s['bias'], s['stride'], s['pad'], groups=s['groups'])
            elif kind == 'PReLU':
                r = F.prelu(a[0], s['w'])
            elif kind == 'AvgPool':
                r = a[0].mean((2, 3), keepdim=True)
            elif kind == 'Add':
                r = a[0] + a[1]
            elif kind == 'Multiply':
                r = a[0] * a[1]
            elif kind == 'Sigmoid':
                r = torch.sigmoid(a[0])
            else:
                return a[0].flatten(1)
            v[s['id']] = r

"""Writes the three networks of MTCNN as ONNX graphs. Needs only numpy and onnx.

Architectures: Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016, with the PReLU and ceil-mode pooling of the published weights.

Every graph takes 'input', NCHW float32 RGB, (x - 127.5) / 128, and gives
  P-Net  reg (N,4,h,w)  prob (N,2,h,w)                 any H, W >= 12
  R-Net  reg (N,4)      prob (N,2)                     24x24
  O-Net  reg (N,4)      points (N,10)  prob (N,2)      48x48
prob[:,1] is "face"; points are x of the five points, then y, as fractions of the box.
"""
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

# ('conv', name, activation) | ('pool', kernel, stride) | ('dense', name, activation); the last entry lists the heads.
NETWORKS = {
    'pnet': dict(size=None, body=[('conv', 'conv1', 'prelu1'), ('pool', 2, 2), ('conv', 'conv2', 'prelu2'),
                                  ('conv', 'conv3', 'prelu3')],
                 heads=[('conv4_2', 'reg'), ('conv4_1', 'prob')]),
    'rnet': dict(size=24, body=[('conv', 'conv1', 'prelu1'), ('pool', 3, 2), ('conv', 'conv2', 'prelu2'),
                                ('pool', 3, 2), ('conv', 'conv3', 'prelu3'), ('dense', 'dense4', 'prelu4')],
                 heads=[('dense5_2', 'reg'), ('dense5_1', 'prob')]),
    'onet': dict(size=48, body=[('conv', 'conv1', 'prelu1'), ('pool', 3, 2), ('conv', 'conv2', 'prelu2'),
                                ('pool', 3, 2), ('conv', 'conv3', 'prelu3'), ('pool', 2, 2),
                                ('conv', 'conv4', 'prelu4'), ('dense', 'dense5', 'prelu5')],
                 heads=[('dense6_2', 'reg'), ('dense6_3', 'points'), ('dense6_1', 'prob')]),
}


def nchw_dense(weight, channels):
    """The published dense layers read their input flattened as (w, h, c); returns the weight for (c, h, w)."""
    side = int(round((weight.shape[1] / channels) ** .5))
    assert side * side * channels == weight.shape[1]
    return weight.reshape(-1, side, side, channels).transpose(0, 3, 2, 1).reshape(weight.shape[0], -1)


def write(kind, weights, path, producer, note):
    """weights: name -> array as in the published state dicts, except that the first dense layer reads (c, h, w)."""
    spec = NETWORKS[kind]
    nodes, inits = [], []

    def tensor(name, value):
        inits.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    cur, flat = 'input', False
    for step in spec['body']:
        if step[0] == 'pool':
            nodes.append(helper.make_node('MaxPool', [cur], [cur + '_p'], name=cur + '_p', kernel_shape=[step[1]] * 2,
                                          strides=[step[2]] * 2, ceil_mode=1))
            cur += '_p'
            continue
        name, act = step[1], step[2]
        w = weights[name + '.weight']
        ins = [cur, tensor(name + '.weight', w), tensor(name + '.bias', weights[name + '.bias'])]
        slope = weights[act + '.weight']
        if step[0] == 'conv':
            nodes.append(helper.make_node('Conv', ins, [name], name=name, kernel_shape=list(w.shape[2:])))
            slope = slope.reshape(-1, 1, 1)
        else:
            nodes.append(helper.make_node('Flatten', [cur], ['flat'], name='flat', axis=1))
            ins[0], flat = 'flat', True
            nodes.append(helper.make_node('Gemm', ins, [name], name=name, transB=1))
        nodes.append(helper.make_node('PRelu', [name, tensor(act + '.weight', slope)], [act], name=act))
        cur = act
    outs = []
    for name, out in spec['heads']:
        w = weights[name + '.weight']
        ins = [cur, tensor(name + '.weight', w), tensor(name + '.bias', weights[name + '.bias'])]
        target = name if out == 'prob' else out
        if flat:
            nodes.append(helper.make_node('Gemm', ins, [target], name=name, transB=1))
        else:
            nodes.append(helper.make_node('Conv', ins, [target], name=name, kernel_shape=[1, 1]))
        if out == 'prob':
            nodes.append(helper.make_node('Softmax', [target], ['prob'], name='prob', axis=1))
        shape = ['N', w.shape[0]] + ([] if flat else ['h', 'w'])
        outs.append(helper.make_tensor_value_info(out, TensorProto.FLOAT, shape))
    side = spec['size']
    inp = helper.make_tensor_value_info('input', TensorProto.FLOAT, ['N', 3, side or 'H', side or 'W'])
    graph = helper.make_graph(nodes, 'mtcnn-' + kind, [inp], outs, inits)
    model = helper.make_model(graph, producer_name=producer, doc_string=note,
                              opset_imports=[helper.make_opsetid('', 13)])
    model.ir_version = 7
    checker.check_model(model)
    save(model, path)

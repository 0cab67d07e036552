"""The students: aligned faces, N,3,size,size RGB, (0..255 - MEAN) * SCALE -> N,dim, not normalised. Each ends in a global depthwise
convolution over the last map (size / 16 a side) and one linear layer.

VGG16    thirteen 3x3 convolutions in five blocks (Simonyan & Zisserman 2014), each with BatchNorm and ReLU
ResNet   basic residual blocks (He et al. 2015), the last ReLU after the sum
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

VGG_BLOCKS = [64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512, 512, 512]
RES_STAGES = [(64, 2), (128, 2), (256, 4), (320, 2)]   # channels, blocks; each stage halves the map
MEAN, SCALE = 127.5, 1 / 64


def convolution(c, o, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(c, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o))


class Head(nn.Module):
    def __init__(self, c, dim, size):
        super().__init__()
        self.globe = nn.Conv2d(c, c, size // 16, groups=c, bias=False)
        self.norm = nn.BatchNorm2d(c)
        self.line = nn.Linear(c, dim)

    def forward(self, x):
        return self.line(self.norm(self.globe(x)).flatten(1))


class VGG16(nn.Module):
    def __init__(self, size, width=1., dim=256):
        super().__init__()
        c, layers = 3, []
        for v in VGG_BLOCKS:
            if v == 'M':
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [convolution(c, int(v * width)), nn.ReLU(inplace=True)]
                c = int(v * width)
        self.size, self.body, self.head = size, nn.Sequential(*layers), Head(c, dim, size)

    def forward(self, x):
        return self.head(self.body(x))


class Block(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.one, self.two = convolution(c, o, 3, stride), convolution(o, o)
        self.skip = nn.Identity() if c == o and stride == 1 else convolution(c, o, 1, stride)

    def forward(self, x):
        return F.relu(self.two(F.relu(self.one(x), inplace=True)) + self.skip(x), inplace=True)


class ResNet(nn.Module):
    def __init__(self, size, dim=256):
        super().__init__()
        c, layers = RES_STAGES[0][0], [convolution(3, RES_STAGES[0][0]), nn.ReLU(inplace=True)]
        for o, blocks in RES_STAGES:
            for k in range(blocks):
                layers.append(Block(c, o, 1 if k else 2))
                c = o
        self.size, self.body, self.head = size, nn.Sequential(*layers), Head(c, dim, size)

    def forward(self, x):
        return self.head(self.body(x))


NETS = {
    'vgg16': lambda size: VGG16(size),
    'vgg16-half': lambda size: VGG16(size, .5),
    'resnet22': lambda size: ResNet(size),
}


def resize_state(state, size):
    """The state dict for another input size: the global kernel is resampled, its sum kept."""
    v, n = state['head.globe.weight'], size // 16
    if v.shape[-1] == n:
        return state
    out = F.interpolate(v.float(), size=(n, n), mode='bilinear', align_corners=False) * (v.shape[-1] / n) ** 2
    return {**state, 'head.globe.weight': out}


def load(path, name):
    """A net in eval mode from a checkpoint of distill_embedder.py: the averaged weights."""
    state = torch.load(path, map_location='cpu')
    net = NETS[name](state['size'])
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state['nets'][name]['average'].items()})
    return net.eval()

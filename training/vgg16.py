"""The student: VGG-16's thirteen 3x3 convolutions in five blocks, each with BatchNorm and ReLU, a global depthwise
convolution over the last map, and one linear layer to the embedding. `width` scales the channels (0.5: vgg16-half). With
two `towers` the blocks 1 to 4 are two networks of half the width side by side, which the fifth block joins: all of the
width's channels at half the arithmetic (the two groups of Krizhevsky et al. 2012)."""
import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCKS = [64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512, 512, 512]
MEAN, SCALE = 127.5, 1 / 64
LAST_BLOCK = 34   # index in VGG16.f of the fifth block's first layer


class VGG16(nn.Module):
    def __init__(self, width=.5, dim=256, size=112, towers=1):
        super().__init__()
        c, layers = 3, []
        for v in BLOCKS:
            if v == 'M':
                layers.append(nn.MaxPool2d(2))
                continue
            o = int(v * width)
            groups = towers if 0 < len(layers) < LAST_BLOCK else 1
            layers += [nn.Conv2d(c, o, 3, padding=1, bias=False, groups=groups), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
            c = o
        self.size = size
        self.f = nn.Sequential(*layers)
        self.gd = nn.Conv2d(c, c, size // 16, groups=c, bias=False)
        self.b = nn.BatchNorm2d(c)
        self.fc = nn.Linear(c, dim)

    def forward(self, x):
        """x: N,3,size,size RGB, (0..255 - MEAN) * SCALE -> N,dim, not normalised"""
        return self.fc(self.b(self.gd(self.f(x))).flatten(1))


def resize_state(state, size):
    """The state dict for another input size: the global kernel is resampled, its sum kept. PReLU slopes (of the first
    trial) are left out: this net has ReLU."""
    out = {}
    for k, v in state.items():
        if k == 'gd.weight' and v.shape[-1] != size // 16:
            n = size // 16
            out[k] = F.interpolate(v.float(), size=(n, n), mode='bilinear', align_corners=False) * (v.shape[-1] / n) ** 2
        elif k.startswith('f.') and k.endswith('weight') and v.ndim == 1 and k[:-6] + 'running_mean' not in state:
            continue
        else:
            out[k] = v.clone()
    return out


def shape_of(state):
    """width, dim and towers of a state dict"""
    return (state['f.0.weight'].shape[0] / 64, state['fc.weight'].shape[0],
            state['f.0.weight'].shape[0] // state['f.3.weight'].shape[1])


def load(path, size=None):
    """A net in eval mode from a checkpoint: the averaged weights where there are any."""
    state = torch.load(path, map_location='cpu')
    state = state.get('ema', state)
    size = size or state['gd.weight'].shape[-1] * 16
    width, dim, towers = shape_of(state)
    net = VGG16(width, dim, size, towers)
    net.load_state_dict(resize_state(state, size))
    return net.eval().to(memory_format=torch.channels_last)


def recalibrate(net, batches):
    """BatchNorm statistics measured anew for the weights at hand (after averaging them)."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    net.train()
    with torch.no_grad():
        for x in batches:
            net(x)
    return net.eval()

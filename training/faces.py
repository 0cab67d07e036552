"""An endless source of aligned faces, made on the device from the pool that chips.py wrote, a batch at a time.

The pool's pictures are face crops: a quarter of a chip lies outside of the picture, and the teacher's answer depends much on what
is there. A student that never sees hair is near the teacher on such crops and far from it on photos. And 28,000 people are
few. So a batch is composed anew each time, and the teacher labels whatever comes out, like any picture:

- a third of the faces are blends of two: new people;
- most are set, with a soft edge, into a whole chip of somebody else (aligned, so that the hairline fits; colours matched);
- the rest keep their border, or have it filled with something else;
- half are turned, scaled, shifted a little, and half are lit otherwise.

`spoil` is what the student alone sees, while the teacher's answer stays that of the clean face: the detector's error, blur, few
pixels, light, grey, noise, JPEG's loss, a patch over it.
"""
import glob
import math

import numpy as np
import torch
import torch.nn.functional as F

SIDE = 128
HELD_OUT = 60     # every 60th chip is never trained on
WHOLE = .12       # a chip is whole if less than this share of it lies outside of the picture

# JPEG's example tables (ITU-T T.81, K.1 and K.2)
LUMA = [[16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]]
CHROMA = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def inside(corners):
    """N,4,2 corners of the pictures -> N,1,128,128: distance in pixels to the nearest border, negative outside"""
    y, x = torch.meshgrid(*[torch.arange(SIDE, device=corners.device, dtype=torch.float32)] * 2, indexing='ij')
    out = None
    for k in range(4):
        p, q = corners[:, k], corners[:, (k + 1) % 4]
        e = q - p
        d = (e[:, 0, None, None] * (y - p[:, 1, None, None]) - e[:, 1, None, None] * (x - p[:, 0, None, None])) \
            / e.norm(dim=1)[:, None, None].clamp(min=1e-3)
        out = d if out is None else torch.minimum(out, d)
    return out[:, None]


def each(n, like):
    """n random numbers in 0..1, shaped to act on a batch of pictures"""
    return torch.rand(n, 1, 1, 1, device=like.device)


def between(n, lo, hi, like):
    return lo + (hi - lo) * each(n, like)


def chance(n, p, like):
    return each(n, like) < p


def normal(n, sigma, like):
    return torch.randn(n, 1, 1, 1, device=like.device) * sigma


def some(n, p):
    """A run of about p * n of a batch's places, at a random one: a batch's order means nothing"""
    k = max(1, round(n * p))
    i = int(torch.randint(0, n - k + 1, ()))
    return slice(i, i + k)


def light(x, p, strength):
    """Contrast, brightness and tint, of a share p of the batch"""
    n = len(x)
    y = (x - 128) * (between(n, -.3, .3, x) * strength).exp() + 128 + between(n, -25, 25, x) * strength
    y = y + (torch.rand(n, 3, 1, 1, device=x.device) - .5) * 20 * strength
    return torch.where(chance(n, p, x), y, x)


def warp(x, size, turn, zoom, stretch, shift, mirror, only=1.):
    """x resampled to size: turned (radians), scaled and shifted about its middle by normal errors of these deviations; a share
    `only` of the batch. Pixel (i, j) has its centre at (i, j), as in src/face/align.c, and beyond the border is the border."""
    n, s = len(x), x.shape[-1]
    on = chance(n, only, x).float()
    a, k = normal(n, turn, x) * on, (normal(n, zoom, x) * on).exp() * (s / size)
    kx = k * (normal(n, stretch, x) * on).exp()
    j, i = torch.meshgrid(*[torch.arange(size, device=x.device, dtype=torch.float32) - size / 2] * 2, indexing='ij')
    c, d = a.cos(), a.sin()
    u = (c * i - d * j) * kx + s / 2 + normal(n, shift * s, x) * on
    v = (d * i + c * j) * k + s / 2 + normal(n, shift * s, x) * on
    if mirror:
        u = torch.where(chance(n, .5, x), s - 1 - u, u)
    grid = torch.stack((u, v), -1).squeeze(1) * (2 / (s - 1)) - 1
    return F.grid_sample(x, grid, mode='bilinear', padding_mode='border', align_corners=True)


def blur(x, sigma):
    r = max(1, math.ceil(2.5 * sigma))
    k = torch.exp(-.5 * (torch.arange(-r, r + 1, device=x.device, dtype=torch.float32) / sigma) ** 2)
    k = (k / k.sum()).to(x.dtype).expand(3, 1, 1, -1)
    x = F.conv2d(F.pad(x, (r, r, 0, 0), mode='replicate'), k, groups=3)
    return F.conv2d(F.pad(x, (0, 0, r, r), mode='replicate'), k.transpose(2, 3), groups=3)


def few_pixels(x, n):
    return F.interpolate(F.interpolate(x, size=(n, n), mode='area'), size=x.shape[2:], mode='bilinear', align_corners=False)


class JPEG:
    """What JPEG takes away: 4:2:0 colour, and the blocks' DCT coefficients rounded by the tables"""

    def __init__(self, device):
        k = torch.arange(8, dtype=torch.float32)
        dct = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
        dct[0] /= 2 ** .5
        chroma = torch.full((8, 8), 99.)
        chroma[:4, :4] = torch.tensor(CHROMA, dtype=torch.float32)
        ycc = torch.tensor([[.299, .587, .114], [-.168736, -.331264, .5], [.5, -.418688, -.081312]])
        self.dct, self.luma, self.chroma = dct.to(device), torch.tensor(LUMA, dtype=torch.float32).to(device), chroma.to(device)
        self.to, self.back = ycc.to(device), ycc.inverse().to(device)

    def rounded(self, x, table):
        n, c, h, w = x.shape
        b = x.view(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
        b = self.dct.t() @ ((self.dct @ b @ self.dct.t() / table).round() * table) @ self.dct
        return b.permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)

    def __call__(self, x, quality):
        scale = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
        y = torch.einsum('kc,nchw->nkhw', self.to, x - 128)
        luma = self.rounded(y[:, :1], (self.luma * scale).round().clamp(min=1))
        small = self.rounded(F.avg_pool2d(y[:, 1:], 2), (self.chroma * scale).round().clamp(min=1))
        y = torch.cat((luma, F.interpolate(small, scale_factor=2, mode='nearest')), 1)
        return torch.einsum('kc,nchw->nkhw', self.back, y) + 128


class Faces:
    def __init__(self, pool, device):
        files = sorted(f for f in glob.glob(pool + '/chips*.npy') if not f.endswith('.corners.npy'))
        if not files:
            raise SystemExit(f'{pool}: no chips*.npy; make them with chips.py')
        chips = [np.load(f) for f in files]
        corners = np.concatenate([np.load(f.replace('.npy', '.corners.npy')) for f in files])
        held = np.concatenate([np.arange(len(c)) % HELD_OUT == 0 for c in chips])
        self.chips = torch.from_numpy(np.concatenate(chips)).to(device)
        self.corners = torch.from_numpy(corners).to(device)
        outside = torch.cat([(inside(c) < 0).float().mean((1, 2, 3)) for c in self.corners.split(1024)]).cpu().numpy()
        place = lambda mask: torch.from_numpy(np.flatnonzero(mask)).to(device)
        self.known, self.whole = place(~held), place(~held & (outside < WHOLE))
        self.held, self.held_whole = place(held), place(held & (outside < WHOLE))
        self.jpeg = JPEG(device)

    def get(self, index):
        return self.chips[index].permute(0, 3, 1, 2).float(), inside(self.corners[index])

    def draw(self, places, n, blends):
        """n random faces and their distance maps, a share of them blends of two, half of each mirrored"""
        def one():
            x, d = self.get(places[torch.randint(0, len(places), (n,), device=places.device)])
            flip = chance(n, .5, x)
            return torch.where(flip, x.flip(3), x), torch.where(flip, d.flip(3), d)
        x, d = one()
        y, e = one()
        w = between(n, .3, .5, x) * chance(n, blends, x)
        return x * (1 - w) + y * w, torch.where(w > 0, torch.minimum(d, e), d)

    def surroundings(self, face):
        """Whole chips of others, their colours brought near the face's, a little out of place"""
        n = len(face)
        around, _ = self.draw(self.whole, n, 1 / 3)
        mean = lambda x: x[:, :, 45:110, 35:93].mean((2, 3), keepdim=True) + 8
        around = around * (mean(face) / mean(around)).clamp(.5, 2) ** between(n, .5, 1, face)
        return warp(around, SIDE, 0, .05, 0, .016, False)

    def filling(self, face):
        """A part of another chip, enlarged, or a plain colour with clouds"""
        n = len(face)
        other, _ = self.draw(self.known, n, 0)
        k = int(torch.randint(40, 128, ()))
        i, j = (int(v) for v in torch.randint(0, SIDE + 1 - k, (2,)))
        part = F.interpolate(other[:, :, j:j + k, i:i + k], size=(SIDE, SIDE), mode='bilinear', align_corners=False)
        clouds = torch.randn(n, 3, 8, 8, device=face.device) * between(n, 0, 50, face)
        clouds = F.interpolate(clouds, size=(SIDE, SIDE), mode='bilinear', align_corners=False) + torch.rand(n, 3, 1, 1, device=face.device) * 255
        return torch.where(chance(n, .7, face), part, clouds)

    def next(self, n):
        """n clean faces, N,3,128,128 RGB 0..255, float32"""
        parts = round(n * .5), round(n * .25)     # of any chip into surroundings, of a whole chip into surroundings
        made = []
        for places, count in ((self.known, parts[0]), (self.whole, parts[1]), (self.known, n - sum(parts))):
            x, d = self.draw(places, count, 1 / 3)
            if len(made) < 2:
                other, keep = self.surroundings(x), 1.
            else:
                other, keep = self.filling(x), chance(count, .6, x).float()
            w = torch.sigmoid((d - 3) / between(count, .3, 2.5, x))
            made.append(x * w + (x * (1 - keep) + other * keep) * (1 - w))
        x = torch.cat(made)[torch.randperm(n, device=made[0].device)]
        x = warp(x, SIDE, .05, .04, .012, .016, False, only=.5)
        return light(x, .5, 1.).clamp(0, 255)

    def spoil(self, x, size, calm):
        """The student's view of clean faces; calm: half of them are only misplaced"""
        n = len(x)
        k = n // 2 if calm else 0
        rough = x[k:].clone()
        m = len(rough)
        for share, how in ((.15, lambda q: blur(q, float(torch.empty(()).uniform_(.4, 1.8)))), (.1, lambda q: few_pixels(q, int(torch.randint(40, 100, ())))),
                           (.3, lambda q: blur(q, .5))):
            at = some(m, share)
            rough[at] = how(rough[at])
        y = warp(torch.cat((x[:k], rough)), size, math.radians(2.5), .03, .012, .012, True)
        rough = light(y[k:], .6, .7)
        at = some(m, .1)
        rough[at] = (rough[at] * torch.tensor([.299, .587, .114], device=x.device).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        at = some(m, .1)
        rough[at] = rough[at] + torch.randn_like(rough[at]) * between(len(rough[at]), 1, 7, x)
        rough = rough.clamp(0, 255)
        at = some(m, .12)
        rough[at] = self.jpeg(rough[at], float(torch.empty(()).uniform_(30, 90))).clamp(0, 255)
        at = some(m, .08)
        w, h = (int(v) for v in torch.empty(2).uniform_(.1 * size, .45 * size))
        i, j = int(torch.randint(0, size - w, ())), int(torch.randint(0, size - h, ()))
        rough[at, :, j:j + h, i:i + w] = torch.rand(len(rough[at]), 3, 1, 1, device=x.device) * 255
        return torch.cat((y[:k], rough))


def plain(x, size):
    """N,3,128,128 -> N,3,size,size, as the engine asks for a smaller chip of the same face"""
    return warp(x, size, 0, 0, 0, 0, False)

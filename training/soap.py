"""Adam in the eigenbasis of the gradient's covariances (Vyas et al., "SOAP", 2024), for small networks.

The first layers of a detector must learn fine differences between neighbouring pixels, a direction in which plain
Adam creeps; here every direction moves at its own pace.
"""
import torch


def turn(left, x, right):
    if left is not None:
        x = left.t() @ x
    return x if right is None else x @ right


class Soap(torch.optim.Optimizer):
    def __init__(self, params, lr=3e-3, betas=(.9, .98), every=15, largest=600):
        super().__init__(params, dict(lr=lr))
        self.betas, self.every, self.largest, self.count = betas, every, largest, 0

    @torch.no_grad()
    def step(self):
        b1, b2 = self.betas
        self.count += 1
        n = self.count
        for group in self.param_groups:
            for p in group['params']:
                if p.grad is None:
                    continue
                g = p.grad.reshape(p.shape[0], -1)
                st = self.state[p]
                if not st:
                    st.update(m=torch.zeros_like(g), v=torch.zeros_like(g), cov=[], basis=[])
                    for size in g.shape:
                        turned = p.dim() > 1 and size <= self.largest     # a larger side keeps plain Adam's basis
                        st['cov'].append(torch.zeros(size, size, device=p.device) if turned else None)
                        st['basis'].append(torch.eye(size, device=p.device) if turned else None)
                m, v, (left, right) = st['m'], st['v'], st['basis']
                m.mul_(b1).add_(g, alpha=1 - b1)
                v.mul_(b2).add_(turn(left, g, right) ** 2, alpha=1 - b2)
                d = turn(left, m, right) / (1 - b1 ** n) / ((v / (1 - b2 ** n)).sqrt() + 1e-8)
                d = turn(None if left is None else left.t(), d, None if right is None else right.t())
                p.add_(d.reshape(p.shape), alpha=-group['lr'])
                for k, cov in enumerate(st['cov']):
                    if cov is None:
                        continue
                    cov.mul_(b2).add_(g.t() @ g if k else g @ g.t(), alpha=1 - b2)
                    if n in (2, 5, 15):      # on the CPU: the GPU's solver gives up on such, with most eigenvalues still zero
                        st['basis'][k] = torch.linalg.eigh(cov.double().cpu())[1].flip(1).to(cov)
                    elif n % self.every == 0:       # one step of power iteration follows the drift
                        q = st['basis'][k]
                        order = ((q.t() @ cov) * q.t()).sum(1).argsort(descending=True)
                        st['basis'][k] = torch.linalg.qr(cov @ q[:, order])[0]

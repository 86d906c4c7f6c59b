"""Models of layers that nobody declared."""

import torch
from torch import nn
from torch.nn import functional

WIDTH, HEADS, TOKENS = 16, 4, 7


class RMSNorm(nn.Module):
    def __init__(self, start=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((WIDTH,), start))

    def normalized(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    def forward(self, x):
        return self.weight * self.normalized(x)


class ZeroCentred(RMSNorm):
    def __init__(self):
        super().__init__(0.0)

    def forward(self, x):
        return (1.0 + self.weight) * self.normalized(x)


class OwnLayerNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x):
        off = x - x.mean(-1, keepdim=True)
        return off / (off.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * self.g + self.b


class Transposed(nn.Module):
    """As the Conv1D of GPT-2."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.rand(outputs))

    def forward(self, x):
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight)
        return flat.view(*x.shape[:-1], -1)


class Block(nn.Module):
    def __init__(self, native):
        super().__init__()
        self.norm, self.qkv, self.out = (
            RMSNorm(),
            Transposed(WIDTH, 3 * WIDTH),
            nn.Linear(WIDTH, WIDTH),
        )
        self.after, self.gate_up = ZeroCentred(), nn.Linear(WIDTH, 8 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.gamma = nn.Parameter(torch.full((WIDTH,), 1e-5))
        self.native = native

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm(x)).view(batch, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        if self.native:
            heads = functional.scaled_dot_product_attention(q, k, v)
        else:
            heads = (q @ k.mT / 2).softmax(-1) @ v
        x = x + self.out(heads.transpose(1, 2).reshape(x.shape))
        gate, up = self.gate_up(self.after(x)).chunk(2, -1)
        return x + self.gamma * self.down(functional.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, native=True):
        super().__init__()
        self.embed = nn.Embedding(50, WIDTH)
        self.position = nn.Parameter(torch.zeros(1, 10, WIDTH))
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.blocks = nn.ModuleList([Block(native), Block(native)])
        self.norm, self.head = OwnLayerNorm(), nn.Linear(WIDTH, 50, bias=False)
        self.temperature = nn.Parameter(torch.tensor(2.659))

    def forward(self, tokens):
        x = self.embed(tokens)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        x = x + self.position[:, : x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)) * self.temperature.exp()


EXAMPLE = torch.zeros(2, TOKENS, dtype=torch.long)


class Experts(nn.Module):
    """Experts in one array, chosen by values: the course of the computation depends on them."""

    def __init__(self):
        super().__init__()
        self.router = nn.Parameter(torch.randn(3, WIDTH))
        self.gate_up = nn.Parameter(torch.randn(3, WIDTH, 8 * WIDTH))
        self.down = nn.Parameter(torch.randn(3, 4 * WIDTH, WIDTH))

    def forward(self, x):
        chosen = functional.linear(x, self.router).softmax(-1).topk(1, -1).indices[:, 0]
        result = torch.zeros_like(x)
        for expert in range(3):
            rows = (chosen == expert).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            gate, up = (x[rows] @ self.gate_up[expert]).chunk(2, -1)
            hidden = functional.gelu(gate) * up
            result.index_add_(0, rows, hidden @ self.down[expert])
        return result


class Scanned(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, WIDTH, WIDTH))

    def forward(self, x):
        for weight in self.weight.unbind():
            x = x + torch.tanh(x @ weight)
        return x

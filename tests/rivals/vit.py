"""A compact Vision Transformer in PyTorch, the same architecture as ours, with timm's parameter names.

Class token, pre-norm blocks, exact GELU, scaled_dot_product_attention with a float mask or learned positions.
"""
import torch
from torch import nn
from torch.nn import functional

from lookhere_mask import float_mask

SIZES = {"vit_tiny": (192, 12, 3), "vit_small": (384, 12, 6), "vit_base": (768, 12, 12)}  # dim, depth, heads
attention = functional.scaled_dot_product_attention


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, mask):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        x = attention(q, k, v, attn_mask=mask)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=1e-6), Mlp(dim, 4 * dim)

    def forward(self, x, mask):
        x = x + self.attn(self.norm1(x), mask)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    """position: lh180, lh90, lh45 (masks), learned (added to the patches), none.

    one_mask: the first layer's mask serves all layers, which spares PyTorch memory and changes no time.
    mask_dtype: what attention will run in; under autocast every call would cast a mask of another dtype again.
    """

    def __init__(self, dim, depth, heads, img_size, patch=16, position="none", one_mask=False,
                 mask_dtype=torch.float32, classes=1000):
        super().__init__()
        grid = (img_size // patch, img_size // patch)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, grid[0] * grid[1], dim)) if position == "learned" else None
        self.patch_embed = PatchEmbed(dim, patch)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, classes)
        self.masks = [None] * depth
        if position.startswith("lh"):
            layers = 1 if one_mask else depth
            self.masks = [float_mask(position, heads, grid, layer, depth, mask_dtype) for layer in range(layers)]
            self.masks *= depth // layers

    def forward(self, images):
        x = self.patch_embed(images)
        if self.pos_embed is not None:
            x = x + self.pos_embed
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        for block, mask in zip(self.blocks, self.masks):
            x = block(x, mask)
        return self.head(self.norm(x)[:, 0])

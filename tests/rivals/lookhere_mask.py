"""LookHere's bias as the float mask that PyTorch's scaled_dot_product_attention takes.

Run alone (python tests/rivals/lookhere_mask.py) it checks itself against tests/golden/lookhere.json.
"""
import hashlib
import json
import sys

sys.dont_write_bytecode = True  # the tree stays as it is

import torch

from common import ROOT

# Does a key at offset (dy, dx) from the query, down and to the right, lie in the field of view?
HALVES = {"up": lambda dy, dx: dy <= 0, "down": lambda dy, dx: dy >= 0,
          "left": lambda dy, dx: dx <= 0, "right": lambda dy, dx: dx >= 0}
CONES = {"tri_up": lambda dy, dx: dx.abs() <= -dy, "tri_down": lambda dy, dx: dx.abs() <= dy,
         "tri_left": lambda dy, dx: dy.abs() <= -dx, "tri_right": lambda dy, dx: dy.abs() <= dx}
DIAGONALS = {"up_right": lambda dy, dx: dx >= dy, "up_left": lambda dy, dx: dx <= -dy,
             "down_right": lambda dy, dx: dx >= -dy, "down_left": lambda dy, dx: dx <= dy}
SEES = {**HALVES, **CONES, **DIAGONALS}
DIRECTED_HEADS = {
    "lh180": ["up", "down", "left", "right", "up_right", "up_left", "down_right", "down_left"],
    "lh90": ["up left", "up right", "down left", "down right", "tri_up", "tri_down", "tri_left", "tri_right"],
    "lh45": ["tri_up left", "tri_down left", "tri_left up", "tri_right up",
             "tri_up right", "tri_down right", "tri_left down", "tri_right down"],
}
LAYOUTS = ["dense", *DIRECTED_HEADS]
MASKED = -3.3895313892515355e38  # the least bf16, as the authors': its softmax weight is exactly 0
GLOBAL_SLOPE, FIRST_LAYER_SLOPE, LAST_LAYER_SLOPE = 2.0, 1.5, 0.5


def heads_of(layout, heads, layer):
    """(directions, slope) of each head: two thirds directed, the rest see all. With 12 heads the published layout;
    with 3 or 6 heads each layer goes on in the list of directions where the one before stopped."""
    if heads not in (3, 6, 12):
        raise ValueError(f"heads must be 3, 6 or 12, got {heads}")
    directed, count = DIRECTED_HEADS[layout], (2 * heads + 1) // 3
    return [(directed[(layer * count + i) % 8], 0.5) if i < count else ("", 4.0 ** -(i - count + 1))
            for i in range(heads)]


def float_mask(layout, heads, grid, layer=0, depth=12, dtype=torch.float32):
    """(1, heads, N, N), the values those of bf16, masked where a patch cannot see; None for "dense".

    Token 0 is the class token, which sees all and is seen by all. Needs little more memory than the mask itself.
    With three sizes instead of four PyTorch would take a path of half the speed.
    """
    if layout == "dense":
        return None
    gy, gx = grid
    y, x = torch.arange(1 - gy, gy)[:, None], torch.arange(1 - gx, gx)[None, :]  # offsets, key minus query
    step = (LAST_LAYER_SLOPE - FIRST_LAYER_SLOPE) / max(depth - 1, 1)
    layer_slope = LAST_LAYER_SLOPE if layer == depth - 1 > 0 else FIRST_LAYER_SLOPE + layer * step
    distance = (y * y + x * x).double().sqrt()
    rows, columns = torch.arange(gy), torch.arange(gx)
    mask = torch.zeros(heads, 1 + gy * gx, 1 + gy * gx, dtype=dtype)
    for h, (directions, slope) in enumerate(heads_of(layout, heads, layer)):
        table = -((GLOBAL_SLOPE * layer_slope) * (slope * distance)).float().bfloat16().to(dtype)
        for name in directions.split():
            table[~SEES[name](y, x).expand_as(table)] = MASKED
        for row in range(gy):  # of queries: (query column, key row, key column)
            dy = (rows - row + gy - 1)[None, :, None]
            dx = (columns[None, :] - columns[:, None] + gx - 1)[:, None, :]
            mask[h, 1 + row * gx:1 + (row + 1) * gx, 1:] = table[dy, dx].reshape(gx, gy * gx)
    return mask[None]


def check(golden, layout, name):
    """Compares one layout on one square grid with the authors' values."""
    grid, heads, depth = golden["grid"], golden["num_heads"], golden["depth"]
    masks = [float_mask(layout, heads, grid, layer, depth)[0] for layer in range(depth)]
    assert not any(mask[:, 0].any() or mask[:, :, 0].any() for mask in masks), name
    layers = [mask[:, 1:, 1:] for mask in masks]  # between patches
    visible = layers[0] > MASKED
    assert visible.sum((1, 2)).tolist() == golden["visible_pairs_per_head"], name
    for layer, bias in enumerate(layers):
        sums = bias.double().where(visible, torch.zeros(())).sum((1, 2)).tolist()
        assert sums == golden["sum_bias_[layer][head]"][layer], (name, layer)
    for spot in golden.get("spot_values", []):
        value = layers[spot["layer"]][spot["head"], spot["query"], spot["key"]].item()
        assert value == (MASKED if spot["bias"] == "masked" else spot["bias"]), (name, spot)
    bits = torch.stack(layers).bfloat16().view(torch.int16).numpy().tobytes()
    assert hashlib.sha256(bits).hexdigest() == golden["sha_bias_bf16"], name


if __name__ == "__main__":
    variants = json.loads((ROOT / "tests/golden/lookhere.json").read_text(encoding="utf-8"))["variants"]
    for layout in DIRECTED_HEADS:
        name = layout.replace("lh", "LH-")
        for grid, golden in variants[name].items():
            check(golden, layout, f"{name} {grid}")
            print(f"{name} {grid}: equal in all {golden['depth']} layers, bit for bit")

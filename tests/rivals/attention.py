"""Attention: PyTorch's scaled_dot_product_attention with LookHere's float mask against `build/bench/attention`.

    python tests/rivals/attention.py [--shapes 8x197,4x577] [--layouts lh45] [--dtype bf16] [--explicit] [--only-torch]
"""
import argparse
import sys

sys.dont_write_bytecode = True

import common

# images, tokens (a square grid of patches and the class token), heads, head size
SHAPES = [(8, 197, 12, 64), (4, 577, 12, 64), (4, 1025, 12, 64), (1, 4097, 12, 64), (128, 65, 6, 32)]
# How our bench names a case: kernel/rung/shape, and the fields of its JSON.
RUNG = "fused {layout}"
SHAPE = "{images}x{tokens} tokens, {heads}x{head_dim}"
FORWARD, BACKWARD = "attention", "attention_backward"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser, rounds=5)
    parser.add_argument("--shapes", help="some of " + ",".join(f"{s[0]}x{s[1]}" for s in SHAPES))
    parser.add_argument("--layouts", default="dense,lh180,lh90,lh45", help="dense is attention without a mask")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--explicit", action="store_true", help="also softmax(q·kᵀ + mask)·v, N×N in memory")
    parser.add_argument("--min-time", type=float, default=0.1, help="seconds per case and round")
    return parser.parse_args()


def run_ours(shape, layouts, arguments):
    """Seconds by (kernel, layout)."""
    images, tokens, heads, head_dim = shape
    name = SHAPE.format(images=images, tokens=tokens, heads=heads, head_dim=head_dim)
    rungs = {RUNG.format(layout=layout): layout for layout in layouts}
    cases = common.run_bench("attention", f"/({'|'.join(rungs)})/.*{name}", arguments.min_time)
    seconds = {(case["kernel"], rungs[case["rung"]]): case["seconds"] for case in cases
               if case["rung"] in rungs and name in case["shape"] and case["dtype"] == arguments.dtype}
    if not seconds:
        print(f"our bench has no {arguments.dtype} case {FORWARD}/{list(rungs)[0]}/{name}", file=sys.stderr)
    return seconds


class Rival:
    """PyTorch on one shape. q, k and v lie packed, as a ViT's linear layer leaves them; their gradients need not."""

    def __init__(self, shape, arguments):
        import torch
        images, tokens, heads, head_dim = shape
        self.dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]
        torch.manual_seed(1)
        qkv = torch.rand(images, tokens, 3, heads, head_dim).mul_(2).sub_(1).to(self.dtype)
        self.inputs = [x.detach().requires_grad_() for x in qkv.permute(2, 0, 3, 1, 4).unbind(0)]
        self.gradient = torch.rand(images, tokens, heads, head_dim).to(self.dtype).transpose(1, 2)
        self.scale = head_dim ** -0.5

    def sdpa(self, mask):
        from torch.nn.functional import scaled_dot_product_attention
        return scaled_dot_product_attention(*self.inputs, attn_mask=mask)

    def explicit(self, mask):
        q, k, v = self.inputs
        logits = (q * self.scale) @ k.transpose(-2, -1)
        return (logits if mask is None else logits + mask).softmax(-1) @ v

    def times(self, attention, mask, min_time):
        """Seconds of (forward, forward and backward)."""
        import torch

        def forward():
            with torch.no_grad():
                attention(mask)

        def forward_backward():
            torch.autograd.grad(attention(mask), self.inputs, self.gradient)
        return [common.seconds_per_call(f, min_time) for f in (forward, forward_backward)]


def run_shape(shape, arguments):
    from lookhere_mask import float_mask
    layouts = arguments.layouts.split(",")
    rival, side = Rival(shape, arguments), int((shape[1] - 1) ** 0.5)
    masks = {layout: float_mask(layout, shape[2], (side, side), dtype=rival.dtype) for layout in layouts}
    kinds = {"SDPA": rival.sdpa, **({"explicit": rival.explicit} if arguments.explicit else {})}
    ours = {layout: ([], []) for layout in layouts}
    theirs = {(kind, layout): ([], []) for kind in kinds for layout in layouts}
    for kind, attention in kinds.items():  # warm-up
        rival.times(attention, masks[layouts[0]], 0)
    for _ in common.rounds(arguments):
        seconds = {} if arguments.only_torch else run_ours(shape, layouts, arguments)
        for layout in layouts:
            if {(FORWARD, layout), (BACKWARD, layout)} <= seconds.keys():
                ours[layout][0].append(seconds[FORWARD, layout])
                ours[layout][1].append(seconds[FORWARD, layout] + seconds[BACKWARD, layout])
            for kind, attention in kinds.items():
                both = rival.times(attention, masks[layout], arguments.min_time)
                for times, value in zip(theirs[kind, layout], both):
                    times.append(value)
    for (kind, layout), times in theirs.items():
        name = f"{shape[0]}x{shape[1]}, {shape[2]}x{shape[3]}"
        pairs = zip(times, ours[layout])  # forward, then forward and backward
        cells = [[common.ms(their), common.ms(our), common.ratio(their, our)] for their, our in pairs]
        yield [name, layout, kind, *cells[0], *cells[1]]


def main():
    arguments = parse()
    common.fair_environment(arguments.threads)
    wanted = arguments.shapes.split(",") if arguments.shapes else None
    rows = []
    for shape in SHAPES:
        if wanted is None or f"{shape[0]}x{shape[1]}" in wanted:
            rows += run_shape(shape, arguments)
    print(f"{arguments.dtype}, {common.conditions(arguments)}, ms")
    common.print_table(["images x tokens, heads x size", "layout", "PyTorch", "forward", "ours", "ratio",
                        "fwd+bwd", "ours", "ratio"], rows)


if __name__ == "__main__":
    main()

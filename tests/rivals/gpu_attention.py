"""Attention on a GPU in bf16: PyTorch's scaled_dot_product_attention and FlexAttention against `bench/cuda`.

    python tests/rivals/gpu_attention.py [--bench PATH] [--layouts dense,lh180,lh45] [--shapes 256x197,8x4097]

LookHere is a dense float mask for the first, a block mask and a score_mod for the second. Milliseconds, forward and
backward.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import common

SHAPES = [(256, 197), (64, 577), (32, 1025), (8, 4097)]  # images and tokens; 12 heads of 64
HEADS, HEAD_DIM = 12, 64
RUNS = 10


def parse():
    bundled = pathlib.Path(__file__).resolve().parents[1] / "bin" / "bench_cuda"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=bundled if bundled.exists() else common.BUILD / "bench" / "cuda")
    parser.add_argument("--layouts", default="dense,lh180,lh45")
    parser.add_argument("--shapes", default=",".join(f"{images}x{tokens}" for images, tokens in SHAPES))
    return parser.parse_args()


def run_ours(bench):
    """Milliseconds by (layout, images, tokens): forward, backward."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines"
        subprocess.run([bench, "--filter", "attention flash", "--json", lines], check=True, stdout=subprocess.DEVNULL)
        for line in lines.read_text().splitlines():
            case = json.loads(line)
            words = case["kernel"].split()
            if words[:2] != ["attention", "flash"]:
                continue
            images, tokens = case["shape"].split(",")[0].split(" x ")
            key = words[2], int(images), int(tokens)
            found.setdefault(key, [None, None])["backward" in words] = 1e3 * case["seconds"]
    return found


def milliseconds_of(run):
    from gpu_step import seconds_of_steps
    return 1e3 * common.median(seconds_of_steps(run, RUNS, "cuda"))


def flex(layout, tokens, side):
    """FlexAttention, compiled, with what a head sees as a block mask and its distance as a score_mod."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    from lookhere_mask import float_mask, heads_of
    compiled = torch.compile(flex_attention)
    if layout == "dense":
        return lambda q, k, v: compiled(q, k, v)
    slopes = torch.tensor([3 * slope for _, slope in heads_of(layout, HEADS, 0)], device="cuda")
    seen = (float_mask(layout, HEADS, (side, side)) > -1e30)[0].cuda()

    def mask_mod(b, h, q, k):
        return seen[h, q, k]

    def score_mod(score, b, h, q, k):
        y, x = (q - 1) // side - (k - 1) // side, (q - 1) % side - (k - 1) % side
        distance = torch.sqrt((y * y + x * x).float())
        return torch.where((q == 0) | (k == 0), score, score - slopes[h] * distance)

    # What a head sees of a block pair is worked out once; the mask itself is read where a block is cut.
    block_mask = create_block_mask(mask_mod, None, HEADS, tokens, tokens, device="cuda")
    return lambda q, k, v: compiled(q, k, v, score_mod=score_mod, block_mask=block_mask)


def sdpa(layout, side):
    import torch
    from gpu_step import aligned
    from lookhere_mask import float_mask
    mask = aligned(float_mask(layout, HEADS, (side, side), dtype=torch.bfloat16) if layout != "dense" else None, "cuda")
    return lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def run_torch(attend, images, tokens):
    """Milliseconds forward and backward, or why not."""
    import torch
    try:
        packed = torch.randn(images, tokens, 3, HEADS, HEAD_DIM, device="cuda", dtype=torch.bfloat16)
        q, k, v = (part.transpose(1, 2).detach().requires_grad_() for part in packed.unbind(2))
        out = attend(q, k, v)
        gradient = torch.randn_like(out)
        with torch.no_grad():
            forward = milliseconds_of(lambda: attend(q, k, v))
        backward = milliseconds_of(lambda: torch.autograd.grad(out, (q, k, v), gradient, retain_graph=True))
        return forward, backward
    except Exception as error:  # too little memory, no compiler: reported, not fatal
        return f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        torch.cuda.empty_cache()


def main():
    arguments = parse()
    ours = run_ours(arguments.bench)
    import torch
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; bf16, {HEADS} heads of {HEAD_DIM}; ms forward + "
          "backward, medians")
    header, rows = ("images x tokens", "layout", "ours", "SDPA", "ratio", "FlexAttention", "ratio"), []
    for shape in arguments.shapes.split(","):
        images, tokens = map(int, shape.split("x"))
        side = int((tokens - 1) ** 0.5)
        for layout in arguments.layouts.split(","):
            mine = ours[layout, images, tokens]
            row = [shape, layout, f"{mine[0]:.2f} + {mine[1]:.2f}"]
            for make in (lambda: sdpa(layout, side), lambda: flex(layout, tokens, side)):
                theirs = run_torch(make(), images, tokens)
                row += [theirs, "-"] if isinstance(theirs, str) else [
                    f"{theirs[0]:.2f} + {theirs[1]:.2f}", f"{sum(theirs) / sum(mine):.2f}x"]
            rows.append(row)
            print("  " + " | ".join(row), file=sys.stderr, flush=True)
    common.print_table(header, rows)


if __name__ == "__main__":
    main()

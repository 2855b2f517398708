"""ViT-B/16, forward pass of one image: PyTorch's SDPA with LookHere's mask against `build/lookhere bench forward`.

    python tests/rivals/forward.py [--sizes 224,1024] [--position lh45] [--dtype bf16] [--explicit] [--only-torch]

PyTorch uses one mask for all layers; a mask for each, as the authors keep them, would add gigabytes at 1024 px.
"""
import argparse
import sys

sys.dont_write_bytecode = True

import common
from worker import Worker

MODEL, SIZES = "vit_base", [224, 384, 512, 1024]
SECONDS, PEAK = "seconds", "peak_rss_bytes"  # fields of our JSON
STEPS = 3  # of ours in each round, after one to warm up


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser, rounds=5)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="image sides in pixels")
    parser.add_argument("--position", default="lh45", help="lh180, lh90, lh45, learned or none")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--explicit", action="store_true", help="also softmax(q·kᵀ + mask)·v, N×N in memory")
    parser.add_argument("--min-time", type=float, default=1, help="seconds per variant and round")
    return parser.parse_args()


def explicit_attention(q, k, v, attn_mask):
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    return (logits if attn_mask is None else logits.add_(attn_mask)).softmax(-1) @ v


def prepare(kind, size, position, dtype):
    """In the worker: a function that makes one forward pass."""
    import torch
    import vit
    torch.manual_seed(1)
    if kind == "explicit":
        vit.attention = explicit_attention
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    model = vit.ViT(*vit.SIZES[MODEL], size, position=position, one_mask=True, mask_dtype=dtype).eval()
    model = model.to(dtype)  # weights, too: nothing is cast during the pass
    images = torch.randn(1, 3, size, size, dtype=dtype)

    def forward():
        with torch.inference_mode():
            model(images)
    return forward


def run_ours(size, arguments):
    return common.run_lookhere(["forward", "--model", MODEL, "--img-size", size, "--position", arguments.position,
                                "--batch-size", 1, "--dtype", arguments.dtype, "--steps", STEPS])


def run_size(size, arguments):
    kinds = ["SDPA", "explicit"] if arguments.explicit else ["SDPA"]
    workers = {kind: Worker(prepare, kind, size, arguments.position, arguments.dtype) for kind in kinds}
    ours = []
    for _ in common.rounds(arguments):
        if not arguments.only_torch:
            ours += run_ours(size, arguments)
        for worker in workers.values():
            worker.round(arguments.min_time)
    our_seconds = [result[SECONDS] for result in ours]
    our_peak = max((result[PEAK] for result in ours), default=None)
    for kind, worker in workers.items():
        worker.close()
        if worker.error:
            print(f"{kind}: {worker.error}", file=sys.stderr)
            continue
        yield [f"{size} px", kind, common.ms(worker.seconds), common.ms(our_seconds),
               common.ratio(worker.seconds, our_seconds), common.megabytes(worker.peak), common.megabytes(our_peak)]


def main():
    arguments = parse()
    common.fair_environment(arguments.threads)
    rows = [row for size in map(int, arguments.sizes.split(",")) for row in run_size(size, arguments)]
    print(f"{MODEL}, {arguments.position}, {arguments.dtype}, one image, {common.conditions(arguments)}, ms")
    common.print_table(["image", "PyTorch", "ms", "ours", "ratio", "peak MB", "ours"], rows)


if __name__ == "__main__":
    main()

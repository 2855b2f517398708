"""A training step (forward, backward, AdamW): PyTorch eager and compiled against `build/lookhere bench step`.

    python tests/rivals/step.py [--cases a,c] [--variants eager-f32,compile-bf16] [--only-torch]

Every variant is a process of its own that stays for all rounds, so that each peak of memory (RSS) is its own.
"""
import argparse
import sys

sys.dont_write_bytecode = True

import common
from worker import Worker

# What both sides run. The position of (a) and (c) is learned, so PyTorch's attention there has no mask.
CASES = {
    "a": {"model": "vit_tiny", "batch-size": 8, "img-size": 224, "position": "learned"},
    "b": {"model": "vit_small", "batch-size": 8, "img-size": 224, "position": "lh180"},
    "c": {"model": "vit_tiny", "batch-size": 128, "img-size": 32, "position": "learned",
          "patch-size": 4, "dim": 192, "depth": 6, "heads": 6},
}
VARIANTS = ["eager-f32", "compile-f32", "eager-bf16", "compile-bf16"]
SECONDS, PEAK = "seconds", "peak_rss_bytes"  # fields of our JSON
STEPS = 5  # of ours in each round, after one to warm up


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser, rounds=5)
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {CASES}".replace("%", "%%"))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--position", help="lh180, lh90, lh45, learned or none for both sides, in every case")
    parser.add_argument("--adamw", choices=["fused", "foreach"], default="fused")
    parser.add_argument("--min-time", type=float, default=2, help="seconds per variant and round")
    return parser.parse_args()


def prepare(case, variant, adamw):
    """In the worker: a function that makes one training step."""
    import torch
    from vit import SIZES, ViT
    torch.manual_seed(1)
    how, dtype = variant.split("-")
    dim, depth, heads = (case.get(name, size) for name, size in zip(("dim", "depth", "heads"), SIZES[case["model"]]))
    model = ViT(dim, depth, heads, case["img-size"], case.get("patch-size", 16), case["position"],
                mask_dtype=torch.bfloat16 if dtype == "bf16" else torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05, **{adamw: True})
    images = torch.randn(case["batch-size"], 3, case["img-size"], case["img-size"])
    labels = torch.randint(0, 1000, (case["batch-size"],))
    forward = torch.compile(model) if how == "compile" else model

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            loss = torch.nn.functional.cross_entropy(forward(images).float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return step


def run_ours(case, dtype):
    arguments = ["step", "--dtype", dtype, "--steps", STEPS]
    for name, value in case.items():
        arguments += [f"--{name}", value]
    return common.run_lookhere(arguments)


def run_case(name, arguments):
    case = {**CASES[name], **({"position": arguments.position} if arguments.position else {})}
    workers = {variant: Worker(prepare, case, variant, arguments.adamw)
               for variant in arguments.variants.split(",")}
    dtypes = sorted({variant.split("-")[1] for variant in workers}, reverse=True)
    ours = {dtype: [] for dtype in dtypes}
    for _ in common.rounds(arguments):
        for dtype in dtypes:
            if not arguments.only_torch:
                ours[dtype] += run_ours(case, dtype)
            for variant, worker in workers.items():
                if variant.endswith(dtype):
                    worker.round(arguments.min_time)
    label = f"({name}) {case['model']} {case['img-size']} px, batch {case['batch-size']}, {case['position']}"
    for variant, worker in workers.items():
        worker.close()
        if worker.error:
            print(f"{variant}: {worker.error}", file=sys.stderr)
            continue
        results = ours[variant.split("-")[1]]
        our_seconds = [result[SECONDS] for result in results]
        our_peak = max((result[PEAK] for result in results), default=None)
        yield [label, variant, common.ms(worker.seconds), common.ms(our_seconds),
               common.ratio(worker.seconds, our_seconds), common.megabytes(worker.peak), common.megabytes(our_peak)]


def main():
    arguments = parse()
    common.fair_environment(arguments.threads)
    rows = [row for name in arguments.cases.split(",") for row in run_case(name, arguments)]
    print(f"{common.conditions(arguments)}, ms per step")
    common.print_table(["case", "PyTorch", "ms", "ours", "ratio", "peak MB", "ours"], rows)


if __name__ == "__main__":
    main()

"""Matrix products of a ViT's linear layers: PyTorch against `build/bench/gemm`, in GFLOP/s.

    python tests/rivals/gemm.py [--dtype bf16] [--rung own] [--only-torch]

With our bench the shapes are those that it reports for the rung; alone, PyTorch runs the list below.
"""
import argparse
import re
import statistics
import sys

sys.dont_write_bytecode = True

import common

# Operation, m, n, k of C (m, n) = A (m, k) · B (k, n). For a layer y = x·Wᵀ: NT is y, NN is dx, TN is dW.
# ViT-Ti, S and B at 224 px and batch 8 or 32 (197 tokens), the small model of 65 tokens at batch 128.
SHAPES = [("NN", 1576, 768, 192), ("NN", 1576, 192, 768), ("NN", 1576, 1536, 384), ("NN", 1576, 384, 1536),
          ("NN", 1576, 3072, 768), ("NN", 1576, 768, 3072), ("NN", 6304, 768, 192), ("NN", 6304, 576, 192),
          ("NN", 6304, 192, 768), ("NN", 8320, 768, 192), ("NN", 8320, 192, 768), ("NN", 8320, 192, 192),
          ("NN", 3200, 384, 96), ("NN", 3200, 96, 384), ("NT", 1576, 768, 192), ("NT", 1576, 3072, 768),
          ("NT", 8320, 192, 768), ("TN", 192, 768, 8320), ("TN", 768, 192, 8320), ("TN", 384, 1536, 1576),
          ("TN", 768, 3072, 1576), ("TN", 96, 384, 3200)]
# How our bench names a case: kernel "gemm", a rung, and a shape that says the operation and "m x n x k".
KERNEL, RUNG = "gemm", "own"
SHAPE = re.compile(r"\b(y|dx|dW|NN|NT|TN)\b.*?(\d+) x (\d+) x (\d+)")
OPERATIONS = {"y": "NT", "dx": "NN", "dW": "TN"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_common_arguments(parser, rounds=5)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--rung", default=RUNG, help="which rung of our ladder")
    parser.add_argument("--min-time", type=float, default=0.05, help="seconds per case and round")
    return parser.parse_args()


def run_ours(arguments):
    """Seconds by (operation, m, n, k)."""
    seconds = {}
    for case in common.run_bench("gemm", f"^{KERNEL}/{arguments.rung}/", arguments.min_time):
        shape = SHAPE.search(case["shape"])
        if shape and case["rung"] == arguments.rung and case["dtype"] == arguments.dtype:
            operation = OPERATIONS.get(shape[1], shape[1])
            seconds[(operation, *map(int, shape.groups()[1:]))] = case["seconds"]
    if not seconds:
        sys.exit(f"our bench has no {arguments.dtype} case {KERNEL}/{arguments.rung}/OPERATION m x n x k")
    return seconds


def rival(shape, dtype):
    """A call of PyTorch's for this product, its result's memory given."""
    import torch
    operation, m, n, k = shape
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    a = torch.rand((k, m) if operation[0] == "T" else (m, k)).sub_(0.5).to(dtype)
    b = torch.rand((n, k) if operation[1] == "T" else (k, n)).sub_(0.5).to(dtype)
    c = torch.empty(m, n, dtype=dtype)
    a, b = a.t() if operation[0] == "T" else a, b.t() if operation[1] == "T" else b
    return lambda: torch.mm(a, b, out=c)


def main():
    arguments = parse()
    common.fair_environment(arguments.threads)
    ours, theirs, calls = {}, {}, {}
    for _ in common.rounds(arguments):
        seconds = dict.fromkeys(SHAPES) if arguments.only_torch else run_ours(arguments)
        for shape, value in seconds.items():
            if shape not in calls:
                calls[shape] = rival(shape, arguments.dtype)
                calls[shape]()
            if value:
                ours.setdefault(shape, []).append(value)
            theirs.setdefault(shape, []).append(common.seconds_per_call(calls[shape], arguments.min_time))
    rows, rates = [], {}
    for shape in theirs:
        operation, m, n, k = shape
        gflops = [2e-9 * m * n * k / common.median(times[shape]) for times in (theirs, ours) if shape in times]
        rates.setdefault(operation, []).append(gflops)
        rows.append([f"{operation} {m} x {n} x {k}", common.ms(theirs[shape]), common.ms(ours.get(shape)),
                     *(f"{gflops[i]:.0f}" if i < len(gflops) else "-" for i in range(2)),
                     common.ratio(theirs[shape], ours.get(shape))])
    for operation, gflops in [*rates.items(), ("all", sum(rates.values(), []))]:
        means = [statistics.geometric_mean(side) for side in zip(*gflops)]
        rows.append([f"{operation}, geometric mean", "", "", *(f"{means[i]:.0f}" if i < len(means) else "-"
                                                              for i in range(2)),
                     f"{means[1] / means[0]:.2f}x" if len(means) == 2 else "-"])
    print(f"{arguments.dtype}, {common.conditions(arguments)}")
    common.print_table(["m x n x k", "PyTorch ms", "ours", "PyTorch GFLOP/s", "ours", "ratio"], rows)


if __name__ == "__main__":
    main()

"""Training steps on a GPU in bf16: PyTorch, eager and compiled, against `lookhere bench step --device cuda`.

    python tests/rivals/gpu_step.py [--quick] [--lookhere PATH] [--cases small-224] [--only-torch]

One process and one table. What does not fit the time (--seconds) is left out, compiled steps first.
"""
import argparse
import gc
import pathlib
import sys
import time

sys.dont_write_bytecode = True

import common

# Model, side of the images, batch: halved where it does not fit the memory. The most interesting first.
CASES = {"small-224": ("vit_small", 224, 256), "base-224": ("vit_base", 224, 256),
         "tiny-224": ("vit_tiny", 224, 256), "base-384": ("vit_base", 384, 128)}
POSITIONS = ["learned", "lh45"]  # attention without a mask, and with LookHere's as a dense float mask
HOW = ["eager", "compile"]
LEAST_BATCH = 16
WARM_UP = 3
GUESS = {"ours": 10, "eager": 10, "compile": 45}  # seconds of one measurement, before the first one is known


def parse():
    bundled = pathlib.Path(__file__).resolve().parents[1] / "bin" / "lookhere"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lookhere", default=bundled if bundled.exists() else common.BUILD / "lookhere",
                        help="our program (%(default)s)")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--positions", default=",".join(POSITIONS), help="of lh180, lh90, lh45, learned and none")
    parser.add_argument("--how", default=",".join(HOW))
    parser.add_argument("--batch", type=int, help="instead of each case's own")
    parser.add_argument("--steps", type=int, default=10, help="timed ones, of which the median is printed")
    parser.add_argument("--seconds", type=float, default=180, help="nothing is begun that would end later")
    parser.add_argument("--quick", action="store_true", help="the first case alone, in about a minute")
    parser.add_argument("--upload", action="store_true", help="PyTorch copies its images to the GPU in every step")
    parser.add_argument("--only-torch", action="store_true", help="do not run our program")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to try this script")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.cases = arguments.cases.split(",")[0]
    return arguments


def aligned(mask, device):
    """The mask on the device, its rows 16 values or a multiple apart: PyTorch would copy others at every call."""
    import torch
    if mask is None:
        return None
    tokens = mask.shape[-1]
    rows = torch.zeros(*mask.shape[:-1], (tokens + 15) // 16 * 16, dtype=mask.dtype, device=device)
    rows[..., :tokens] = mask.to(device)
    return rows[..., :tokens]


def make_step(model_name, img_size, batch, position, how, arguments):
    """A function that makes one training step."""
    import torch
    from vit import SIZES, ViT
    torch.manual_seed(1)
    device = arguments.device
    model = ViT(*SIZES[model_name], img_size, 16, position, mask_dtype=torch.bfloat16).to(device).train()
    model.masks = [aligned(mask, device) for mask in model.masks]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05, fused=True)
    images = torch.randn(batch, 3, img_size, img_size, device="cpu" if arguments.upload else device)
    labels = torch.randint(0, 1000, (batch,), device=device)
    forward = torch.compile(model) if how == "compile" else model

    def step():
        with torch.autocast(device, torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(forward(images.to(device)).float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return step


def seconds_of_steps(step, count, device):
    """Of each step, by the GPU's own events: one step behind the other, the GPU waits for no one who reads a clock."""
    import torch
    for _ in range(WARM_UP):  # compiles, chooses kernels, takes memory
        step()
    if device == "cpu":
        return [common.seconds_per_call(step, 0) for _ in range(count)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [1e-3 * begin.elapsed_time(end) for begin, end in zip(events, events[1:])]


def clean_up():
    import torch
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def run_torch(case, position, how, arguments):
    """(seconds, batch), or a text that says why not."""
    import torch
    model_name, img_size, batch = case
    while True:
        try:
            step = make_step(model_name, img_size, batch, position, how, arguments)
            return common.median(seconds_of_steps(step, arguments.steps, arguments.device)), batch
        except torch.cuda.OutOfMemoryError:
            problem = "out of memory"
        except Exception as error:  # e.g. no compiler for torch.compile: reported, not fatal
            return f"{type(error).__name__}: {error}".splitlines()[0]
        finally:
            step = None
            clean_up()
        if batch // 2 < LEAST_BATCH:
            return problem
        batch //= 2


def run_lookhere(case, position, arguments):
    """The same of our program."""
    model_name, img_size, batch = case
    while True:
        try:  # a GPU runs one part after the other, so the batch is one part
            result = common.lookhere_json(["step", "--model", model_name, "--img-size", img_size, "--batch-size", batch,
                                           "--position", position, "--dtype", "bf16", "--device", arguments.device,
                                           "--shards", 1, "--steps", arguments.steps], arguments.lookhere)
            return result["seconds"], batch
        except RuntimeError as error:
            problem = str(error).splitlines()[-1]
        if "memory" not in problem or batch // 2 < LEAST_BATCH:
            return problem
        batch //= 2


class Measurements:
    """Results by (case, position, who): (seconds, batch)."""

    def __init__(self, seconds):
        self.end, self.longest, self.done, self.left_out = time.monotonic() + seconds, dict(GUESS), {}, []

    def run(self, key, measure):
        who, begin = key[-1], time.monotonic()
        if begin + self.longest[who] > self.end:
            self.left_out.append(" ".join(key))
            return
        result = measure()
        used = time.monotonic() - begin
        known = any(other[-1] == who for other in self.done)
        self.longest[who] = max(self.longest[who], used) if known else used
        if isinstance(result, str):
            print(f"{' '.join(key)}: {result}", file=sys.stderr, flush=True)
            return
        self.done[key] = result
        seconds, batch = result
        print(f"{' '.join(key)}: {batch / seconds:.0f} images/s, measured in {used:.0f} s", file=sys.stderr, flush=True)

    def rows(self):
        for (case, position, how), (seconds, batch) in self.done.items():
            if how == "ours":
                continue
            ours = self.done.get((case, position, "ours"))
            theirs, rate = batch / seconds, ours and ours[1] / ours[0]
            yield [case, position, how, batch, f"{1e3 * seconds:.1f}", f"{theirs:.0f}",
                   *([ours[1], f"{1e3 * ours[0]:.1f}", f"{rate:.0f}", f"{rate / theirs:.2f}x"] if ours else 4 * ["-"])]


def measure_all(arguments):
    results = Measurements(arguments.seconds)
    cases = {name: CASES[name] for name in arguments.cases.split(",")}
    if arguments.batch:
        cases = {name: (*case[:2], arguments.batch) for name, case in cases.items()}
    # Compiling takes longest: last.
    for who in [*([] if arguments.only_torch else ["ours"]), *arguments.how.split(",")]:
        for name, case in cases.items():
            for position in arguments.positions.split(","):
                if who == "ours":
                    results.run((name, position, who), lambda c=case, p=position: run_lookhere(c, p, arguments))
                else:
                    results.run((name, position, who), lambda c=case, p=position: run_torch(c, p, who, arguments))
    return results


def main():
    arguments = parse()
    try:
        import torch
    except ImportError:
        sys.exit("gpu_step: PyTorch is not installed here")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu_step: PyTorch finds no GPU")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True  # for the patches' convolution
    results = measure_all(arguments)
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else "the processor"
    images = "uploaded in every step" if arguments.upload else "on the device"
    print(f"{name}, PyTorch {torch.__version__}, its images {images}; bf16, AdamW, medians of {arguments.steps} steps")
    header = ["case", "position", "PyTorch", "batch", "ms", "images/s", "our batch", "ms", "images/s", "ratio"]
    common.print_table(header, sorted(results.rows(), key=lambda row: list(CASES).index(row[0])))
    if results.left_out:
        print(f"left out, {arguments.seconds:.0f} s were over: {', '.join(results.left_out)}")
    if not results.done:
        sys.exit(1)


if __name__ == "__main__":
    main()

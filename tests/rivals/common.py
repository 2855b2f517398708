"""What the rivals' scripts share: a fair environment, timing, running our programs, workers, tables.

Not a script. PyTorch is imported by the scripts themselves, after fair_environment().
"""
import json
import multiprocessing
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
# Without them glibc returns every large tensor to the kernel and pays for its page faults again: PyTorch loses 10-50 %.
FAIR_MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # settings for our BLAS are not for PyTorch's


def fair_environment(threads):
    """Starts the script again with PyTorch's best allocator settings and this many threads, unless it has them."""
    wanted = {**FAIR_MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if any(os.environ.get(name) != value for name, value in wanted.items()) or any(name in os.environ for name in UNSET):
        os.environ.update(wanted)
        for name in UNSET:
            os.environ.pop(name, None)
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.argv])


def add_common_arguments(parser, rounds):
    parser.add_argument("--rounds", type=int, default=rounds, help="interleaved rounds; medians are printed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only-torch", action="store_true", help="do not run our programs")


def run_ours(arguments, **environment):
    """Runs one of our programs as a user would: the same threads, no allocator settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in FAIR_MALLOC}
    arguments = [str(a) for a in arguments]
    done = subprocess.run(arguments, env={**inherited, **environment}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\nfailed:\n{done.stderr or done.stdout}")


def run_bench(name, pattern, min_time):
    """One process of build/bench/NAME over the cases that match the pattern: a list of its JSON objects."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cases.json")
        run_ours([BUILD / "bench" / name, f"--benchmark_filter={pattern}", "--benchmark_repetitions=1",
                  f"--benchmark_min_time={min_time}"], JSON=path)
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]


def run_lookhere(arguments):
    """build/lookhere bench ... --json FILE: its JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        run_ours([BUILD / "lookhere", "bench", *arguments, "--json", path])
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def seconds_per_call(f, min_time):
    """The mean over as many calls as min_time holds, at least one: what Google Benchmark reports, too."""
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < min_time:
        f()
        calls += 1
    return (time.perf_counter() - start) / calls


def median(values):
    return statistics.median(values) if values else None


def ratio(theirs, ours):
    return f"{theirs / ours:.2f}x" if theirs and ours else "-"


def ms(seconds):
    return f"{1e3 * seconds:.2f}" if seconds else "-"


def megabytes(count):
    return f"{count / 1e6:.0f}" if count else "-"


def print_table(header, rows):
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [str(row[0]).ljust(widths[0]), *(str(c).rjust(w) for c, w in zip(row[1:], widths[1:]))]
        print("| " + " | ".join(cells) + " |")
    sys.stdout.flush()


def peak_rss_bytes():
    """This process's own peak; getrusage would also count the parent's before exec."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status).group(1))


class Worker:
    """A process of its own that stays: prepare(*arguments) gives a function, which is timed once per round().

    Its peak memory is its own, and its compiled code and warm allocator live from round to round.
    """

    def __init__(self, prepare, *arguments):
        context = multiprocessing.get_context("spawn")
        self.pipe, child = context.Pipe()
        self.process = context.Process(target=Worker._serve, args=(child, prepare, arguments), daemon=True)
        self.process.start()
        self.seconds, self.peak, self.error = [], None, self.pipe.recv()

    @staticmethod
    def _serve(pipe, prepare, arguments):
        try:
            step = prepare(*arguments)
            step()  # warm-up, compilation
            step()
        except Exception as error:  # e.g. no compiler for torch.compile: reported, not fatal
            return pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])
        pipe.send(None)
        while (min_time := pipe.recv()) is not None:
            pipe.send((seconds_per_call(step, min_time), peak_rss_bytes()))

    def round(self, min_time):
        if self.error is None:
            self.pipe.send(min_time)
            seconds, self.peak = self.pipe.recv()
            self.seconds.append(seconds)

    def close(self):
        if self.error is None:
            self.pipe.send(None)
        self.process.join()

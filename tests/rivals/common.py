"""What the rivals' scripts share: a fair environment, a quiet machine, timing, running our programs, tables.

Not a script. PyTorch is imported by the scripts themselves, after fair_environment().
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
# Huge pages, as ours has. Without the others glibc returns every large tensor to the kernel and pays for its page faults
# again: PyTorch loses 10-50 %.
FAIR_MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "THP_MEM_ALLOC_ENABLE": "1"}
DISTURBED = [0]  # rounds that began on a busy machine
REPETITIONS = 5  # of each case of our benches, which report the median
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # settings for our BLAS are not for PyTorch's


def fair_environment(threads):
    """Starts the script again with PyTorch's best allocator settings and this many threads, unless it has them."""
    wanted = {**FAIR_MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if {name: os.environ.get(name) for name in (*wanted, *UNSET)} != {**wanted, **dict.fromkeys(UNSET)}:
        os.environ.update(wanted)
        for name in UNSET:
            os.environ.pop(name, None)
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.argv])


def add_common_arguments(parser, rounds):
    parser.add_argument("--rounds", type=int, default=rounds, help="interleaved rounds; medians are printed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patience", type=float, default=10, help="seconds to wait for a quiet machine, each round")
    parser.add_argument("--only-torch", action="store_true", help="do not run our programs")


def busy_cores(seconds=0.2):
    """How many cores others use while we sleep, time stolen from a virtual machine included."""
    def ticks():
        line = pathlib.Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
        user, nice, system, idle, waiting, *others = map(int, line.split()[1:9])
        return sum((user, nice, system, *others)), idle + waiting
    busy, idle = ticks()
    time.sleep(seconds)
    more_busy, more_idle = ticks()
    return os.cpu_count() * (more_busy - busy) / max(more_busy - busy + more_idle - idle, 1)


def rounds(arguments):
    """Counts the rounds, each begun on a quiet machine or when patience ends: a third process slows OpenMP manyfold."""
    for index in range(arguments.rounds):
        deadline = time.monotonic() + arguments.patience
        while (busy := busy_cores()) > 0.2 and time.monotonic() < deadline:
            pass
        DISTURBED[0] += busy > 0.2
        yield index


def run_ours(arguments, **environment):
    """Runs one of our programs as a user would: the same threads, no allocator settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in FAIR_MALLOC}
    arguments = [str(a) for a in arguments]
    if not os.path.exists(arguments[0]):
        sys.exit(f"{arguments[0]} is not there: build it first (make {os.path.relpath(arguments[0], ROOT)})")
    done = subprocess.run(arguments, env={**inherited, **environment}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stderr or done.stdout}".rstrip())


def run_bench(name, pattern, min_time):
    """One process of build/bench/NAME over the cases that match the pattern: a list of its JSON objects."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cases.json")
        try:
            run_ours([BUILD / "bench" / name, f"--benchmark_filter={pattern}", f"--benchmark_repetitions={REPETITIONS}",
                      f"--benchmark_min_time={min_time / REPETITIONS}"], JSON=path)
        except RuntimeError as error:
            sys.exit(error)
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]


def lookhere_json(arguments, program=BUILD / "lookhere"):
    """The JSON object of `lookhere bench ...`; RuntimeError with its message where it refuses the case."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        run_ours([program, "bench", *arguments, "--json", path])
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def run_lookhere(arguments):
    """[that object], or [] with the message."""
    try:
        return [lookhere_json(arguments)]
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return []


def seconds_per_call(f, min_time):
    """The median of as many calls as min_time holds, at least one."""
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < min_time:
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return median(times)


def median(values):
    return statistics.median(values) if values else None


def ratio(theirs, ours):
    """Of the medians of two lists of times; above 1: ours is faster."""
    return f"{median(theirs) / median(ours):.2f}x" if theirs and ours else "-"


def ms(times):
    """The median over the rounds, marked where they disagree: another process ran, look again before you quote it."""
    return f"{'~' if max(times) > 1.25 * min(times) else ''}{1e3 * median(times):.2f}" if times else "-"


def megabytes(count):
    return f"{count / 1e6:.0f}" if count else "-"


def conditions(arguments):
    return (f"{arguments.threads} threads, medians of {arguments.rounds} interleaved rounds (~: over 25 % apart), "
            f"{DISTURBED[0]} rounds began on a busy machine")


def print_table(header, rows):
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [str(row[0]).ljust(widths[0]), *(str(c).rjust(w) for c, w in zip(row[1:], widths[1:]))]
        print("| " + " | ".join(cells) + " |")
    sys.stdout.flush()

"""Processes that stay from round to round, one for each variant, so that each has a peak of memory of its own."""
import multiprocessing
import pathlib
import re

from common import seconds_per_call


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

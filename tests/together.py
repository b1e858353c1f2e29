"""Processes of a fit as threads of this process, for tests of what each of them does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class ThreadProcesses:
    """One of several threads that exchange what they give at a barrier."""

    def __init__(self, rank, places, barrier):
        self.rank = rank
        self.size = self.size_here = len(places)
        self.n_messages = 0
        self._places = places
        self._barrier = barrier

    def collect(self, value):
        self._places[self.rank] = value
        self._barrier.wait()
        found = list(self._places)
        self._barrier.wait()
        return found

    def sum(self, values):
        return np.sum(self.collect(values), axis=0)

    def share(self, value):
        return self.collect(value)[0]

    def send_point(self, point):
        self.n_messages += 1
        point[:] = self.collect(point.copy())[0]

    def reduce(self, sums):
        self.n_messages += 1
        return np.sum(self.collect(sums.copy()), axis=0)


def together(size, function):
    """Call function(processes) in `size` threads; what each returned. The first error ends all of them."""
    places, barrier = [None] * size, threading.Barrier(size)

    def run(rank):
        try:
            return function(ThreadProcesses(rank, places, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        jobs = [pool.submit(run, rank) for rank in range(size)]
    errors = [job.exception() for job in jobs if job.exception() is not None]
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return [job.result() for job in jobs]

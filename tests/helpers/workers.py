"""What happens to workers."""

import os
import random
import signal
import threading
import time


def worker_pids(client):
    processes = [nanny.process for nanny in client.cluster.workers.values()]
    return [process.pid for process in processes if process is not None and process.pid]


class Killer(threading.Thread):
    """Ends a worker, drawn by the seed, after a while, without a word."""

    def __init__(self, client, after, seed):
        super().__init__()
        self.client, self.after, self.random, self.killed = client, after, random.Random(seed), None

    def run(self):
        time.sleep(self.after)
        while not (pids := worker_pids(self.client)):
            time.sleep(0.01)
        self.killed = self.random.choice(pids)
        os.kill(self.killed, signal.SIGKILL)

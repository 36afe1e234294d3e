# SPDX-License-Identifier: GPL-2.0-only
"""Runs colo-scenario many times, several at once, and reads what each run leaves."""

import json
import shlex
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm


class Failure(Exception):
    """What went wrong, with the command that does it again."""


class Scenarios:
    """Starts the program, and ends what is still running when it is left."""

    def __init__(self, program, jobs):
        self.program = program
        self.jobs = jobs
        self.lock = threading.Lock()
        self.is_over = False
        self.running = set()

    def summaries(self, commands, title):
        """The summary.json of each list of arguments, in their order."""
        # no bar where nobody looks
        with tqdm(desc=title, total=len(commands), disable=None) as bar:
            with ThreadPoolExecutor(self.jobs) as pool:
                try:
                    runs = [pool.submit(self._summary, arguments) for arguments in commands]
                    for run in as_completed(runs):
                        run.result()  # the first that fails ends all
                        bar.update()
                except BaseException:  # Ctrl-C as well: the pool would wait for all that is to come
                    self._end()
                    raise
        return [run.result() for run in runs]

    def repeat(self, why, arguments):
        """Says of the run with these arguments what is wrong, and what to type to see it."""
        return f"{why}; to repeat it: {shlex.join([str(self.program), *arguments])}"

    def _summary(self, arguments):
        with tempfile.TemporaryDirectory(prefix="colo-figures-") as folder:
            status, errors = self._run([self.program, *arguments, f"--out={folder}", "--pcap=none"])
            if self.is_over:
                return None
            if status:
                why = errors.strip().splitlines()[-1:] or [f"exit status {status}"]
                raise Failure(self.repeat(why[0], arguments))
            return json.loads((Path(folder) / "summary.json").read_text())

    def _run(self, command):
        with self.lock:
            if self.is_over:
                return 0, ""
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            self.running.add(process)
        errors = process.communicate()[1]
        with self.lock:
            self.running.remove(process)
        return process.returncode, errors

    def _end(self):
        with self.lock:
            self.is_over = True
            for process in self.running:
                process.terminate()

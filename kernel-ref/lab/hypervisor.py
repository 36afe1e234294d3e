#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lab's hypervisor: stops both guests, moves the state, commits, lets both go on.

What it moves is what the lab's guest server has: connections and their place in what they do.
From the request on the primary host keeps back what comes for the guests, so nothing is lost
that the secondary guest would have to know. A stopped guest's sockets are in repair mode and
send nothing new, so nothing escapes between dump and commit.

As a program it serves a lab that `topology.py setup` and two guest servers have made.
"""

import argparse
import threading
import time

import control
from guest_server import ask
from topology import PRIMARY, SECONDARY

# What is on its way into a guest when the request comes; veth takes microseconds.
DRAIN_S = 0.01


class Hypervisor:
    """Listens in a thread of its own; each checkpoint leaves a line in done."""

    def __init__(self, sockets, index=1, say=None):
        self.sockets = sockets  # of the guest servers: primary's, secondary's
        self.index = index
        self.say = say or (lambda text: None)
        self.done = []
        self.faults = []
        self.held_back = threading.Event()  # set: requests wait
        self.monitor = control.Monitor(PRIMARY)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        """The reason comes first, or not at all if an operator asked; then what is to be done."""
        reason = "by hand"
        while (event := self.monitor.next()) is not None:
            if event.get("index") != self.index:
                continue
            if event["event"] == "checkpoint-requested":
                reason = event["reason"]
            elif event["event"] == "actions" and "pause" in event["actions"]:
                self.try_checkpoint(reason)
                reason = "by hand"

    def try_checkpoint(self, reason):
        while self.held_back.is_set():
            time.sleep(0.01)
        try:
            self.checkpoint(reason)
        except (OSError, control.Refused) as error:
            self.faults.append(str(error))
            self.say(f"checkpoint failed: {error}")

    def checkpoint(self, reason):
        start = time.monotonic()
        for guest in self.sockets:
            ask(guest, "quiesce")
        time.sleep(DRAIN_S)
        state = ask(self.sockets[0], "dump")
        ask(self.sockets[1], "load", state=state)
        epoch = control.stats(PRIMARY, self.index)["next_epoch"]
        control.checkpoint(SECONDARY, self.index, epoch)
        control.checkpoint(PRIMARY, self.index)
        for guest in self.sockets:
            ask(guest, "resume")
        pause_ms = (time.monotonic() - start) * 1000
        moved = len(state["connections"])
        self.done.append({"reason": reason, "epoch": epoch, "pause_ms": pause_ms, "moved": moved})
        self.say(
            f"checkpoint {epoch} ({reason}): {moved} connections moved, "
            f"{state['closed']} closed so far, paused for {pause_ms:.0f} ms"
        )

    def close(self):
        self.held_back.clear()
        self.monitor.close()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("primary", help="Unix socket of the primary's guest server")
    parser.add_argument("secondary", help="Unix socket of the secondary's")
    parser.add_argument("--index", type=int, default=1)
    arguments = parser.parse_args()
    sockets = (arguments.primary, arguments.secondary)
    Hypervisor(sockets, arguments.index, lambda text: print(text, flush=True)).thread.join()


if __name__ == "__main__":
    main()

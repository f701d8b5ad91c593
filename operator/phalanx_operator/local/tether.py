"""Run a command that dies with its parent: `python tether.py PARENT_PID COMMAND...`.

A parent that is killed with -9 cannot clean up. Linux kills the child for it (PR_SET_PDEATHSIG), which survives
exec; elsewhere the command is simply run. Done in a process of its own, because code between fork and exec is not
safe in a program with threads. Run by path with `-I -S`, it imports nothing of this package and starts in
milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above.
    if os.getppid() != parent:
        os._exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the pod's
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()

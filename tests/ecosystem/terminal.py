"""Runs a program on a pseudo-terminal and answers what it asks: waits for a text, then types, pair by pair.

Arguments: a JSON object with `run` (program and arguments) and `answers` ([[text, keys], ...]). Prints what stood on the
terminal; exits as the program did, or with 90 where a text never came.
"""

import json
import os
import pty
import select
import sys

asked = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execv(asked["run"][0], asked["run"])

shown = b""
seen = 0


def more():
    """Whether more came; the terminal is closed when the program is gone."""
    global shown
    if not select.select([terminal], [], [], 60)[0]:
        return False
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        return False
    shown += piece
    return bool(piece)


missed = None
for text, keys in asked["answers"]:
    while text.encode() not in shown[seen:]:
        if not more():
            missed = text
            break
    if missed:
        break
    seen = shown.index(text.encode(), seen) + len(text.encode())
    os.write(terminal, keys.encode())
while more():
    pass
_, status = os.waitpid(child, 0)
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
if missed:
    sys.stderr.write(f"never shown: {missed!r}\n")
    sys.exit(90)
sys.exit(os.waitstatus_to_exitcode(status))

"""A worker: imports torch and accelerate once, then answers one line with one line (`protocol.py`).

What is asked is done in children of this process (`serving.py`). What fails in the process itself
ends it, and the last line of standard error says why. Standard output is kept for the answers
alone; whatever a library prints goes to standard error.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings

warnings.filterwarnings("ignore")
gc.disable()  # what is imported stays: looking for garbage among it takes a fifth of the time

from ckptmatrix.worker.protocol import read_question  # noqa: E402 - warnings go first
from ckptmatrix.worker.serving import Server  # noqa: E402
from ckptmatrix.worker.touched import TOUCHED  # noqa: E402

gc.enable()

_HOME = os.path.abspath(os.path.join(__file__, *[os.pardir] * 5))
"""Where `bundles/NAME/ckptmatrix/worker/__main__.py` lies, beside checkpoints and environments."""


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        question = read_question(line)
        sys.path[:0] = [path for path in question.paths if path not in sys.path]
        TOUCHED.listen(roots=question.paths, apart=(_HOME,))
        gc.freeze()  # keeps the collector of every child off the pages it shares with this process
        answers.write(server.answer(question) + "\n")
        answers.flush()
    server.close()


if __name__ == "__main__":
    main()
    try:
        sys.stderr.flush()
    finally:
        os._exit(0)  # the interpreter would take torch apart piece by piece, for half a second

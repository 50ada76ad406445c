"""Where code raised that is no release's: the scenario's method, and the line to look at."""

from __future__ import annotations

import os
import sysconfig
import traceback

from ckptmatrix.worker.protocol import NotReturned, Origin
from ckptmatrix.worker.words import Ending

_FOREIGN = (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], "<")
_WORKER = os.path.dirname(os.path.abspath(__file__))
_MESSAGE = 2000


def raised(error: BaseException, phase: str = "") -> NotReturned:
    """Say how a request ended whose code raised.

    Args:
        error: what it raised.
        phase: what was being done, if it was no method of a scenario.
    """
    told = traceback.format_exception(type(error), error, error.__traceback__)
    return NotReturned(Ending.RAISED, "".join(told), _origin(error, phase))


def _origin(error: BaseException, phase: str) -> Origin:
    """Of the frames the last one of a script's own; in what it calls nothing is to be mended."""
    frames = list(traceback.walk_tb(error.__traceback__))
    file, line = "", 0
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno or 0
    elif frames:
        own = [one for one in frames if _is_script(one[0].f_code.co_filename)]
        frame, line = (own or frames)[-1]
        file = frame.f_code.co_filename
    methods = [
        frame.f_code.co_name
        for frame, _ in frames
        if hasattr(type(frame.f_locals.get("self")), "build_reader")  # of a scenario
    ]
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    name = module + kind.__qualname__
    return Origin(methods[0] if methods else phase, name, str(error)[:_MESSAGE], file, line)


def _is_script(file: str) -> bool:
    """Whether it is a scenario's, a loader's, or what they import of their project."""
    return not file.startswith(_FOREIGN) and os.path.dirname(os.path.abspath(file)) != _WORKER

"""One traceback in the layouts in which people paste it, for tests."""

import textwrap
from collections.abc import Callable

from ckptmatrix.checkpoint.explain.failures import Failure


def python(failure: Failure) -> str:
    """As Python prints it."""
    lines = ["Traceback (most recent call last):"]
    for frame in failure.frames:
        lines.append(f'  File "{frame.path}", line {frame.line}, in {frame.function}')
        if frame.code:
            lines += [f"    {frame.code}", "    " + "^" * min(len(frame.code), 20)]
    return "\n".join([*lines, _said(failure)]) + "\n"


def ranks(failure: Failure) -> str:
    """As torchrun prefixes it."""
    return "".join(f"[rank3]: {line}\n" for line in python(failure).splitlines())


def container(failure: Failure) -> str:
    """As a container's log prefixes it, each line with its own time."""
    return "".join(
        f"2025-03-16T18:48:{number % 60:02d}.123Z trainer-1  | {line}\n"
        for number, line in enumerate(python(failure).splitlines())
    )


def interleaved(failure: Failure) -> str:
    """Two processes that write the same at the same time."""
    lines = python(failure).splitlines()
    return "".join(f"[rank0]: {line}\n[rank1]: {line}\n" for line in lines)


def windows(failure: Failure) -> str:
    """With paths of Windows, one folder of which has a blank, and with its ends of lines."""
    text = python(failure)
    for folder in ("/workspace/env/lib/python3.11", "/workspace/env/lib/python3.10"):
        text = text.replace(folder, "C:\\My Training\\venv\\Lib")
    return text.replace("\n", "\r\n")


def logged(failure: Failure) -> str:
    """After a progress bar, by a logger that puts its prefix before the first line only."""
    return (
        f" 33%|███▎      | 2/6 [00:00<00:01]2025-01-02 10:11:12 - ERROR - train - {python(failure)}"
    )


def jupyter(failure: Failure) -> str:
    """As Jupyter and Kaggle print it."""
    lines = ["-" * 75, f"{failure.name:<42}Traceback (most recent call last)"]
    for frame in failure.frames:
        lines += [f"File {frame.path}:{frame.line}, in {frame.function}(self, *args)"]
        lines += [f"   {frame.line - 1}     # before", f"-> {frame.line} {frame.code}", ""]
    return "\n".join([*lines, _said(failure)]) + "\n"


def colab(failure: Failure) -> str:
    """As Colab's output looks when it is pasted: file names are links."""
    lines = ["-" * 75, f"{failure.name:<42}Traceback (most recent call last)"]
    for frame in failure.frames:
        lines += [f"[{frame.path}](https://localhost:8080/#) in {frame.function}(self, *args)"]
        lines += [f"   {frame.line - 1}     # before", f"-> {frame.line} {frame.code}", ""]
    return "\n".join([*lines, _said(failure)]) + "\n"


def pytest(failure: Failure) -> str:
    """As pytest prints it with --tb=short."""
    lines = ["_" * 30 + " test_resume " + "_" * 30]
    for frame in failure.frames:
        lines += [f"{frame.path}:{frame.line}: in {frame.function}", f"    {frame.code}"]
    return "\n".join(lines + [f"E   {line}" for line in _said(failure).splitlines()]) + "\n"


def rich(failure: Failure, width: int = 100) -> str:
    """As rich draws it; its real output is compared with this in `test_frames`."""
    inner = width - 4
    rows = [f"╭{' Traceback (most recent call last) ':─^{width - 2}}╮"]
    for number, frame in enumerate(failure.frames):
        head = f"{frame.path}:{frame.line} in {frame.function}"
        code = f"❱ {frame.line} │   {frame.code}"[:inner]
        body = ["", *textwrap.wrap(head, inner)] if number else textwrap.wrap(head, inner)
        rows += [f"│ {row:<{inner}} │" for row in [*body, "", f"  {frame.line - 1} │", code]]
    return "\n".join([*rows, f"╰{'─' * (width - 2)}╯", _said(failure)]) + "\n"


def narrow_rich(failure: Failure) -> str:
    """The same in a terminal of 80 columns: heads are wrapped, code is cropped."""
    return rich(failure, 80)


def _said(failure: Failure) -> str:
    return f"{failure.type}: {failure.message}" if failure.message else failure.type


LAYOUTS: dict[str, Callable[[Failure], str]] = {
    layout.__name__: layout
    for layout in (
        *(python, ranks, container, interleaved, windows, logged),
        *(jupyter, colab, pytest, rich, narrow_rich),
    )
}

"""Pickles that name what runs code, or what nobody knows."""

from collections.abc import Iterator

from tests.checkpoint.hostile.case import ANY, BIN, MARK, RUN, STATES, WEIGHTS, Case, D, N, put
from tests.checkpoint.hostile.opcodes import (
    Code,
    archive,
    call,
    entries,
    named,
    named_on_the_stack,
    old_format,
    pickled,
    text,
    zipped,
)

NAMES = (
    *(
        "os.system",
        "posix.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
        "nt.system",
    ),
    *("builtins.getattr", "builtins.map", "builtins.open", "builtins.object", "__builtin__.eval"),
    *("pty.spawn", "runpy._run_code", "timeit.timeit", "cProfile.run", "distutils.spawn.spawn"),
    *("multiprocessing.util.spawnv_passfds", "pkgutil.resolve_name", "copyreg._reconstructor"),
    *("types.FunctionType", "marshal.loads", "functools.partial", "operator.attrgetter"),
    *("pickle.loads", "_pickle.loads", "shelve.open", "site.addpackage", "importlib.import_module"),
    *(
        "ctypes.CDLL",
        "socket.socket",
        "urllib.request.urlopen",
        "urllib2.urlopen",
        "commands.getoutput",
    ),
    *("webbrowser.open", "code.InteractiveInterpreter", "typing.ForwardRef", "io.BytesIO"),
    *("torch.load", "torch.hub.load", "torch.jit.load", "torch.storage._load_from_bytes"),
    *("torch.utils.collect_env.run", "torch.fx.graph_module._exec_with_source"),
    *("torch._inductor.runtime.compile_tasks._reload_python_module", "torch.serialization.load"),
    *("torch.package.PackageImporter", "torch.nn.modules.linear.Linear", "torch.EvilStorage"),
    *("numpy.load", "numpy.testing.runstring", "numpy.core.multiarray.fromstring", "numpy.memmap"),
    *("numpy.core.multiarray.scalar2", "numpy.f2py.compile", "torch._utils._rebuild_qtensor"),
)
"""Of the standard library, torch and numpy, none on the allow list."""


def named_files() -> Iterator[Case]:
    for path in NAMES:
        yield put(f"names {path}", D, archive(named(path)))
    for protocol in range(6):
        yield put(f"zip, protocol {protocol}", D, archive(RUN, protocol))
        yield put(f"bare, protocol {protocol}", D, pickled(RUN, protocol))
    for file in STATES:
        yield put("runs", D, archive(RUN), file)
        yield put("bare", D, pickled(RUN), file)
    yield put("runs, old format", D, old_format(pickled(RUN)))
    yield put("as weights", D, archive(RUN), BIN)
    yield put("under the name of safetensors", D, archive(RUN), WEIGHTS)
    yield put("INST", D, zipped(entries(b"(S'" + MARK.encode() + b"'\nios\nsystem\n0}.")))
    yield put("OBJ", D, zipped(entries(b"(cos\nsystem\nS'" + MARK.encode() + b"'\no0}.")))
    yield put("STACK_GLOBAL", D, archive(call(named_on_the_stack("os", "system"), MARK), 4))
    for module, name in (
        ("torch", "os.system"),
        ("collections", "_sys.modules"),
        ("x", "os.system"),
    ):
        yield put(f"dotted {module}:{name}", D, archive(named_on_the_stack(module, name), 4))
    yield put("letters of another alphabet", D, archive(named_on_the_stack("\u043es", "system"), 4))
    yield put("a line break in a name", D, archive(named_on_the_stack("a\nb", "c"), 4))
    yield put("extension code", D, zipped(entries(b"\x80\x02\x82\x010}.")))
    computed = Code(text("os") + call("builtins.str", "system").opcodes + b"\x93")
    yield put("a computed name", D, archive(computed, 4))
    yield put(
        "calls what a call made",
        D,
        archive(call(call("functools.partial", named("os.system")), MARK)),
    )
    for path in ("train.Config", "peft.tuners.lora.Linear", "__main__.State"):
        yield put(f"names {path}", N, archive(named(path)))
    yield put("a pickle inside bytes", ANY, archive(pickled(RUN)))

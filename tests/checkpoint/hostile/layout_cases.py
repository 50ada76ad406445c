"""Archives of which a part lies, or is said to lie, where it does not belong."""

from collections.abc import Iterator

from tests.checkpoint.hostile.case import ANY, RUN, Case, D, X, put
from tests.checkpoint.hostile.opcodes import Entry, changed, entries, pickled, with_first, zipped


def layouts() -> Iterator[Case]:
    """Each byte where it does not belong; the pickle inside is harmless or not, nobody knows."""
    whole = entries(pickled(1))
    evil = entries(pickled(RUN))
    double = Entry(b"archive/data.pkl", pickled(RUN))
    for name, data in {
        "a comment": zipped(whole, end={"comment": 3}, after=b"abc"),
        "bytes behind": zipped(whole, after=b"\0"),
        "two ends": zipped(whole) + zipped(evil)[-22:] + b"x",
        "bytes between": zipped(whole, between=b"PK"),
        "a gap": zipped([whole[0], changed(gap=b"gap")(whole[1]), *whole[2:]]),
        "twice the same name": zipped([*whole, double]),
        "the same name first": zipped([double, *whole]),
        "twice but for the case": zipped([*whole, Entry(b"archive/DATA.PKL", pickled(RUN))]),
        "two storages but for the case": zipped(
            [*whole, Entry(b"archive/data/a", b"1"), Entry(b"archive/data/A", b"2")]
        ),
        "two folders": zipped([*whole, *entries(pickled(RUN), "other")]),
        "no folder": zipped([Entry(e.name[8:], e.data) for e in whole]),
        "NUL in a name": zipped([*whole, Entry(b"archive/data.pkl\0x", pickled(RUN))]),
        "a name that is no ASCII": zipped([*whole, Entry("archive/\xe9".encode(), b"")]),
        "packed": zipped(with_first(changed(method=8), whole)),
        "encrypted": zipped(with_first(changed(flags=1), whole)),
        "another local name": zipped(with_first(changed(local_name=b"archive/xata.pkl"), whole)),
        "another local flag": zipped(with_first(changed(local={"flags": 1}), whole)),
        "another local method": zipped(with_first(changed(local={"method": 8}), whole)),
        "another local size": zipped(with_first(changed(local={"size": 70}), whole)),
        "another local checksum": zipped(with_first(changed(local={"crc": 7}), whole)),
        "sizes behind that are not there": zipped(with_first(changed(flags=8), whole)),
        "a comment of a record": zipped(with_first(changed(comment=b"x"), whole)),
        "more counted": zipped(whole, end={"count": 4}),
        "fewer counted": zipped(whole, end={"count": 2}),
        "a longer directory": zipped(whole, end={"length": 9000}),
        "a directory elsewhere": zipped(whole, end={"offset": 3}),
        "a further disk": zipped(whole, end={"disk": 1}),
        "zip64 elsewhere": zipped(whole, zip64={"place": 0}),
        "zip64 with another directory": zipped(whole, zip64={"offset": 5}),
        "zip64 with another count": zipped(whole, zip64={"count": 9}),
        "zip64 of another length": zipped(whole, zip64={"rest": 60}),
        "zip64 with further disks": zipped(whole, zip64={"disks": 2}),
        "zip64, and the end says otherwise": zipped(whole, zip64={}, end={"offset": 1}),
        "TorchScript": zipped([*whole, Entry(b"archive/constants.pkl", pickled(()))]),
        "code": zipped([*whole, Entry(b"archive/code/__torch__.py", b"")]),
        "no data.pkl": zipped(whole[1:]),
        "another zip": zipped([Entry(b"readme.txt", b"x")]),
        "one archive behind another": zipped(evil) + zipped(whole),
    }.items():
        yield put(name, D, data)
    yield put("bytes before", X, b"x" + zipped(whole))
    yield put("zip64", ANY, zipped(whole, zip64={}))
    yield put("big-endian", X, zipped([whole[0], Entry(b"archive/byteorder", b"big"), whole[2]]))

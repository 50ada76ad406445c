"""Several processes of one training: what they are told, and how they agree."""

import os
import socket
import time

from ckptmatrix.worker.launching import Ranks, launch
from ckptmatrix.worker.words import Ending
from tests.support.answers import ending, returned

TOLD = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")


def test_each_process_is_told_its_rank_as_torchrun_tells_it() -> None:
    ended = launch(2, lambda ranks: [os.environ[name] for name in TOLD], 60)
    assert returned(ended) == [["0", "0", "2", "127.0.0.1"], ["1", "1", "2", "127.0.0.1"]]


def test_one_process_is_told_nothing() -> None:
    assert returned(launch(1, lambda ranks: os.environ.get("RANK"), 60)) == [None]


def test_all_learn_what_holds_in_one_of_them() -> None:
    def asked(ranks: Ranks) -> list[bool]:
        return [ranks.any(ranks.rank == 1), ranks.any(False), ranks.any(True)]

    assert returned(launch(3, asked, 60)) == [[True, False, True]] * 3


def test_rank_0_can_listen_on_the_port_that_is_kept_for_it() -> None:
    def meets(ranks: Ranks) -> int:
        port = int(os.environ["MASTER_PORT"])
        if ranks.rank == 0:
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", port))
                server.listen()
                ranks.any(False)
                connection, _ = server.accept()
                with connection:
                    return connection.recv(1)[0]
        ranks.any(False)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.send(b"\x07")
        return 7

    assert returned(launch(2, meets, 60)) == [7, 7]


def test_others_start_once_rank_0_listens_and_are_the_first_to_ask_it() -> None:
    def meets(ranks: Ranks) -> bool:
        port = int(os.environ["MASTER_PORT"])
        if ranks.rank == 0:
            time.sleep(0.2)
            with socket.create_server(("127.0.0.1", port)) as server:
                server.settimeout(20)
                connection, _ = server.accept()
                with connection:
                    return connection.recv(1) == b"1"
        with socket.create_connection(("127.0.0.1", port)) as client:  # refused if it came first
            client.send(b"1")
        return True

    assert returned(launch(2, meets, 60)) == [True, True]


def test_a_rank_0_that_never_listens_is_not_waited_for() -> None:
    assert returned(launch(2, lambda ranks: ranks.rank, 60)) == [0, 1]


def test_a_dead_lock_ends_by_the_time_limit() -> None:
    def never_meet(ranks: Ranks) -> None:
        while ranks.rank == 0:
            pass
        ranks.any(False)

    assert ending(launch(2, never_meet, 0.5)) is Ending.TIMEOUT

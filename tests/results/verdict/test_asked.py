"""What a person gives of one side: a version, a line, or what a tool prints."""

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.results.verdict.asked import Asked, asked_of, pins_of

WANTED = {"accelerate": "0.33.0", "torch": "2.4.1+cu121", "numpy": "1.26.4"}
TEXTS = {
    "pip freeze": """\
absl-py==2.1.0
accelerate==0.33.0
numpy==1.26.4
pytorch-lightning==2.4.0
torch==2.4.1+cu121
torchvision==0.19.1+cu121
""",
    "a line": '"accelerate==0.33.0 torch==2.4.1+cu121 numpy==1.26.4"',
    "requirements with hashes": """\
accelerate[rich]==0.33.0 \\
    --hash=sha256:0000
Torch == 2.4.1+cu121 ; python_version >= "3.9"
numpy===1.26.4  # pinned
""",
    "wheels": """\
accelerate @ file:///tmp/wheels/accelerate-0.33.0-py3-none-any.whl#sha256=00
torch @ https://download.pytorch.org/whl/cu121/torch-2.4.1%2Bcu121-cp311-cp311-linux_x86_64.whl
numpy==1.26.4
""",
    "pip list": """\
Package            Version
------------------ ------------
accelerate         0.33.0
numpy              1.26.4
torch              2.4.1+cu121
torchaudio         2.4.1
""",
    "uv.lock": """\
[[package]]
name = "accelerate"
version = "0.33.0"
dependencies = [{ name = "numpy" }, { name = "torch" }]

[[package]]
name = "numpy"
version = "1.26.4"

[[package]]
name = "torch"
version = "2.4.1+cu121"
""",
    "pyproject": 'dependencies = ["accelerate==0.33.0", "torch==2.4.1+cu121", "numpy==1.26.4"]',
}


@pytest.mark.parametrize("kind", TEXTS)
def test_versions_are_found_in_what_tools_print(kind: str) -> None:
    assert pins_of(TEXTS[kind]) == WANTED
    assert pins_of(TEXTS[kind].replace("\n", "\r\n")) == WANTED


def test_a_version_alone_is_accelerates_and_a_line_is_read_back() -> None:
    assert asked_of(" v0.33 ") == Asked("v0.33")
    asked = asked_of("numpy==1 accelerate==0.33")
    assert asked == Asked("0.33", numpy="1")
    assert asked.line == "accelerate==0.33 numpy==1"
    assert asked_of(asked.line) == asked
    assert asked_of(TEXTS["pip freeze"], "torch2.4-np1") == Asked("0.33.0", stack="torch2.4-np1")


@pytest.mark.parametrize(
    "text", ["", "next", "torch==2.4.1", "accelerate>=1.0", "not-accelerate==1.0"]
)
def test_what_names_no_accelerate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no version of accelerate") as caught:
        asked_of(text)
    assert "pip freeze" in caught.value.remedy

"""Versions in the layouts in which people give them, and sentences that give none."""

import pytest

from ckptmatrix.checkpoint.explain.versions import versions_in


def _of(text: str) -> dict[str, tuple[str, ...]]:
    return versions_in(text.splitlines())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("accelerate==0.33.0\ntorch==2.7.0+cu128",
         {"accelerate": "0.33.0", "torch": "2.7.0+cu128"}),
        ("Name: accelerate\nVersion: 0.33.0\nSummary: Accelerate", {"accelerate": "0.33.0"}),
        ("accelerate               0.33.0\nnumpy    1.26.4",
         {"accelerate": "0.33.0", "numpy": "1.26.4"}),
        ("torch             2.6.0+cu124 /opt/torch", {"torch": "2.6.0+cu124"}),
        ("- `Accelerate` version: 1.4.0", {"accelerate": "1.4.0"}),
        ("- Accelerate version: 0.24.1", {"accelerate": "0.24.1"}),
        ("- PyTorch version (GPU?): 2.6.0+cu124 (True)", {"torch": "2.6.0+cu124"}),
        ("- PyTorch version: 2.6.0", {"torch": "2.6.0"}),
        ("- Numpy version: 1.23.5", {"numpy": "1.23.5"}),
        ("- `transformers` version: 4.36.0.dev0", {"transformers": "4.36.0.dev0"}),
        ("pytorch                   2.3.0           py3.10_cuda12.1_cudnn8.9.2_0    pytorch",
         {"torch": "2.3.0"}),
        ("numpy 1.26.4 py310heeff2f4_0 conda-forge", {"numpy": "1.26.4"}),
        ("[pip3] numpy==1.26.4\n[conda] numpy 1.24.3", {"numpy": "1.26.4,1.24.3"}),
        ("[+] torch version 2.0.1+cu118 installed.", {"torch": "2.0.1+cu118"}),
        ("torch==2.7.0 numpy==1.26.4", {"torch": "2.7.0", "numpy": "1.26.4"}),
        ("with accelerate 0.33.0, torch 2.7.0 and numpy 1.26.4",
         {"accelerate": "0.33.0", "torch": "2.7.0", "numpy": "1.26.4"}),
        ("Successfully installed accelerate-0.19.0 transformers-4.29.2",
         {"accelerate": "0.19.0", "transformers": "4.29.2"}),
        ("Requirement already satisfied: torch>=2 in /env/lib (2.6.0)", {"torch": "2.6.0"}),
        ("xformers 0.0.22 requires torch==2.0.1, but you have torch 2.6.0 which is incompatible.",
         {"torch": "2.6.0"}),
        ("numpy=1.26.4=py310_0", {"numpy": "1.26.4"}),
        ("| torch | 2.6.0 |", {"torch": "2.6.0"}),
        ("accelerate @ git+https://github.com/huggingface/accelerate@abc", {}),
        ("In PyTorch 2.6, we changed the default value of the argument", {}),
        ("requires users to upgrade torch to at least v2.6", {}),
        ("accelerate launch --num_processes 2 train.py", {}),
        ('  File "/env/torch-2.6.0/x.py", line 3, in f', {}),
        ("torchvision==0.20.1", {}),
        ("torch 2.6 or newer is needed", {}),
    ],
)  # fmt: skip
def test_layouts(text: str, found: dict[str, str]) -> None:
    assert {name: ",".join(versions) for name, versions in _of(text).items()} == found


def test_several_versions_are_all_kept() -> None:
    assert _of("torch==2.5.1\nthen I upgraded to\ntorch==2.6.0\n") == {"torch": ("2.5.1", "2.6.0")}

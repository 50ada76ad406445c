"""A project's own package, really installed in editable form: its sources are found out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.environments.index import uv_settings
from ckptmatrix.environments.uv import run_uv
from ckptmatrix.worker import touched
from ckptmatrix.worker.touched import fingerprint

pytestmark = pytest.mark.environments

BY_PATH = """
[project]
name = "shop"
version = "1"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["src/shop"]
"""
"""hatchling puts `src` on the path, by a file in site-packages."""
BY_FINDER = """
[project]
name = "shop"
version = "1"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["shop"]
package-dir = {"shop" = "src/shop"}
"""
"""setuptools brings a finder of its own for a package that lies under another name or alone."""
FILES = {
    "src/shop/__init__.py": "from .nets import WIDTH\n",
    "src/shop/nets.py": (
        "import json\nfrom pathlib import Path\n\n"
        "WIDTH = json.loads(Path(__file__).with_name('width.json').read_text())\n"
    ),
    "src/shop/width.json": "8",
    "src/shop/unused.py": "",
    "training.py": "from shop import WIDTH\n",
}
LOOK = """
import json, sys
from ckptmatrix.worker.touched import TOUCHED
root, package = sys.argv[1:]
sys.path.insert(0, root)
TOUCHED.listen(roots=(root,), apart=(package,))  # as a worker does
import training
print(json.dumps(TOUCHED.of(["training"])))
"""


@pytest.mark.parametrize("declared", [BY_PATH, BY_FINDER], ids=["by path", "by finder"])
def test_what_an_editable_package_is_imported_from_and_reads_counts(
    tmp_path: Path, declared: str
) -> None:
    root, environment = tmp_path / "project", tmp_path / "environment"
    for name, text in {**FILES, "pyproject.toml": declared}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    settings = {**os.environ, **uv_settings(os.environ)}
    python = environment / "bin" / "python"
    run_uv(["venv", f"--python={sys.executable}", str(environment)], settings)
    run_uv(["pip", "install", f"--python={python}", "-e", str(root)], settings)

    package = Path(touched.__file__).parents[2]
    bare = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    asked = [str(python), "-c", LOOK, str(root), str(package)]
    found = json.loads(subprocess.check_output(asked, env=bare, text=True))
    named = {str(Path(path).relative_to(root)): path for path in found}
    assert set(named) == set(FILES) - {"src/shop/unused.py"}
    assert all(found[path] == fingerprint(path) for path in named.values())
    (root / "src/shop/nets.py").write_text(FILES["src/shop/nets.py"] + "\n")
    (root / "src/shop/width.json").write_text("9")
    changed = {name for name, path in named.items() if fingerprint(path) != found[path]}
    assert changed == {"src/shop/nets.py", "src/shop/width.json"}

"""The wheel holds all it needs: installed into an empty environment, it audits from another folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.places import ROOT


def test_the_wheel_works_alone(home: Path) -> None:
    """Its dependencies are the ones already installed here, lent by a path file; auditor itself comes from the wheel."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (home / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "auditor/_shipped/rules/windows/Q238009.yaml" in names
    assert "auditor/_shipped/reports/report.html.j2" in names
    assert "auditor/collectors/windows/readers/script.ps1" in names
    assert not [n for n in names if n.startswith(("tests/", "bench/"))]
    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [
        str(venv / "bin" / "pip"),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (venv / "lib").glob("python3.*/site-packages")
    lent = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "lent.pth").write_text(lent + "\n")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(venv / "bin" / "auditor"), "scan", "local", "--format", "json"], cwd=home, env=env, capture_output=True, text=True
    )
    document = json.loads(done.stdout)
    assert done.returncode in (0, 1, 3)
    assert document["targets"][0]["error"] is None
    assert (home / "auditor-report.html").exists()
    assert document["run"]["rulebook"]["rules"] >= 13

"""Where the recipes train and write in their tests."""

import shutil

import pytest

from course_lib import pretrained

JUDGES = [f"{kind}_{data}" for kind in ("features", "classifier") for data in ("peeps", "fashion")]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder of weights, but for the judges' and the fixed network's, and one for runs."""
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("SHA256SUMS", *(f"{needed}.safetensors" for needed in (*JUDGES, "ae_peeps32"))):
        shutil.copy(pretrained.FOLDER / name, weights)
    monkeypatch.setattr(pretrained, "FOLDER", weights)
    monkeypatch.chdir(tmp_path)
    return tmp_path

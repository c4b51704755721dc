"""`superpixel-saliency demo` on scikit-image's photos and the demo model."""

import json

import numpy as np
import pytest


@pytest.mark.thorough
def test_demo_explains_its_photos(run, tmp_path):
    status, out, _ = run(
        "demo", "--output", tmp_path, "--num-samples", 2, "--num-steps", 2, "--quiet"
    )
    assert status == 0
    assert "Egyptian cat" in out and "espresso" in out
    lines = (tmp_path / "summary.jsonl").read_text().splitlines()
    found = {json.loads(line)["picture"]: json.loads(line) for line in lines}
    assert found["chelsea.png"]["class"] == 285
    assert abs(found["chelsea.png"]["score"] - 0.79) < 0.02
    assert found["coffee.png"]["class"] == 967
    assert abs(found["coffee.png"]["score"] - 0.91) < 0.02
    for name, line in found.items():
        assert (tmp_path / name).stat().st_size > 10_000
        arrays = np.load(tmp_path / line["arrays"])
        # The super-pixel map keeps the pixel map's sum in each channel.
        np.testing.assert_allclose(
            arrays["maps"].sum((0, 1), dtype=np.float64),
            arrays["pixel_maps"].sum((0, 1), dtype=np.float64),
            atol=1e-4 * np.abs(arrays["pixel_maps"]).sum(),
        )
        assert len(np.unique(arrays["segments"])) == line["num_groups"] > 500
    assert (tmp_path / "methods.png").stat().st_size > 100_000

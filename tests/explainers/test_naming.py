"""Names of methods, in any spelling."""

import pytest

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.explainers import naming


@pytest.mark.parametrize(
    "text, expected",
    [
        ("SmoothGrad", tss.SmoothGrad),
        ("smoothgrad", tss.SmoothGrad),
        ("integrated-gradients", tss.IntegratedGradients),
        ("Integrated Gradients", tss.IntegratedGradients),
        ("sparsified_smooth_grad", tss.SparsifiedSmoothGrad),
        ("grad-cam", tss.GradCAM),
        ("lime", tss.LIME),
    ],
)
def test_in_any_spelling(text, expected):
    assert naming.from_text(text) is expected


def test_every_public_explainer_has_its_name():
    for name in naming.METHODS:
        assert naming.from_text(name.lower()) is getattr(tss, name)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"Did you mean 'GradCAM'.*There are: LIME"):
        naming.from_text("gradcams")
    with pytest.raises(ValueError, match=r"called 'LRP'\. There are"):
        naming.from_text("LRP")
    with pytest.raises(ValueError, match="No gradient method is called 'GradCAM'"):
        naming.full_name("GradCAM", ("SimpleGradient",), "gradient method")

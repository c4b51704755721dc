"""Images of a batch explained one after another."""

import numpy as np
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos
from tf_superpixel_saliency.explainers.image_loop import map_images
from tf_superpixel_saliency.explainers.scoring import given_inputs, inputs_given


def run(images, segments=None, further=None):
    """The mean of each image, of its segments and of its further input."""

    def one(image, target, labels):
        assert image.shape[0] == 1 and target.shape == (1,)
        extra = inputs_given().get("extra", tf.zeros([1, 1]))
        labels = tf.zeros([1]) if labels is None else tf.cast(labels, tf.float32)
        return {
            "image": tf.reduce_mean(image),
            "rest": tf.reduce_mean(labels) + extra[0, 0],
            "map": image[0] * tf.cast(target, tf.float32),
        }

    number = tf.TensorSpec(())
    signature = {"image": number, "rest": number, "map": tf.TensorSpec([None, None, 1])}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1])])
    def mapped(images):
        count = tf.shape(images)[0]
        inputs = None if further is None else {"extra": further[:count]}
        with given_inputs(inputs):
            return map_images(one, images, tf.range(count), segments, signature)

    return {key: value.numpy() for key, value in mapped(images).items()}


def test_each_image_has_its_own_row_of_everything():
    images = np.arange(24, dtype="float32").reshape(3, 2, 4, 1)
    segments = tf.constant(images[..., 0].astype("int32"))
    out = run(images, segments, further=tf.constant([[10.0], [20.0], [30.0]]))
    np.testing.assert_allclose(out["image"], [3.5, 11.5, 19.5])
    np.testing.assert_allclose(out["rest"], [13.5, 31.5, 49.5])
    np.testing.assert_allclose(out["map"], images * np.arange(3).reshape(3, 1, 1, 1))


def test_of_no_images_there_is_nothing():
    out = run(np.zeros((0, 2, 4, 1), "float32"), further=tf.zeros([2, 1]))
    assert out["image"].shape == (0,) and out["map"].shape == (0, 2, 4, 1)


def test_a_map_has_the_same_bits_in_any_batch():
    images = photos(4)
    for explainer in (
        tss.SmoothGrad(classifier(), tss.SquareGrid(size=3), num_samples=9),
        tss.IntegratedGradients(classifier(), tss.SquareGrid(size=3), num_steps=20),
    ):
        together = explainer(images, targets=1)["maps"].numpy()
        for number in (0, 3):
            alone = explainer(images[number : number + 1], targets=1)["maps"].numpy()
            np.testing.assert_array_equal(alone[0], together[number])

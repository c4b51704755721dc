"""What TensorFlow Serving does with a SavedModel and a request, as far as Python can.

It loads a SavedModel into a session and feeds it whatever it is sent, of any shape;
REST bodies become tensors by the rules of its documentation
(https://www.tensorflow.org/tfx/serving/api_rest).
"""

import base64
import json

import numpy as np
import tensorflow as tf


class Server:
    """A SavedModel in the loader that servers use."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = dict(meta.signature_def)

    def predict(self, signature, inputs):
        """Arrays by name → arrays by name, shapes not looked at before the graph."""
        definition = self.signatures[signature]
        assert set(inputs) == set(definition.inputs), "the server would refuse it"
        feeds = {
            self._tensor(definition.inputs[name])._as_tf_output(): self._array(
                value, definition.inputs[name]
            )
            for name, value in inputs.items()
        }
        fetches = [self._tensor(info) for info in definition.outputs.values()]
        # Session.run compares shapes in Python; the server's loader doesn't.
        values = self.session._call_tf_sessionrun(
            None, feeds, [fetch._as_tf_output() for fetch in fetches], [], None
        )
        return dict(zip(definition.outputs, values))

    def rest(self, body):
        """The JSON text of a request → the answer, parsed."""
        request = json.loads(body)
        name = request.get("signature_name", "serving_default")
        if "instances" in request:
            rows = [_decoded(row) for row in request["instances"]]
            (only,) = (
                self.signatures[name].inputs.keys()
                if len(self.signatures[name].inputs) == 1
                else (None,)
            )
            if not isinstance(rows[0], dict):
                rows = [{only: row} for row in rows]
            columns = {key: [row[key] for row in rows] for key in rows[0]}
        else:
            columns = _decoded(request["inputs"])
        out = {k: v.tolist() for k, v in self.predict(name, columns).items()}
        single = next(iter(out.values())) if len(out) == 1 else None
        if "instances" not in request:
            return {"outputs": single or out}
        count = len(next(iter(out.values())))
        rows = [{key: value[i] for key, value in out.items()} for i in range(count)]
        return {"predictions": single or rows}

    def _tensor(self, info):
        return self.session.graph.get_tensor_by_name(info.name)

    @staticmethod
    def _array(value, info):
        dtype = tf.as_dtype(info.dtype)
        return np.array(value, object if dtype == tf.string else dtype.as_numpy_dtype)


def _decoded(value):
    """JSON values, {"b64": …} as bytes."""
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    if isinstance(value, dict):
        return {key: _decoded(one) for key, one in value.items()}
    return value

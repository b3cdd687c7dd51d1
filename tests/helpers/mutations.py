"""Single, realistic mistakes, each put into the reference solution: where, what it costs, and what it is.

Each is a text of a file and what stands in its place. ``loses`` are the tests that lose points by it, and no others may;
``names`` is the mistake that the diagnosis has to name, None where the catalogue cannot know it.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    what: str
    file: str
    right: str
    wrong: str
    loses: tuple[str, ...]
    names: str | None


BASIS, ACTIVATIONS, LOSSES = "mlcvlab/nn/basis.py", "mlcvlab/nn/activations.py", "mlcvlab/nn/losses.py"
NN2, SGD, ADAM = "mlcvlab/models/nn2.py", "mlcvlab/optim/sgd.py", "mlcvlab/optim/adam.py"

SIGMOID = "    e = np.exp(np.minimum(x, -x))\n    y: Array = np.maximum(e, x >= 0) / (1 + e)\n    return y"
SOFTMAX = (
    "    axis = None if _is_vector(x) else 1\n    e = np.exp(x - x.max(axis=axis, keepdims=True))\n"
    "    return np.asarray(e / e.sum(axis=axis, keepdims=True))"
)
SOFTMAX_GRAD = "    return y[..., :, None] * (identity - y[..., None, :])"
RELU = "    return np.maximum(as_float(x), 0)"
RELU_GRAD = "    return _keep_nan((y > 0).astype(y.dtype), y)"
STEP = "    return _keep_nan((x >= 0).astype(x.dtype), x)"
TANH = "    return np.tanh(as_float(x))"
TANH_GRAD = "    return (1 - y) * (1 + y)"
L2 = "    return np.squeeze(_norm(_error(y, y_hat), axis), axis=axis)"
L2_GRAD = "    return error / np.where(z == 0, EPSILON, z).astype(error.dtype)"
MSE = "    return np.asarray(np.square(_error(y, y_hat)).mean(axis=axis))"
MSE_GRAD = "    return error * error.dtype.type(2 / n)"
ENTROPY = "    return -y * log_y_hat - (1 - y) * log_not"
ENTROPY_GRAD = "    return (1 - y) / _not_zero(1 - y_hat) - y / _not_zero(y_hat)"
PREDICTED = "self._forward(X[:, i], W)[1]) for i"
DELTA1 = "                    delta1 = w2 * delta2  # the outer product w2 @ delta2, in a tenth of its time\n"
SLOPE = "                    delta1 *= relu_grad(a1)\n"
GRADIENT1 = "                    gradient += delta1 @ linear_grad(x).T"
GRADIENT2 = "                    gradient += linear_grad(a1) @ delta2.T"
DELTA2 = "            delta2 = loss.gradient(y[:, i], z2)\n"
MEAN = "            gradient /= X.shape[1]\n"
LAYERS = "        layers = (0, 1) if layer is None else (layer,)\n"
GRAD = "        return self._backward(X, checked_targets(y, X, W), W, (0, 1))"
UPDATE = "        self.W[layer].flat[j] -= lr * gradient.flat[j]\n"
MODEL_GRADIENT = "        gradient = self.model.emp_loss_grad(self.X, self.y, self.W, layer)\n"
DRAWS = "    draws = np.random.default_rng(seed).integers(sum(sizes), size=R)\n"
M = "            m = [beta1 * m_l + (1 - beta1) * g for m_l, g in zip(m, gradient_ahead, strict=True)]\n"
S = "            s = [beta2 * s_l + (1 - beta2) * g**2 for s_l, g in zip(s, gradient, strict=True)]\n"
M_TILDE = "            m_tilde = [m_l / (1 - beta1**r) for m_l in m]\n"
S_TILDE = "            s_tilde = [s_l / (1 - beta2**r) for s_l in s]\n"
STEP_OF_ADAM = "            W = [w - alpha * mt / (np.sqrt(st) + delta) for w, mt, st in zip(W, m_tilde, s_tilde, strict=True)]\n"
AHEAD = "                ahead = [w + beta1 * m_l for w, m_l in zip(W, m, strict=True)]\n"
ADAM_GRADIENT = "            gradient = gradient_ahead = model.emp_loss_grad(train_X, train_y, W)\n"

NETWORK_GRADIENTS = ("grad", "emp_loss_grad")


def returns(value: str) -> str:
    return f"    return {value}"


MUTATIONS = (
    Mutation("Y = x Wᵀ transposed", BASIS, "    return W @ x", "    return (W @ x).T", ("linear",), "transposed"),
    Mutation("a bias of 1", BASIS, "    return W @ x", "    return W @ x + 1", ("linear",), "bias"),
    Mutation("mean over the features", BASIS, "    return W @ x", "    return W @ x / len(x)", ("linear",), "averaged"),
    Mutation("wrong sign", BASIS, "    return W @ x", "    return -(W @ x)", ("linear",), "sign"),
    Mutation("x in place scaled", BASIS, "    return W @ x", "    x *= 2\n    return W @ x / 2", ("linear",), "in_place"),
    Mutation("x² for x", BASIS, "    return as_float(x)", "    return as_float(x) ** 2", ("linear_grad",), "squared"),
    Mutation("ones for x", BASIS, "    return as_float(x)", "    return 0 * as_float(x) + 1", ("linear_grad",), "ones"),
    Mutation("0 at x = 0", ACTIVATIONS, STEP, returns("(x > 0).astype(x.dtype)"), ("step",), "zero_at_zero"),
    Mutation("sign of x", ACTIVATIONS, STEP, returns("np.where(x >= 0, 1.0, -1.0)"), ("step",), "minus_one"),
    Mutation("gradient of the step 1", ACTIVATIONS, "np.zeros_like(y), y)", "np.ones_like(y), y)", ("step_grad",), "ones"),
    Mutation("leaky", ACTIVATIONS, RELU, returns("np.where(as_float(x) > 0, x, 0.01 * as_float(x))"), ("relu",), "leaky"),
    Mutation("|x|", ACTIVATIONS, RELU, returns("np.abs(as_float(x))"), ("relu",), "absolute"),
    Mutation("min for max", ACTIVATIONS, RELU, returns("np.minimum(as_float(x), 0)"), ("relu",), "minimum"),
    Mutation("in place", ACTIVATIONS, RELU, "    x[x < 0] = 0\n    return as_float(x)", ("relu",), "in_place"),
    Mutation("1 where y >= 0", ACTIVATIONS, RELU_GRAD, returns("(y >= 0) * 1.0"), ("relu_grad",), "everywhere"),
    Mutation("y for its slope", ACTIVATIONS, RELU_GRAD, returns("np.maximum(y, 0)"), ("relu_grad",), "output"),
    Mutation(
        "unstable exponential", ACTIVATIONS, SIGMOID, returns("np.exp(x) / (1 + np.exp(x))"), ("sigmoid",),
        "unstable_exponential",
    ),
    Mutation("e^x for e^-x", ACTIVATIONS, SIGMOID, returns("1 / (1 + np.exp(x))"), ("sigmoid",), "sign_of_x"),
    Mutation(
        "clipped tails", ACTIVATIONS, SIGMOID, returns("np.clip(1 / (1 + np.exp(-x)), 1e-6, 1 - 1e-6)"), ("sigmoid",),
        "clipped_output",
    ),
    Mutation("tanh for sigmoid", ACTIVATIONS, SIGMOID, returns("np.tanh(x)"), ("sigmoid",), "tanh"),
    Mutation(
        "derivative of x", ACTIVATIONS, "    return y * (1 - y)", returns("sigmoid(y) * (1 - sigmoid(y))"),
        ("sigmoid_grad",), "of_x",
    ),
    Mutation("y (1 + y)", ACTIVATIONS, "    return y * (1 - y)", returns("y * (1 + y)"), ("sigmoid_grad",), "plus"),
    Mutation("1 - y", ACTIVATIONS, "    return y * (1 - y)", returns("1 - y"), ("sigmoid_grad",), "no_y"),
    Mutation(
        "over the wrong axis", ACTIVATIONS, SOFTMAX, SOFTMAX.replace("else 1", "else 0"), ("softmax",), "wrong_axis"
    ),
    Mutation("over all entries", ACTIVATIONS, SOFTMAX, SOFTMAX.replace("None if _is_vector(x) else 1", "None"), ("softmax",), "whole"),
    Mutation(
        "unstable exponential", ACTIVATIONS, SOFTMAX, SOFTMAX.replace("x - x.max(axis=axis, keepdims=True)", "x"), ("softmax",),
        "unstable_exponential",
    ),
    Mutation(
        "not normalised", ACTIVATIONS, SOFTMAX, SOFTMAX.replace("e / e.sum(axis=axis, keepdims=True)", "e"), ("softmax",),
        "not_normalised_stable",
    ),
    Mutation("only the diagonal", ACTIVATIONS, SOFTMAX_GRAD, returns("np.diag(y * (1 - y))"), ("softmax_grad",), "diagonal"),
    Mutation("+y_i y_j beside it", ACTIVATIONS, SOFTMAX_GRAD, returns("y[:, None] * (identity - y) * (2 * identity - 1)"), ("softmax_grad",), "off_diagonal_sign"),
    Mutation(
        "a vector", ACTIVATIONS, SOFTMAX_GRAD, returns("y * (1 - y)"), ("softmax_grad",), "diagonal_as_vector"
    ),
    Mutation(
        "unstable exponential", ACTIVATIONS, TANH, returns("(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"), ("tanh",),
        "unstable_exponential",
    ),
    Mutation("no denominator", ACTIVATIONS, TANH, returns("np.sinh(as_float(x))"), ("tanh",), "sinh"),
    Mutation("derivative of x", ACTIVATIONS, TANH_GRAD, returns("1 - np.tanh(y) ** 2"), ("tanh_grad",), "of_x"),
    Mutation("no square", ACTIVATIONS, TANH_GRAD, returns("1 - y"), ("tanh_grad",), "no_square"),
    Mutation("no root", LOSSES, L2, returns("np.sum(_error(y, y_hat) ** 2, axis=axis)"), ("l2",), "no_root"),
    Mutation("mean for sum", LOSSES, L2, returns("np.sqrt(np.mean(_error(y, y_hat) ** 2, axis=axis))"), ("l2",), "root_mean_square"),
    Mutation("ℓ₁ for ℓ₂", LOSSES, L2, returns("np.sum(np.abs(_error(y, y_hat)), axis=axis)"), ("l2",), "absolute"),
    Mutation("mean squared error for ℓ₂", LOSSES, L2, returns("mse(y, y_hat, axis=axis)"), ("l2",), "mean_squared_error"),
    Mutation("0/0 at a perfect prediction", LOSSES, L2_GRAD, returns("error / z"), ("l2_grad",), "division_by_zero"),
    Mutation("as the handout prints it", LOSSES, L2_GRAD, L2_GRAD.replace("return ", "return -"), (), "as_printed"),
    Mutation("not divided by the norm", LOSSES, L2_GRAD, returns("error"), ("l2_grad",), "not_divided"),
    Mutation("divided by z²", LOSSES, L2_GRAD, returns("error / np.where(z == 0, EPSILON, z) ** 2"), ("l2_grad",), "divided_by_square"),
    Mutation("sum for mean", LOSSES, MSE, returns("np.asarray(np.square(_error(y, y_hat)).sum(axis=axis))"), ("mse",), "sum"),
    Mutation("missing 1/n", LOSSES, MSE_GRAD, returns("2 * error"), ("mse_grad",), "missing_mean"),
    Mutation("missing 2", LOSSES, MSE_GRAD, returns("error / n"), ("mse_grad",), "missing_two"),
    Mutation("with respect to y", LOSSES, MSE_GRAD, returns("-2 * error / n"), ("mse_grad",), "of_y"),
    Mutation("wrong sign", LOSSES, ENTROPY, returns("y * log_y_hat + (1 - y) * log_not"), ("cross_entropy",), "sign"),
    Mutation("mean over the samples", LOSSES, ENTROPY, returns("np.mean(-y * log_y_hat - (1 - y) * log_not)"), ("cross_entropy",), "mean"),
    Mutation("log 0", LOSSES, ENTROPY, returns("-y * np.log(y_hat) - (1 - y) * np.log(1 - y_hat)"), ("cross_entropy",), "log_of_zero"),
    Mutation("second part missing", LOSSES, ENTROPY, returns("-y * log_y_hat"), ("cross_entropy",), "only_ones"),
    Mutation("y and 1 - y swapped", LOSSES, ENTROPY, returns("-(1 - y) * log_y_hat - y * log_not"), ("cross_entropy",), "swapped"),
    Mutation("division by 0", LOSSES, ENTROPY_GRAD, returns("(1 - y) / (1 - y_hat) - y / y_hat"), ("cross_entropy_grad",), "division_by_zero"),
    Mutation("ŷ - y", LOSSES, ENTROPY_GRAD, returns("y_hat - y"), ("cross_entropy_grad",), "of_z"),
    Mutation("plus for minus", LOSSES, ENTROPY_GRAD, ENTROPY_GRAD.replace(" - y / ", " + y / "), ("cross_entropy_grad",), "plus"),
    Mutation("hidden ReLU missing", NN2, PREDICTED, "linear(linear(X[:, i], W[0]), W[1].T)) for i", ("nn2",), "no_hidden_activation"),
    Mutation("hidden tanh, and its derivative in the gradient", NN2, "activations import relu, relu_grad, sigmoid", "activations import tanh as relu, tanh_grad as relu_grad, sigmoid", ("nn2",), "hidden_tanh"),
    Mutation("sigmoid of the output missing", NN2, "self.layers[1].activation(" + PREDICTED, PREDICTED.replace("[1])", "[1]"), ("nn2",), "no_output_activation"),
    Mutation("mean of the hidden units", NN2, PREDICTED, PREDICTED.replace("[1])", "[1] / len(W[1]))"), ("nn2",), "averaged_units"),
    Mutation("ReLU's derivative forgotten", NN2, SLOPE, "", NETWORK_GRADIENTS[:1], "no_activation_derivative"),
    Mutation("sigmoid's derivative twice", NN2, DELTA2, DELTA2 + "            delta2 = delta2 * sigmoid(z2) * (1 - sigmoid(z2))\n", NETWORK_GRADIENTS[:1], "half_squared_loss"),
    Mutation("sigmoid's derivative missing", NN2, DELTA2, DELTA2 + "            delta2 = delta2 / (sigmoid(z2) * (1 - sigmoid(z2)))\n", NETWORK_GRADIENTS[:1], "no_output_derivative"),
    Mutation("wrong sign", NN2, DELTA2, DELTA2 + "            delta2 = -delta2\n", NETWORK_GRADIENTS[:1], "sign"),
    Mutation("w₂ forgotten", NN2, DELTA1, "                    delta1 = np.ones_like(w2) * delta2\n", NETWORK_GRADIENTS[:1], "no_weights"),
    Mutation("z₁ for its ReLU", NN2, GRADIENT2, "                    gradient += linear_grad(linear(x, W[0])) @ delta2.T", NETWORK_GRADIENTS[:1], "before_activation"),
    Mutation("xᵀ forgotten", NN2, GRADIENT1, "                    gradient += delta1 @ np.ones_like(x).T", NETWORK_GRADIENTS[:1], "no_input"),
    Mutation("ReLU for its derivative", NN2, SLOPE, "                    delta1 *= a1\n", NETWORK_GRADIENTS[:1], "relu_instead_of_derivative"),
    Mutation(
        "stale prediction", NN2, GRAD, "        X, W = checked_samples(x, self.W)\n" + GRAD, ("grad",), "stale_prediction"
    ),
    Mutation("divided by N", NN2, GRAD, GRAD.replace("return ", "return [g / X.shape[1] for g in ").replace("(0, 1))", "(0, 1))]"), ("grad",), "averaged"),
    Mutation("missing 1/N", NN2, MEAN, "            gradient /= 1\n", ("emp_loss_grad",), "missing_mean"),
    Mutation("1/K for 1/N", NN2, MEAN, "            gradient /= X.shape[0]\n", ("emp_loss_grad",), "divided_by_features"),
    Mutation("1/N twice", NN2, MEAN, MEAN + MEAN, ("emp_loss_grad",), "mean_twice"),
    Mutation("layer not looked at", NN2, LAYERS, "        layer = None\n" + LAYERS, ("emp_loss_grad",), "layer_ignored"),
    Mutation("always the first layer", NN2, LAYERS, "        layers = (0, 1)\n", ("emp_loss_grad",), "other_layer"),
    Mutation("uphill", SGD, UPDATE, UPDATE.replace("-=", "+="), ("SGD",), "uphill"),
    Mutation("learning rate forgotten", SGD, UPDATE, UPDATE.replace("lr * ", ""), ("SGD",), "no_learning_rate"),
    Mutation("a whole layer", SGD, UPDATE, "        self.W[layer] -= lr * gradient\n", ("SGD",), "whole_layer"),
    Mutation("one step too few", SGD, DRAWS, DRAWS.replace("size=R", "size=max(R - 1, 0)"), ("SGD",), "one_step_less"),
    Mutation("the first layer alone", SGD, DRAWS, DRAWS.replace("sum(sizes)", "sizes[0]"), ("SGD",), "first_layer_only"),
    Mutation("the same parameter", SGD, DRAWS, DRAWS.replace("integers(sum(sizes), size=R)", "integers(sum(sizes)) + np.zeros(R, int)"), ("SGD",), "same_parameter"),
    Mutation("zeroed weights", SGD, MODEL_GRADIENT, "        zeroed = [0 * w for w in self.W]\n        zeroed[layer].flat[j] = self.W[layer].flat[j]\n" + MODEL_GRADIENT.replace("self.W, layer", "zeroed, layer"), (), "zeroed"),
    Mutation("no bias correction", ADAM, M_TILDE + S_TILDE, "            m_tilde, s_tilde = m, s\n", ("Adam",), "no_bias_correction"),
    Mutation("no bias correction of s", ADAM, S_TILDE, "            s_tilde = s\n", ("Adam",), "no_bias_correction_of_s"),
    Mutation("ε under the root", ADAM, STEP_OF_ADAM, STEP_OF_ADAM.replace("np.sqrt(st) + delta", "np.sqrt(st + delta)"), ("Adam",), "epsilon_inside_root"),
    Mutation("root forgotten", ADAM, STEP_OF_ADAM, STEP_OF_ADAM.replace("np.sqrt(st)", "st"), ("Adam",), "no_root"),
    Mutation("uphill", ADAM, STEP_OF_ADAM, STEP_OF_ADAM.replace("w - alpha", "w + alpha"), ("Adam",), "uphill"),
    Mutation("square forgotten", ADAM, S, S.replace("g**2", "g"), ("Adam",), None),
    Mutation("|g| for its square", ADAM, S, S.replace("g**2", "abs(g)"), ("Adam",), "absolute"),
    Mutation("β₁ and β₂ swapped", ADAM, M + S, M.replace("beta1", "beta2") + S.replace("beta2", "beta1"), ("Adam",), "betas_swapped_in_updates"),
    Mutation("1 - β₁ forgotten", ADAM, M, M.replace("(1 - beta1) * ", ""), ("Adam",), "momentum_not_weighted"),
    Mutation("look-ahead downhill", ADAM, AHEAD, AHEAD.replace("w + beta1", "w - beta1"), ("Adam",), "lookahead_downhill"),
    Mutation("stale gradient", ADAM, ADAM_GRADIENT, ADAM_GRADIENT.replace("train_y, W)", "train_y, model.W)").replace("gradient = gradient_ahead =", "lookahead = False\n            gradient = gradient_ahead ="), ("Adam",), "stale_gradient"),
    Mutation("no look-ahead", ADAM, "            if lookahead:\n", "            if False:\n", (), "no_lookahead"),
    Mutation("m corrected as printed", ADAM, M_TILDE, M_TILDE.replace("**r", "**(r + 1)"), (), "corrected_as_printed"),
)  # fmt: skip

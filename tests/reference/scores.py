"""Slow twins of the scores in float64: each row by itself, no rounding beside 1."""

import math

import numpy as np


def softmax(logits, target):
    """(p_c, 1 − p_c, all p) of one row, each a sum of its own small terms."""
    highest = max(logits)
    terms = [math.exp(z - highest) for z in logits]
    total = math.fsum(terms)
    rest = math.fsum(t for j, t in enumerate(terms) if j != target)
    return terms[target] / total, rest / total, np.array(terms) / total


def softmax_gradient(logits, target):
    """∂p_c/∂z: p_c (1 − p_c) at c, −p_c p_j elsewhere."""
    chosen, rest, probabilities = softmax(logits, target)
    gradient = -chosen * probabilities
    gradient[target] = chosen * rest
    return gradient


def sigmoid_gradient(logits, target):
    """∂σ(z_c)/∂z: σ(z) σ(−z) at c, 0 elsewhere."""
    gradient = np.zeros(len(logits))
    z = logits[target]
    gradient[target] = 1 / (1 + math.exp(-z)) / (1 + math.exp(z))
    return gradient

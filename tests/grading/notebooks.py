"""Notebooks to grade: right, blank and otherwise, and what they should get."""

import os

import nbformat
import pytest

FORKS = pytest.mark.skipif(os.name != "posix", reason="each process would import torch anew")
RANGE, SIZE, FIT = IDS = ("density.to_model_range", "dcgan.conv2d_size", "density.fit_gaussian")
C, W, N, M, S = "correct", "wrong", "not attempted", "not found", "stopped"
U = "not run"

IMPORTS = """import contextlib, ctypes, gc, inspect, importlib, os, shutil, sys, threading, time
import torch
from course_lib.exercises import EXERCISES, check, grade"""
RIGHT = {
    RANGE: """def to_model_range(images):
    return images.float() / 127.5 - 1
to_model_range = check("density.to_model_range", to_model_range)""",
    SIZE: """def conv2d_size(size, kernel, stride=1, padding=0, dilation=1):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
conv2d_size = check("dcgan.conv2d_size", conv2d_size)""",
    FIT: """def fit_gaussian(x):
    mean = x.mean(dim=0)
    return mean, (x - mean).T @ (x - mean) / (len(x) - 1)
fit_gaussian = check("density.fit_gaussian", fit_gaussian)""",
}
BLANK = {
    RANGE: "def f(images):\n    ...\nf = check('density.to_model_range', f)",
    SIZE: "def g(size, kernel, stride=1, padding=0, dilation=1):\n    '''Later.'''\n"
    "conv2d_size = check('dcgan.conv2d_size', g)",
    FIT: "def fit_gaussian(x):\n    return None\nfit_gaussian = check('density.fit_gaussian', "
    "fit_gaussian)",
}


def ranged(body: str, before: str = "") -> list[str]:
    """A notebook whose first function has another body; the others are right."""
    lines = "\n".join("    " + line for line in body.splitlines())
    cell = f'def f(images):\n{lines}\nf = check("density.to_model_range", f)'
    return [IMPORTS, *filter(None, [before]), cell, RIGHT[SIZE], RIGHT[FIT]]


def at_last(body: str) -> list[str]:
    """The same, with that function behind the others."""
    imports, bad, *right = ranged(body)
    return [imports, *right, bad]


def write_notebook(path, cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def as_bytes(*cells):
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()

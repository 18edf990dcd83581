"""Lecture 00: one toy exercise, to see how exercises work."""

import torch
from jaxtyping import Float, UInt8

from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, example


def to_model_range(images: UInt8[torch.Tensor, "..."]) -> Float[torch.Tensor, "..."]:
    """Bytes to the numbers that models see: 0 ... 255 -> float32 in [-1, 1], x / 127.5 - 1."""
    return images.float() / 127.5 - 1


def _min_max(images: torch.Tensor) -> torch.Tensor:
    x = images.float().flatten(1)
    low, high = x.min(1, keepdim=True).values, x.max(1, keepdim=True).values
    return ((x - low) / (high - low) * 2 - 1).view(images.shape)


def _probe(label: str, images: torch.Tensor) -> Probe:
    def observe(candidate):
        result = candidate(images.clone())
        return {"result": result, "dtype": str(torch.as_tensor(result).dtype)}

    sentence = "A model computes in float32 and refuses to mix it with another kind of number."
    return Probe(label, observe, explain={"dtype": sentence})


_levels = torch.arange(256, dtype=torch.uint8)
_pictures = (torch.arange(2 * 3 * 5 * 4) * 37 % 256).to(torch.uint8).view(2, 3, 5, 4)
_dark = _pictures[:1] // 4 + 20

EXERCISES = (
    Exercise(
        id="density.to_model_range",
        title="From bytes to the range of a model",
        reference=to_model_range,
        hints=(
            "What should become of 0, of 255, and of the grey halfway between them?",
            "A straight line does it: multiply by something, then add something. Two points fix it:"
            " 0 must give -1 and 255 must give 1.",
            "Bytes cannot hold -1 or 0.5: make floats first, with images.float(). Then divide by"
            " half of 255 and subtract 1.",
        ),
        mistakes=(
            Mistake(
                "zero_to_one",
                lambda images: images.float() / 255,
                "Black comes out as 0 and should be -1: your numbers fill [0, 1], the upper half of"
                " the range.",
                example(torch.tensor([0], dtype=torch.uint8), gives=torch.tensor([0.0])),
            ),
            Mistake(
                "half_the_range",
                lambda images: images.float() / 255 - 0.5,
                "White comes out as 0.5 and should be 1: your numbers fill [-0.5, 0.5].",
                example(torch.tensor([255], dtype=torch.uint8), gives=torch.tensor([0.5])),
            ),
            Mistake(
                "divided_by_128",
                lambda images: images.float() / 128 - 1,
                "White comes out as 0.992 and should be 1: there are 256 levels, but the largest is"
                " 255.",
            ),
            Mistake(
                "bytes_wrap_when_subtracting",
                lambda images: (images - 128).float() / 128,
                "Black comes out as 1, brighter than all others. A byte has no negative numbers:"
                " in uint8, 0 - 128 is 128.",
            ),
            Mistake(
                "bytes_wrap_when_doubling",
                lambda images: images * 2 / 255 - 1,
                "Level 128 comes out as -1, as black as 0. A byte ends at 255: 2 · 128 gives 0 in"
                " uint8.",
            ),
            Mistake(
                "minus_before_divide",
                lambda images: (images.float() - 1) / 127.5,
                "Black comes out as -0.008 and white as 1.99: the order of the two operations"
                " matters.",
            ),
            Mistake(
                "not_divided",
                lambda images: images.float() - 127.5,
                "White comes out as 127.5 and should be 1: the middle is right, the scale is not.",
            ),
            Mistake(
                "min_max",
                _min_max,
                "A dark picture comes out with a white pixel: each picture was stretched by its own"
                " extremes, so the same grey means something else in the next one.",
            ),
            Mistake(
                "float64",
                lambda images: images.double() / 127.5 - 1,
                "The values are right, in float64: twice the memory, and a float32 network refuses"
                " them.",
            ),
            Mistake(
                "back_to_bytes",
                lambda images: (images.float() / 127.5 - 1).to(torch.uint8),
                "Your numbers are whole again: stored in bytes, 0.7 becomes 0, and all greys are"
                " lost.",
            ),
            Mistake(
                "not_divided_by_255",
                lambda images: images.float() * 2 - 1,
                "White comes out as 509 and should be 1: this is right for numbers from 0 to 1, "
                "and a byte goes to 255.",
                example(torch.tensor([255], dtype=torch.uint8), gives=torch.tensor([509.0])),
            ),
            Mistake(
                "cut_off",
                lambda images: images.float().clamp(-1, 1),
                "Every grey but black comes out as 1: the values are cut off, not scaled.",
            ),
            Mistake(
                "whole_steps",
                lambda images: images // 127.5 - 1.0,
                "Nearly all greys are lost: `//` drops what stands behind the point.",
            ),
        ),
        probes=(
            _probe("one picture with all levels from 0 to 255", _levels.view(1, 1, 16, 16)),
            _probe("two colour pictures of 5 by 4 pixels", _pictures),
            _probe(
                "three bright pictures of 5 by 4 pixels", 255 - _pictures.repeat(2, 1, 1, 1)[:3]
            ),
            _probe("two other colour pictures of 5 by 4 pixels", 255 - _pictures // 2),
            _probe("one dark picture, levels 20 to 83", _dark),
            _probe("a single white pixel", torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)),
        ),
    ),
)
QUESTIONS = (
    Question(
        "density.black_pixels",
        "What share of the pixels of Fashion-MNIST is perfectly black?",
        None,
        0.50,  # 0.5021 of the training images, 0.4999 of the test images
    ),
)

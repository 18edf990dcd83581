"""Exercises and questions of lecture 06: conditional GAN, pix2pix, CycleGAN."""

import functools
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from course_lib import shapes, translation
from course_lib.exercises.comparing import describe
from course_lib.exercises.engine import Example, Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal

# --- condition_on_class ---------------------------------------------------------------------------


def _told(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The planes that belong behind x."""
    return translation.condition_on_class(x[:, :1], labels, classes)[:, 1:]


def _planes_wrong(change: Callable[[Tensor], Tensor]) -> Callable:
    """x with other planes behind it."""
    return lambda x, labels, classes: torch.cat([x, change(_told(x, labels, classes))], 1)


def _corner(planes: Tensor) -> Tensor:
    marked = torch.zeros_like(planes)
    marked[:, :, 0, 0] = planes[:, :, 0, 0]
    return marked


def _as_a_number(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    plane = labels.to(x.dtype).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
    return torch.cat([x, plane], 1)


def _classes_present(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    return torch.cat([x, _told(x, labels, int(labels.max()) + 1)], 1)


def _along_the_batch(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    told = F.one_hot(labels, classes).to(x.dtype)
    return torch.cat([x, told[:, :1, None, None].expand_as(x)])


def _conditioned(label: str, shape: tuple, labels: list[int], classes: int) -> Probe:
    return call(label, normal(*shape, seed=classes), torch.tensor(labels), classes, grad=(0,))


def _in_double(label: str, shape: tuple, labels: list[int], classes: int) -> Probe:
    x = normal(*shape, seed=classes, dtype=torch.float64)

    def observe(candidate: Callable) -> dict[str, Any]:
        result = candidate(x.clone(), torch.tensor(labels), classes)
        return {"result": result, "dtype": getattr(result, "dtype", None)}

    sentence = "Your result is of another type than x: a network that takes x refuses it."
    return Probe(label, observe, explain={"dtype": sentence})


_ZERO = torch.tensor([0])

CONDITION_ON_CLASS = Exercise(
    id="cyclegan.condition_on_class",
    title="Tell a network the class of its picture",
    reference=translation.condition_on_class,
    hints=(
        'A convolution takes maps. What map says of every pixel "this is a picture of class 2"? '
        "And how many maps are needed if each class is to have its own?",
        "One-hot rows (B, classes) come first, as in the conditional VAE. Each of their numbers "
        "then has to fill a whole map of the size of x. What shape do the rows need for that?",
        "`F.one_hot(labels, classes)` as floats, with `[:, :, None, None]` behind it, expands to "
        "(B, classes, H, W) by `.expand(-1, -1, *x.shape[2:])`. `torch.cat` puts it behind x, "
        "along the channels.",
    ),
    mistakes=(
        Mistake(
            "nothing is told",
            lambda x, labels, classes: x.clone(),
            "The class is not there. A picture of 3 channels with 4 classes makes {expected} "
            "channels; yours has {got}.",
            example(torch.zeros(1, 3, 1, 1), _ZERO, 4, pick=lambda r: r.shape[1], gives=3),
        ),
        Mistake(
            "the label as a number",
            _as_a_number,
            "One map that holds the label. So class 8 shouts 8 times as loud as class 1, 2 lies "
            "between 1 and 3, and class 0 says nothing at all.",
        ),
        Mistake(
            "class first",
            lambda x, labels, classes: torch.cat([_told(x, labels, classes), x], 1),
            "All is there, but the class comes before the picture. Channel 0 of a grey picture "
            "with 2 classes should be the picture; yours is a map of ones or zeros.",
        ),
        Mistake(
            "the picture is gone",
            lambda x, labels, classes: _told(x, labels, classes) + 0 * x.sum(),
            "The class is told, and the picture is lost: D would judge the label alone.",
        ),
        Mistake(
            "along the batch",
            _along_the_batch,
            "Your batch has grown: the maps of the class stand there as pictures of their own. 3 "
            "pictures go in, and 3 must come out.",
        ),
        Mistake(
            "in one corner",
            _planes_wrong(_corner),
            "Only the pixel in the corner knows the class; the map is 0 everywhere else. A kernel "
            "of 4 in the middle of the picture does not see it.",
        ),
        Mistake(
            "shared out among the pixels",
            _planes_wrong(lambda planes: planes / math.prod(planes.shape[2:])),
            "Your maps grow fainter as the picture grows: of 2 × 2 pixels each says ¼, and of 32 × "
            "32 each says 0.001. Each pixel should say 1.",
        ),
        Mistake(
            "the first label for all",
            _planes_wrong(lambda planes: planes[:1].expand_as(planes)),
            "Every picture gets the class of the first. With the labels 2 and 0 the second "
            "picture says 2 as well.",
        ),
        Mistake(
            "all labels for all",
            _planes_wrong(lambda planes: planes.amax(0, keepdim=True).expand_as(planes)),
            "Every picture gets the labels of the whole batch. With the labels 0 and 1, both "
            "pictures say 0 and 1.",
        ),
        Mistake(
            "one class on",
            _planes_wrong(lambda planes: planes.roll(1, 1)),
            "Your ones stand in the next class's map: label 0 fills map 1. Labels begin at 0.",
        ),
        Mistake(
            "turned round",
            _planes_wrong(lambda planes: 1 - planes),
            "Of 2 classes, label 0 says {expected} in the two maps; you say {got}. Yours are 0 at "
            "the class and 1 everywhere else.",
            example(
                torch.zeros(1, 1, 1, 1),
                _ZERO,
                2,
                pick=lambda r: r.flatten()[1:],
                gives=torch.tensor([0.0, 1.0]),
            ),
        ),
        Mistake(
            "minus one for the others",
            _planes_wrong(lambda planes: 2 * planes - 1),
            "The other classes' maps say −1; they should say 0, nothing.",
        ),
        Mistake(
            "all ones",
            _planes_wrong(torch.ones_like),
            "All maps are 1, whatever the label: every picture is of every class.",
        ),
        Mistake(
            "as many maps as labels in the batch",
            _classes_present,
            "The number of your maps depends on the batch: labels (0, 1) of 5 classes make 2 maps. "
            "The next batch, with class 4 in it, does not fit the same network.",
        ),
        Mistake(
            "up to the label",
            lambda x, labels, classes: torch.cat(
                [
                    x,
                    (torch.arange(classes) <= labels[:, None])
                    .to(x.dtype)[:, :, None, None]
                    .expand(-1, -1, *x.shape[2:]),
                ],
                1,
            ),
            "Your maps fill up like a thermometer: label 2 fills the maps 0, 1 and 2. Only the "
            "label's own map is 1.",
        ),
        Mistake(
            "maps from the other end",
            lambda x, labels, classes: translation.condition_on_class(
                x, classes - 1 - labels, classes
            ),
            "Your maps run backwards: label 0 fills the last one. It is the first behind the "
            "picture.",
        ),
        Mistake(
            "always float32",
            lambda x, labels, classes: translation.condition_on_class(x, labels, classes).float(),
            "The result is float32, whatever x is. A picture in float64 is rounded to seven "
            "digits, and a network in float64, which takes x, refuses your result.",
        ),
    ),
    probes=(
        _conditioned("3 pictures of 2 channels, 4 classes", (3, 2, 4, 5), [2, 0, 3], 4),
        _conditioned("2 grey pictures, 5 classes, labels 0 and 1", (2, 1, 2, 2), [0, 1], 5),
        _conditioned("one code as a map of one pixel", (1, 6, 1, 1), [1], 2),
        _in_double("2 grey pictures in float64, 3 classes", (2, 1, 2, 2), [2, 0], 3),
    ),
)


# --- patch_output_size ----------------------------------------------------------------------------


def _patches(size: int, steps: list[tuple[int, int, int]]) -> int:
    for kernel, stride, padding in steps:
        size = (size + 2 * padding - kernel) // stride + 1
    return size


_HALF, _SAME = (4, 2, 1), (4, 1, 1)


def _lost(size: int, layers: int = 3) -> int:
    for _, stride, _ in [_HALF] * layers + [_SAME] * 2:
        size = (size + 2 - 4) // stride
    return size


def _rounded_up(size: int, layers: int = 3) -> int:
    for _ in range(layers):
        size = -(-size // 2)
    return size - 2


PATCH_OUTPUT_SIZE = Exercise(
    id="cyclegan.patch_output_size",
    title="How many verdicts does a PatchGAN give?",
    reference=translation.patch_output_size,
    hints=(
        "Five layers stand in the table for layers = 3, all with kernel 4 and padding 1. What does "
        "each make of 256 pixels, one after the other?",
        "The formula of lecture 04, ⌊(size + 2 · padding − kernel) / stride⌋ + 1, once for each "
        "layer. Kernel 4 and padding 1 halve at stride 2. And at stride 1?",
        "`layers` times `size = (size + 2 - 4) // 2 + 1`, then twice the same with stride 1.",
    ),
    mistakes=(
        Mistake(
            "the patch's size",
            lambda size, layers=3: translation.patch_receptive_field(layers),
            "70 pixels is what one verdict sees, not how many there are. The two are easily "
            "confused: 256 pixels give 30 × 30 verdicts, each over 70 × 70 pixels.",
        ),
        Mistake(
            "the last two layers forgotten",
            lambda size, layers=3: _patches(size, [_HALF] * layers),
            "You stop behind the halving layers. Kernel 4 with padding 1 at stride 1 takes one "
            "pixel off, and there are two such layers: of 256, 32 are left, and then?",
        ),
        Mistake(
            "one of the last two",
            lambda size, layers=3: _patches(size, [_HALF] * layers + [_SAME]),
            "One too many, always. Two layers have stride 1: the widest, and the one that makes a "
            "single channel of it.",
        ),
        Mistake(
            "the last two keep the size",
            lambda size, layers=3: _patches(size, [_HALF] * layers) - 4,
            "Two pixels too many are lost. Kernel 4 needs 3 neighbours, and padding 1 on both "
            "sides gives 2 of them back: each layer of stride 1 takes one pixel.",
        ),
        Mistake(
            "all halve",
            lambda size, layers=3: _patches(size, [_HALF] * (layers + 2)),
            "All your layers halve: of 256 pixels 8 are left. The last two have stride 1.",
        ),
        Mistake(
            "no padding",
            lambda size, layers=3: _patches(size, [(4, 2, 0)] * layers + [(4, 1, 0)] * 2),
            "Your layers have no padding, and lose pixels at every border. 64 pixels and layers = "
            "1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=25),
        ),
        Mistake(
            "no padding in the last two",
            lambda size, layers=3: _patches(size, [_HALF] * layers + [(4, 1, 0)] * 2),
            "Your last two layers have no padding. All five have padding 1: 64 pixels and layers = "
            "1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=26),
        ),
        Mistake(
            "+ 1 forgotten",
            lambda size, layers=3: (
                functools.reduce(lambda n, _: (n - 2) // 2, range(layers), size) - 2
            ),
            "A window that fits just once has one place, not none: your halving lacks the + 1. 64 "
            "pixels and layers = 1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=29),
        ),
        Mistake(
            "one layer less",
            lambda size, layers=3: _patches(size, [_HALF] * (layers - 1) + [_SAME] * 2),
            "You halve once too few. layers counts the layers of stride 2, the first among them: "
            "64 pixels and layers = 1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=62),
        ),
        Mistake(
            "one layer more",
            lambda size, layers=3: _patches(size, [_HALF] * (layers + 1) + [_SAME] * 2),
            "You halve once too often. layers counts all layers of stride 2: 64 pixels and layers "
            "= 1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=14),
        ),
        Mistake(
            "always three",
            lambda size, layers=3: _patches(size, [_HALF] * 3 + [_SAME] * 2),
            "Your answer does not depend on layers. 64 pixels and layers = 1 give {expected} "
            "verdicts; you say {got}.",
            example(64, 1, gives=6),
        ),
        Mistake(
            "a decimal number",
            lambda size, layers=3: size / 2**layers - 2,
            "You return a decimal number. 70 pixels are halved to 35, then to 17: the pixel that "
            "is left over is dropped, and nothing is ever half.",
        ),
        Mistake(
            "rounded up",
            _rounded_up,
            "You count a window that hangs over the edge: 70 pixels become 35, and those 17. With "
            "layers = 3 that makes {expected} verdicts; you say {got}.",
            example(70, 3, gives=7),
        ),
        Mistake(
            "all verdicts together",
            lambda size, layers=3: _patches(size, [_HALF] * layers + [_SAME] * 2) ** 2,
            "You count all verdicts of a square picture: {got} for 256 pixels. Asked for is the "
            "number along one side.",
            example(256, gives=900),
        ),
        Mistake(
            "the + 1 lost",
            _lost,
            "You have lost the + 1 of the formula. 64 pixels and layers = 1 give {expected} "
            "verdicts; you say {got}. Count positions of the window, not the steps between them.",
            example(64, 1, gives=27),
        ),
        Mistake(
            "kernel 3",
            lambda size, layers=3: _patches(size, [(3, 2, 1)] * layers + [(3, 1, 1)] * 2),
            "Your kernels are 3 wide; a PatchGAN's are 4. 64 pixels and layers = 1 give {expected} "
            "verdicts; you say {got}.",
            example(64, 1, gives=32),
        ),
        Mistake(
            "the last two first",
            lambda size, layers=3: _patches(size, [_SAME] * 2 + [_HALF] * layers),
            "You walk through the layers from the other end: those of stride 1 come last. 64 "
            "pixels and layers = 1 give {expected} verdicts; you say {got}.",
            example(64, 1, gives=31),
        ),
    ),
    probes=(
        call("256 pixels, 3 layers", 256, 3),
        call("64 pixels, 1 layer", 64, 1),
        call("256 pixels, and nothing said of layers", 256),
        call("70 pixels, 3 layers", 70, 3),
        call("101 pixels, 2 layers", 101, 2),
        call("286 pixels, 5 layers", 286, 5),
        call("24 pixels, 3 layers", 24, 3),
    ),
)


# --- patch_receptive_field ------------------------------------------------------------------------


def _field(halvings: int, others: int, stride: int = 1) -> int:
    return shapes.receptive_field([(4, 2)] * halvings + [(4, stride)] * others)


PATCH_RECEPTIVE_FIELD = Exercise(
    id="cyclegan.patch_receptive_field",
    title="How many pixels does one verdict see?",
    reference=translation.patch_receptive_field,
    hints=(
        "You have written the receptive field of a list of layers in lecture 04. Which list is it "
        "here, for layers = 1?",
        "From the verdict back to the picture: one number sees 4 of the map before, and 4 + 3 of "
        "the one before that. Each layer of stride 2, further back, makes f pixels into 2 (f − 1) "
        "+ 4.",
        "The two layers of stride 1 make 7 pixels of one verdict. Begin with `field = 7` and "
        "apply `field = 2 * (field - 1) + 4` layers times.",
    ),
    mistakes=(
        Mistake(
            "the number of verdicts",
            lambda layers=3: translation.patch_output_size(256, layers),
            "That is how many verdicts 256 pixels get, 30 for 3 layers, not how much each of them "
            "sees. Another picture has another number of verdicts, and each sees the same.",
        ),
        Mistake(
            "the last two layers forgotten",
            lambda layers=3: _field(layers, 0),
            "You stop behind the halving layers. Two more of kernel 4 follow, and each takes in 3 "
            "more neighbours: with layers = 1 a verdict sees {expected} pixels; you say {got}.",
            example(1, gives=4),
        ),
        Mistake(
            "one of the last two",
            lambda layers=3: _field(layers, 1),
            "You have one layer of stride 1; there are two. With layers = 1 a verdict sees "
            "{expected} pixels; you say {got}.",
            example(1, gives=10),
        ),
        Mistake(
            "all halve",
            lambda layers=3: _field(layers, 2, stride=2),
            "Your layers all halve. The next to last has stride 1: with layers = 1 a verdict sees "
            "{expected} pixels; you say {got}.",
            example(1, gives=22),
        ),
        Mistake(
            "strides ignored",
            lambda layers=3: 1 + 3 * (layers + 2),
            "Strides change nothing in your answer. Behind a stride of 2, neighbours are 2 pixels "
            "apart: with layers = 1 a verdict sees {expected} pixels; you say {got}.",
            example(1, gives=10),
        ),
        Mistake(
            "kernels added up",
            lambda layers=3: 4 * (layers + 2),
            "You add up kernels, 4 for each layer. Windows overlap, and behind a stride of 2 they "
            "are further apart: with layers = 1 a verdict sees {expected} pixels; you say {got}.",
            example(1, gives=12),
        ),
        Mistake(
            "from the wrong end",
            lambda layers=3: shapes.receptive_field([(4, 1)] * 2 + [(4, 2)] * layers),
            "You walk through the layers from the other end, as if those of stride 1 came first. "
            "With layers = 1 a verdict sees {expected} pixels; you say {got}.",
            example(1, gives=10),
        ),
        Mistake(
            "f gaps",
            lambda layers=3: functools.reduce(
                lambda f, stride: f * stride + 4, [1, 1] + [2] * layers, 1
            ),
            "You count as many steps as neighbours. Between f neighbours there is one step less: "
            "with layers = 1 a verdict sees {expected} pixels; you say {got}.",
            example(1, gives=22),
        ),
        Mistake(
            "a kernel, doubled each time",
            lambda layers=3: 4 * 2**layers,
            "You double the kernel with each halving and stop there: with layers = 1 a verdict "
            "sees {expected} pixels; you say {got}.",
            example(1, gives=8),
        ),
        Mistake(
            "one layer less",
            lambda layers=3: _field(layers - 1, 2),
            "You halve once too few: your {got} for 3 layers is the answer for 2. layers counts "
            "all layers of stride 2, the first among them.",
            example(3, gives=34),
        ),
        Mistake(
            "one layer more",
            lambda layers=3: _field(layers + 1, 2),
            "You halve once too often: your {got} for 3 layers is the answer for 4. layers counts "
            "all layers of stride 2.",
            example(3, gives=142),
        ),
        Mistake(
            "always 70",
            lambda layers=3: 70,
            "Your answer does not depend on layers. With one halving less a verdict sees about "
            "half as much: 34.",
        ),
        Mistake(
            "an area",
            lambda layers=3: _field(layers, 2) ** 2,
            "You count all pixels of a patch: {got} for 3 layers. Asked for is its width.",
            example(3, gives=4900),
        ),
        Mistake(
            "kernel 3",
            lambda layers=3: shapes.receptive_field([(3, 2)] * layers + [(3, 1)] * 2),
            "Your kernels are 3 wide; a PatchGAN's are 4. With layers = 1 a verdict sees "
            "{expected} pixels; you say {got}.",
            example(1, gives=11),
        ),
        Mistake(
            "from no number",
            lambda layers=3: functools.reduce(
                lambda f, stride: (f - 1) * stride + 4, [1, 1] + [2] * layers, 0
            ),
            "You begin with no number; a verdict is one. With layers = 1 it sees {expected} "
            "pixels; you say {got}.",
            example(1, gives=14),
        ),
        Mistake(
            "a decimal number",
            lambda layers=3: float(shapes.receptive_field([(4, 2)] * layers + [(4, 1)] * 2)),
            "You return a decimal number. Pixels are counted in whole numbers.",
        ),
    ),
    probes=(
        call("1 layer", 1),
        call("3 layers", 3),
        call("nothing said of layers"),
        call("2 layers", 2),
        call("4 layers", 4),
        call("5 layers", 5),
        call("8 layers", 8),
    ),
)


# --- pix2pix_loss ---------------------------------------------------------------------------------


def _to_one(scores: Tensor) -> Tensor:
    return F.softplus(-scores).mean()


def _apart(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean()


def _pix2pix_wrong(gan: Callable = _to_one, distance: Callable = _apart) -> Callable:
    """The loss with another verdict or another distance."""
    return lambda scores, fake, target, l1=100.0: gan(scores) + l1 * distance(fake, target)


def _summed_up(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().sum()


def _summed_per_picture(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().flatten(1).sum(1).mean()


def _pix2pix_case(label: str, patches: tuple, size: tuple, seed: int, **l1: float) -> Probe:
    fake, target = (2 * normal(patches[0], *size, seed=seed + i) for i in (1, 2))
    scores = 2 * normal(patches[0], 1, *patches[1:], seed=seed)
    return call(label, scores, fake, target, grad=(0, 1), **l1)


def _at_score(score: float, gives: float, away: float = 0.0, l1: float = 100.0) -> Example:
    """One score, and one grey pixel that is so far away from its target."""
    pixel = torch.zeros(1, 1, 1, 1)
    return example(pixel + score, pixel + away, pixel, l1, gives=gives)


PIX2PIX_LOSS = Exercise(
    id="cyclegan.pix2pix_loss",
    title="pix2pix: the generator's loss",
    reference=translation.pix2pix_loss,
    hints=(
        "G is asked two things: that D takes its pair for a true one, patch by patch, and that its "
        "picture is near the target. Which of the two does λ weigh?",
        "The first is the non-saturating loss of lecture 03, −log D, averaged over all patches of "
        "all pictures. The second is a mean of absolute differences, |G(x) − y|.",
        "`F.softplus(-fake_scores).mean() + l1 * (fake - target).abs().mean()`.",
    ),
    mistakes=(
        Mistake(
            "λ on the verdict",
            lambda scores, fake, target, l1=100.0: l1 * _to_one(scores) + _apart(fake, target),
            "You weigh D's verdict with λ, not the distance. A picture 0.1 away from its target "
            "should pay 10 for that with λ = 100; with you it pays 0.1, and G does not care.",
        ),
        Mistake(
            "λ on both",
            lambda scores, fake, target, l1=100.0: l1 * (_to_one(scores) + _apart(fake, target)),
            "λ weighs everything, so it weighs nothing: the share of the two parts does not change "
            "with it.",
        ),
        Mistake(
            "no λ",
            lambda scores, fake, target, l1=100.0: _to_one(scores) + _apart(fake, target),
            "λ changes nothing in your loss. A picture 0.1 away from its target should pay 10 for "
            "that with λ = 100; with you it pays 0.1.",
        ),
        Mistake(
            "always 100",
            lambda scores, fake, target, l1=100.0: _to_one(scores) + 100 * _apart(fake, target),
            "Your λ does not depend on l1. With l1 = 10, a picture 0.1 away from its target should "
            "pay {expected} for that; with you it pays {got}.",
            _at_score(100.0, away=0.1, l1=10.0, gives=10.0),
        ),
        Mistake(
            "squares",
            _pix2pix_wrong(distance=lambda a, b: (a - b).square().mean()),
            "You square the differences. A pixel 0.1 away counts 0.01, one 1 away counts 1: G "
            "mends the few worst pixels first, and the rest stays blurred.",
        ),
        Mistake(
            "Huber's distance",
            _pix2pix_wrong(distance=F.smooth_l1_loss),
            "Your distance is Huber's: it squares differences below 1, so a pixel 0.1 away pays "
            "0.005 for that, and small errors stay.",
        ),
        Mistake(
            "distance summed up",
            _pix2pix_wrong(distance=_summed_up),
            "You add up the distances of all pixels. A picture four times as large pays four times "
            "as much, and D's verdict, which is a mean, is drowned.",
        ),
        Mistake(
            "distance summed up in each picture",
            _pix2pix_wrong(distance=_summed_per_picture),
            "You add up the distances of all pixels of a picture, then average over pictures. A "
            "picture four times as large pays four times as much, and D's verdict is drowned.",
        ),
        Mistake(
            "sign lost",
            _pix2pix_wrong(distance=lambda a, b: (a - b).mean()),
            "Errors cancel in your distance: one pixel 0.5 too bright and one 0.5 too dark pay "
            "nothing. A picture that is too dark everywhere even earns.",
        ),
        Mistake(
            "distance weighed down",
            _pix2pix_wrong(distance=lambda a, b: -(a - b).abs().mean()),
            "Your loss falls as the picture moves away from its target.",
        ),
        Mistake(
            "D's target",
            _pix2pix_wrong(lambda scores: F.softplus(scores).mean()),
            'Your G is content where D says "fake": at a score of 5 its loss should be '
            "{expected:.3f}, and you say {got:.3f}.",
            _at_score(5.0, gives=5.007),
        ),
        Mistake(
            "minimax",
            _pix2pix_wrong(lambda scores: -F.softplus(scores).mean()),
            "Your G has the minimax loss, log(1 − D). Where D is sure of a fake, at a score of −5, "
            "it is {got:.3f} and almost flat: G learns nothing just when it has most to learn.",
            _at_score(-5.0, gives=-0.0067),
        ),
        Mistake(
            "sign of the logarithm",
            _pix2pix_wrong(lambda scores: -F.softplus(-scores).mean()),
            "Your verdict is log D, not −log D: made small, it asks G for pictures that D calls "
            "fake. At a score of −5 it should be {expected:.3f}, and you say {got:.3f}.",
            _at_score(-5.0, gives=-5.0067),
        ),
        Mistake(
            "hinge",
            _pix2pix_wrong(lambda scores: (1 - scores).relu().mean()),
            "That is a hinge. pix2pix takes −log sigmoid(score): at a score of −5 it is "
            "{expected:.3f}, and you say {got}.",
            _at_score(-5.0, gives=6.0),
        ),
        Mistake(
            "a critic's loss",
            _pix2pix_wrong(lambda scores: -scores.mean()),
            "You take the score itself. pix2pix's D gives a probability, sigmoid(score): at a "
            "score of 5 the loss should be {expected:.3f}, and you say {got}.",
            _at_score(5.0, gives=-5.0),
        ),
        Mistake(
            "least squares",
            _pix2pix_wrong(lambda scores: (scores - 1).square().mean()),
            "That is CycleGAN's verdict, (score − 1)². pix2pix takes −log sigmoid(score): at a "
            "score of 5 it is {expected:.3f}, and you say {got}.",
            _at_score(5.0, gives=16.0),
        ),
        Mistake(
            "one verdict for all patches",
            _pix2pix_wrong(lambda scores: F.softplus(-scores.mean())),
            "You average the scores first. A patch that is perfect (score 10) and one that is "
            "hopeless (−10) make a verdict of 0 together. Every patch has its own verdict.",
        ),
        Mistake(
            "patches summed up",
            _pix2pix_wrong(lambda scores: F.softplus(-scores).sum()),
            "You add up the patches. A larger picture has more of them, and λ would have to grow "
            "with it.",
        ),
        Mistake(
            "sigmoid twice",
            _pix2pix_wrong(lambda scores: F.softplus(-scores.sigmoid()).mean()),
            "You take the sigmoid twice. However real the picture looks, your loss cannot fall "
            "below the logarithm of 1 + 1/e: at a score of 100 you say {got}.",
            _at_score(100.0, gives=0.3133),
        ),
        Mistake(
            "logarithm of a probability",
            _pix2pix_wrong(lambda scores: -scores.sigmoid().log().mean()),
            "You take the logarithm of a probability that has become 0: at a score of −200 the "
            "loss should be {expected}, and you say {got}. Begin from the score.",
            _at_score(-200.0, gives=math.inf),
        ),
        Mistake(
            "log-loss of a probability",
            _pix2pix_wrong(
                lambda s: F.binary_cross_entropy(s.sigmoid(), torch.ones_like(s)),
            ),
            "You give the log-loss a probability, and it holds its logarithm at −100: at a score "
            "of −200 the loss should be {expected}, and you say {got}. Begin from the score.",
            _at_score(-200.0, gives=100.0),
        ),
        Mistake(
            "no verdict",
            lambda scores, fake, target, l1=100.0: l1 * _apart(fake, target),
            "D's verdict is not in your loss. That is the L1 of the lecture's first row, and its "
            "pictures are blurred.",
        ),
        Mistake(
            "distance without a gradient",
            _pix2pix_wrong(distance=lambda a, b: _apart(a.detach(), b)),
            "The number is right, but G never hears of the distance: no gradient of it reaches the "
            "picture.",
        ),
        Mistake(
            "verdicts summed up",
            _pix2pix_wrong(lambda s: F.softplus(-s).flatten(1).sum(1).mean()),
            "You add up the verdicts of each picture; asked is their mean. A picture with four "
            "times as many patches would hear D four times as loud.",
        ),
    ),
    probes=(
        _pix2pix_case("2 pictures, 3 × 3 patches", (2, 3, 3), (3, 4, 4), 0),
        _pix2pix_case("one grey picture, 1 × 4 patches, λ = 10", (1, 1, 4), (1, 5, 6), 10, l1=10.0),
        _pix2pix_case("3 pictures, one patch each, λ = 0.5", (3, 1, 1), (3, 2, 2), 20, l1=0.5),
        _pix2pix_case("one picture, 2 × 2 patches, λ = 0", (1, 2, 2), (3, 3, 2), 40, l1=0.0),
        call(
            "scores of −200 and 200",
            torch.tensor([-200.0, 200.0]).view(2, 1, 1, 1),
            *(normal(2, 3, 3, 4, seed=seed) for seed in (31, 32)),
            l1=100.0,
            grad=(0, 1),
            explain={
                "result": "At a score of −200, −log σ is 200: the probability has rounded to 0, "
                "the score has not."
            },
        ),
    ),
)


# --- cycle_loss and identity_loss -----------------------------------------------------------------


def cycle_loss(
    x: Float[Tensor, "B C H W"],
    y: Float[Tensor, "B C H W"],
    generator_xy: Callable[[Tensor], Tensor],
    generator_yx: Callable[[Tensor], Tensor],
) -> Float[Tensor, ""]:
    """E |F(G(x)) − x| + E |G(F(y)) − y|: G is generator_xy, F generator_yx."""
    back_x = generator_yx(generator_xy(x))
    back_y = generator_xy(generator_yx(y))
    return (back_x - x).abs().mean() + (back_y - y).abs().mean()


def identity_loss(
    x: Float[Tensor, "B C H W"],
    y: Float[Tensor, "B C H W"],
    generator_xy: Callable[[Tensor], Tensor],
    generator_yx: Callable[[Tensor], Tensor],
) -> Float[Tensor, ""]:
    """E |G(y) − y| + E |F(x) − x|: who is there already is left alone."""
    return (generator_xy(y) - y).abs().mean() + (generator_yx(x) - x).abs().mean()


class _Painter(nn.Module):
    """A small translation: a matrix for the colours of a pixel, and tanh."""

    def __init__(self, channels: int, seed: int, bend: Callable[[Tensor], Tensor] = torch.tanh):
        super().__init__()
        self.weight = nn.Parameter(normal(channels, channels, seed=seed))
        self.bend = bend

    def forward(self, x: Tensor) -> Tensor:
        return self.bend(torch.einsum("oc,bchw->bohw", self.weight, x))


def _there_and_back(
    label: str,
    *shape: int,
    more: int = 0,
    seed: int,
    bend: Callable[[Tensor], Tensor] = torch.tanh,
) -> Probe:
    """The loss, and what each generator learns from it; `more` pictures in y than in x."""

    def observe(candidate: Callable) -> dict[str, Any]:
        g, f = (_Painter(shape[1], seed + i, bend) for i in (1, 2))
        x = 2 * normal(*shape, seed=seed + 3)
        y = 2 * normal(shape[0] + more, *shape[1:], seed=seed + 4)
        loss = candidate(x, y, g, f)
        seen = {"loss": loss}
        slopes = [torch.zeros_like(g.weight)] * 2
        if isinstance(loss, Tensor) and loss.requires_grad:
            found = torch.autograd.grad(loss.sum(), [g.weight, f.weight], allow_unused=True)
            slopes = [zero if s is None else s for s, zero in zip(found, slopes, strict=True)]
        seen["gradient of generator_xy"], seen["gradient of generator_yx"] = slopes
        return seen

    return Probe(label, observe)


def _both(*terms: Callable) -> Callable:
    """The sum of terms(x, y, G, F)."""
    return lambda x, y, g, f: sum(term(x, y, g, f) for term in terms)


def _cycle_wrong(distance: Callable = _apart, detach: bool = False) -> Callable:
    def wrong(x, y, g, f):
        fake_y, fake_x = g(x), f(y)
        if detach:
            fake_y, fake_x = fake_y.detach(), fake_x.detach()
        return distance(f(fake_y), x) + distance(g(fake_x), y)

    return wrong


def _identity_wrong(distance: Callable = _apart) -> Callable:
    return lambda x, y, g, f: distance(g(y), y) + distance(f(x), x)


def _gradients_off(loss: Callable) -> Callable:
    return lambda x, y, g, f: loss(x, y, g, f).detach()


_PIXEL = torch.zeros(1, 1, 1, 1)


_POOLED = (
    "You take one mean over both batches. The formula adds two means, and the larger batch must "
    "not weigh more than the other."
)
_HUBER = (
    "Your distance is Huber's: it squares differences below 1, so a pixel 0.1 off costs 0.005. The "
    "formula takes absolute values."
)
_LENGTH = (
    "You take the length of the difference, a root of a sum of squares. It grows with the number "
    "of pixels and pictures; asked for is a mean of absolute values."
)


def _pooled(a: Tensor, x: Tensor, b: Tensor, y: Tensor) -> Tensor:
    return torch.cat([(a - x).abs().flatten(), (b - y).abs().flatten()]).mean()


def _one_more(x: Tensor) -> Tensor:
    return x + 1


def _one_less(x: Tensor) -> Tensor:
    return x - 1


def _unchanged(x: Tensor) -> Tensor:
    return x


_CYCLE_PROBES = (
    _there_and_back("2 pictures of 3 channels", 2, 3, 4, 4, seed=0),
    _there_and_back("one grey picture", 1, 1, 3, 5, seed=10),
    _there_and_back("x of 3 pictures, y of 5", 3, 2, 1, 3, more=2, seed=20),
    _there_and_back(
        "2 pictures, generators that leave [−1, 1]", 2, 3, 2, 2, seed=30, bend=_unchanged
    ),
)

CYCLE_LOSS = Exercise(
    id="cyclegan.cycle_loss",
    title="There and back again",
    reference=cycle_loss,
    hints=(
        "Take a horse, make a zebra of it, and make a horse of that zebra. What should the result "
        "be compared with? And which two networks were used, in which order?",
        "There are two round trips, one that begins in X and one that begins in Y. Each ends where "
        "it began, and each is a mean of absolute differences.",
        "`generator_yx(generator_xy(x))` is x's way there and back; `(… - x).abs().mean()` is what "
        "got lost. Add the same for y, with the generators in the other order.",
    ),
    mistakes=(
        Mistake(
            "no way back",
            lambda x, y, g, f: _apart(g(x), x) + _apart(f(y), y),
            "You did not come back: you compare the zebra with the horse that it was made of. Let "
            "generator_xy add 1 to every pixel, and generator_yx take 1 away: the loss is "
            "{expected}; you say {got}.",
            example(_PIXEL, _PIXEL, _one_more, _one_less, gives=2.0),
        ),
        Mistake(
            "the same road twice",
            lambda x, y, g, f: _apart(g(g(x)), x) + _apart(f(f(y)), y),
            "You take the same road twice: of a horse a zebra, and of the zebra another zebra. The "
            "other generator is not used on this trip.",
        ),
        Mistake(
            "the other generator first",
            lambda x, y, g, f: _apart(g(f(x)), x) + _apart(f(g(y)), y),
            "You begin with the wrong generator. generator_yx is made for pictures of Y, and you "
            "give it x.",
        ),
        Mistake(
            "only x",
            lambda x, y, g, f: _apart(f(g(x)), x),
            "Change y: your loss stays. There are two round trips, and one is missing.",
        ),
        Mistake(
            "only y",
            lambda x, y, g, f: _apart(g(f(y)), y),
            "Change x: your loss stays. There are two round trips, and one is missing.",
        ),
        Mistake(
            "compared with the other domain",
            lambda x, y, g, f: _apart(f(g(x)), y) + _apart(g(f(y)), x),
            "You compare what came back with a picture of the other kind. x and y are no pair: "
            "nothing says that they should be alike.",
        ),
        Mistake(
            "x compared with y",
            lambda x, y, g, f: _apart(g(x), y) + _apart(f(y), x),
            "You ask generator_xy to make this y of this x. x and y are no pair, and nobody comes "
            "back.",
        ),
        Mistake(
            "y on x's road",
            lambda x, y, g, f: _apart(f(g(x)), x) + _apart(f(g(y)), y),
            "y takes the same road as x: generator_xy first. y is in Y already; its trip begins "
            "with generator_yx.",
        ),
        Mistake(
            "one mean for both",
            lambda x, y, g, f: _pooled(f(g(x)), x, g(f(y)), y),
            _POOLED,
        ),
        Mistake(
            "twice one mean for both",
            lambda x, y, g, f: 2 * _pooled(f(g(x)), x, g(f(y)), y),
            _POOLED,
        ),
        Mistake(
            "Huber's distance",
            _cycle_wrong(F.smooth_l1_loss),
            _HUBER,
        ),
        Mistake(
            "length of the difference",
            _cycle_wrong(lambda a, b: (a - b).norm()),
            _LENGTH,
        ),
        Mistake(
            "first generator detached",
            _cycle_wrong(detach=True),
            "The number is right, but the first generator of each trip is never told that the way "
            "back failed: your fakes are cut off from it. Only the second one learns.",
        ),
        Mistake(
            "no gradient",
            _gradients_off(cycle_loss),
            "The number is right, but no gradient reaches either generator.",
        ),
        Mistake(
            "squares",
            _cycle_wrong(lambda a, b: (a - b).square().mean()),
            "You square the differences. The paper takes their absolute values: a pixel 0.1 off "
            "costs 0.1; with you 0.01.",
        ),
        Mistake(
            "sign lost",
            _cycle_wrong(lambda a, b: (a - b).mean()),
            "Errors cancel: one pixel 0.5 too bright and one 0.5 too dark cost nothing.",
        ),
        Mistake(
            "summed up",
            _cycle_wrong(_summed_up),
            "You add up the pixels. Twice the pictures, twice the loss, and λ = 10 would have to "
            "change with every size.",
        ),
        Mistake(
            "summed up in each picture",
            _cycle_wrong(_summed_per_picture),
            "You add up the pixels of a picture, then average over pictures. A picture four times "
            "as large has four times the loss, and λ = 10 would have to change with every size.",
        ),
        Mistake(
            "halved",
            lambda x, y, g, f: cycle_loss(x, y, g, f) / 2,
            "You average the two trips. The formula adds them.",
        ),
        Mistake(
            "with λ",
            lambda x, y, g, f: 10 * cycle_loss(x, y, g, f),
            "λ is in your loss already. If every round trip ends 1 higher, the loss is "
            "{expected}; you say {got}. λ comes where all losses are added up.",
            example(_PIXEL, _PIXEL, _one_more, _unchanged, gives=20.0),
        ),
        Mistake(
            "cut off on the way",
            lambda x, y, g, f: _apart(f(g(x).clamp(-1, 1)), x) + _apart(g(f(y).clamp(-1, 1)), y),
            "You cut the pictures off at ±1 before they go back. Let generator_xy add 1 to a pixel "
            "of ½, and generator_yx take 1 away: nothing is lost, and the loss is {expected}; you "
            "say {got}.",
            example(_PIXEL + 0.5, _PIXEL + 0.5, _one_more, _one_less, gives=0.5),
        ),
    ),
    probes=_CYCLE_PROBES,
)

IDENTITY_LOSS = Exercise(
    id="cyclegan.identity_loss",
    title="Leave alone what is there already",
    reference=identity_loss,
    hints=(
        "generator_xy puts glasses on. What should it do with a face that wears glasses already, "
        "and from which of the two sets is that face?",
        "generator_xy leads into Y. So it is pictures of Y that it should leave as they are. Each "
        "generator has one such term, a mean of absolute differences.",
        "`(generator_xy(y) - y).abs().mean()`, and the same for generator_yx with x.",
    ),
    mistakes=(
        Mistake(
            "own pictures",
            lambda x, y, g, f: _apart(g(x), x) + _apart(f(y), y),
            "That forbids translation: you ask generator_xy, which makes y of x, to leave x as it "
            "is. It is what is in Y already that it should leave alone.",
        ),
        Mistake(
            "there and back",
            cycle_loss,
            "That is the cycle loss: there and back. Here each generator is used once.",
        ),
        Mistake(
            "compared with the other domain",
            lambda x, y, g, f: _apart(g(y), x) + _apart(f(x), y),
            "You compare with a picture of the other kind. generator_xy gets y, and y is what it "
            "should return.",
        ),
        Mistake(
            "x compared with y",
            lambda x, y, g, f: _apart(g(x), y) + _apart(f(y), x),
            "You ask generator_xy to make this y of this x. x and y are no pair: who x would be "
            "with glasses is nowhere in the data.",
        ),
        Mistake(
            "y for both",
            lambda x, y, g, f: _apart(g(y), y) + _apart(f(y), y),
            "Both generators get y. generator_yx leads into X: it is pictures of X that it should "
            "leave alone.",
        ),
        Mistake(
            "one mean for both",
            lambda x, y, g, f: _pooled(g(y), y, f(x), x),
            _POOLED,
        ),
        Mistake(
            "twice one mean for both",
            lambda x, y, g, f: 2 * _pooled(g(y), y, f(x), x),
            _POOLED,
        ),
        Mistake(
            "Huber's distance",
            _identity_wrong(F.smooth_l1_loss),
            _HUBER,
        ),
        Mistake(
            "length of the difference",
            _identity_wrong(lambda a, b: (a - b).norm()),
            _LENGTH,
        ),
        Mistake(
            "only generator_xy",
            lambda x, y, g, f: _apart(g(y), y),
            "Change x: your loss stays. generator_yx has no term.",
        ),
        Mistake(
            "only generator_yx",
            lambda x, y, g, f: _apart(f(x), x),
            "Change y: your loss stays. generator_xy has no term.",
        ),
        Mistake(
            "no gradient",
            _gradients_off(identity_loss),
            "The number is right, but no gradient reaches either generator.",
        ),
        Mistake(
            "squares",
            _identity_wrong(lambda a, b: (a - b).square().mean()),
            "You square the differences. The paper takes their absolute values: a pixel 0.1 off "
            "costs 0.1; with you 0.01.",
        ),
        Mistake(
            "sign lost",
            _identity_wrong(lambda a, b: (a - b).mean()),
            "Errors cancel: one pixel 0.5 too bright and one 0.5 too dark cost nothing.",
        ),
        Mistake(
            "summed up",
            _identity_wrong(_summed_up),
            "You add up the pixels. Twice the pictures, twice the loss.",
        ),
        Mistake(
            "summed up in each picture",
            _identity_wrong(_summed_per_picture),
            "You add up the pixels of a picture, then average over pictures. A picture four times "
            "as large has four times the loss.",
        ),
        Mistake(
            "halved",
            lambda x, y, g, f: identity_loss(x, y, g, f) / 2,
            "Your loss is half of what it should be. The ½ of the paper stands beside λ, where all "
            "losses are added up; the two terms are summed.",
        ),
        Mistake(
            "with λ",
            lambda x, y, g, f: 5 * identity_loss(x, y, g, f),
            "The weight ½ λ is in your loss already. If both generators add 1 to every pixel, the "
            "loss is {expected}; you say {got}. Weights come where all losses are added up.",
            example(_PIXEL, _PIXEL, _one_more, _one_more, gives=10.0),
        ),
    ),
    probes=_CYCLE_PROBES,
)


# --- image_buffer ---------------------------------------------------------------------------------


class _Buffer:
    """A buffer that can be wrong in many ways; each subclass is wrong in one."""

    def __init__(self, capacity: int = 50):
        self.capacity, self.images = capacity, []

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([self.one(image[None].detach()) for image in images])

    def one(self, image: Tensor) -> Tensor:
        if len(self.images) < self.capacity:
            self.images.append(image)
            return image
        return self.swap(image) if torch.rand(()) < 0.5 else image

    def swap(self, image: Tensor) -> Tensor:
        i = int(torch.randint(len(self.images), ()))
        old, self.images[i] = self.images[i], image
        return old


class _OnlyNew(_Buffer):
    def swap(self, image):
        super().swap(image)
        return image


class _Frozen(_Buffer):
    def swap(self, image):
        return self.images[int(torch.randint(len(self.images), ()))]


class _AlwaysOld(_Buffer):
    def one(self, image):
        if len(self.images) < self.capacity:
            return super().one(image)
        return self.swap(image)


class _Queue(_Buffer):
    def swap(self, image):
        self.images.append(image)
        return self.images.pop(0)


class _Stack(_Buffer):
    def swap(self, image):
        old, self.images[-1] = self.images[-1], image
        return old


class _Copies(_Buffer):
    def swap(self, image):
        old = self.images[int(torch.randint(len(self.images), ()))]
        self.images[int(torch.randint(len(self.images), ()))] = image
        return old


class _KeptAnyway(_Buffer):
    def one(self, image):
        if len(self.images) < self.capacity:
            return super().one(image)
        old = self.swap(image)
        return old if torch.rand(()) < 0.5 else image


class _NoEnd(_Buffer):
    def one(self, image):
        self.images.append(image)
        if len(self.images) <= self.capacity or torch.rand(()) < 0.5:
            return image
        return self.images[int(torch.randint(len(self.images), ()))]


class _FromTheStart(_Buffer):
    def one(self, image):
        if len(self.images) < self.capacity:
            self.images.append(image)
            return self.images[int(torch.randint(len(self.images), ()))]
        return super().one(image)


class _OneLot(_Buffer):
    def __call__(self, images):
        images = images.detach()
        if len(self.images) < self.capacity:
            return super().__call__(images)
        if torch.rand(()) < 0.5:
            return images
        return torch.cat([self.swap(image[None]) for image in images])


class _WithAPast(_Buffer):
    def __call__(self, images):
        return torch.cat([self.one(image[None]) for image in images])


class _KeptWithAPast(_Buffer):
    def __call__(self, images):
        return torch.cat([self.one(image[None]) for image in images]).detach()


class _AtOnce(_Buffer):
    """All old pictures of a batch are looked up before the first new one is kept."""

    def __call__(self, images):
        self.before = None
        return super().__call__(images)

    def swap(self, image):
        self.before = self.before or list(self.images)
        i = int(torch.randint(len(self.images), ()))
        self.images[i] = image
        return self.before[i]


class _AList(_Buffer):
    def __call__(self, images):
        return [self.one(image[None].detach()) for image in images]


class _Fifty(_Buffer):
    def __init__(self, capacity: int = 50):
        super().__init__(50)


class _OneTooMany(_Buffer):
    def __init__(self, capacity: int = 50):
        super().__init__(capacity + 1)


class _TakenOut(_Buffer):
    def swap(self, image):
        return self.images.pop(int(torch.randint(len(self.images), ())))


class _FilledByTheBatch(_Buffer):
    def __call__(self, images):
        if len(self.images) >= self.capacity:
            return super().__call__(images)
        self.images += [image[None].detach() for image in images]
        return images.detach()


class _AnArray(_Buffer):
    def __call__(self, images):
        return super().__call__(images).numpy()


class _Double(_Buffer):
    def __call__(self, images):
        return super().__call__(images).double()


class _Stacked(_Buffer):
    def __call__(self, images):
        return torch.stack([self.one(image[None].detach()) for image in images])


class _NeverTheLast(_Buffer):
    def swap(self, image):
        i = int(torch.randint(max(len(self.images) - 1, 1), ()))
        old, self.images[i] = self.images[i], image
        return old


class _Seldom(_Buffer):
    def one(self, image):
        if len(self.images) < self.capacity:
            return super().one(image)
        return self.swap(image) if torch.rand(()) < 0.1 else image


def _numbered(start: int, n: int) -> Tensor:
    return torch.arange(start, start + n, dtype=torch.float32).view(-1, 1, 1, 1).expand(n, 2, 3, 3)


def _given(result: Any, n: int) -> list[int]:
    """The numbers on the pictures that came out."""
    right = isinstance(result, Tensor) and result.shape == (n, 2, 3, 3)
    if not right:
        return [-1] * n
    return result.detach()[:, 0, 0, 0].round().long().tolist()


def _learning(start: int, n: int) -> Tensor:
    """Numbered pictures as a generator makes them, with a history."""
    return _numbered(start, n) + torch.zeros((), requires_grad=True)


def _kept(value: Any) -> Iterator[Tensor]:
    """All tensors that a buffer holds, wherever it has put them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, deque, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _kept(entry)


def _filling(make: Callable, capacity: int, batch: int, buffers: int = 20) -> dict[str, Any]:
    """Batches until the buffer is full, and a little more; once again for each of many buffers."""
    runs, kinds, learning, changed, past = [], set(), False, False, False
    for _ in range(buffers):
        buffer, run = make(), []
        for start in range(0, capacity + 1, batch):
            images = _learning(start, batch)
            result = buffer(images)
            kinds.add(describe(result))
            learning |= isinstance(result, Tensor) and result.requires_grad
            changed |= not images.equal(_numbered(start, batch))
            run += _given(result, batch)
        runs.append(run)
        past |= any(image.requires_grad for image in _kept(getattr(buffer, "__dict__", {})))
    after = range(capacity, len(runs[0]))
    return {
        "what comes out": ", or ".join(sorted(kinds)),
        "the batch that goes in changes": changed,
        "until it is full, all come straight back": all(
            run[:capacity] == [*range(capacity)] for run in runs
        ),
        "the pictures that follow are exchanged at times": [
            any(run[i] != i for run in runs) for i in after
        ],
        "what comes out has a gradient": learning,
        "what is kept has a gradient": past,
    }


def _often(share: float) -> str:
    if share in (0, 1):
        return "always" if share else "never"
    often = "more often" if share > 0.5 else "more seldom"
    return "every other time" if abs(share - 0.5) < 0.06 else f"{often} than every other time"


def _about(mean: float, wanted: int) -> str:
    if abs(mean - wanted) < 0.3 * wanted:
        return f"about {wanted}"
    return f"less than {wanted}" if mean < wanted else f"more than {wanted}"


def _exchanging(candidate: Callable, capacity: int = 10, rounds: int = 2000) -> dict[str, Any]:
    buffer = candidate(capacity)
    for i in range(capacity):
        buffer(_numbered(i, 1))
    came = range(capacity, capacity + rounds)
    given = [_given(buffer(_numbered(i, 1)), 1)[0] for i in came]
    waited = torch.tensor([c - g for c, g in zip(came, given, strict=True) if c != g]).double()
    some = len(waited) > 1
    mean, spread = (waited.mean(), waited.std()) if some else (torch.tensor(0.0),) * 2
    return {
        "old pictures come back": some,
        "a new picture comes straight back": _often(1 - len(waited) / rounds),
        "pictures given twice": len(set(given)) < len(given),
        "all old pictures come out at some time": {*range(capacity)} <= {*given},
        "for how many rounds they wait": _about(float(mean), 2 * capacity),
        "some wait much longer than others": bool(spread > mean / 2),
    }


def _batches_of_eight(candidate: Callable, capacity: int = 10) -> dict[str, Any]:
    buffer = candidate(capacity)
    buffer(_numbered(0, capacity))
    mixed, learning, kinds, all_given = 0, False, set(), []
    for i in range(capacity, capacity + 8 * 100, 8):
        result = buffer(_learning(i, 8))
        kinds.add(describe(result))
        learning |= isinstance(result, Tensor) and result.requires_grad
        given = _given(result, 8)
        all_given += given
        straight = [number == i + j for j, number in enumerate(given)]
        mixed += any(straight) and not all(straight)
    return {
        "what comes out": ", or ".join(sorted(kinds)),
        "pictures given twice": len(set(all_given)) < len(all_given),
        "each picture of a batch has its own lot": mixed > 60,
        "what comes out has a gradient": learning,
    }


_OF_A_BUFFER = {
    "what comes out": "What comes out goes to D, like the batch that went in: a tensor of the same "
    "shape and kind.",
    "the batch that goes in changes": "Your buffer writes into the batch that it is given.",
    "until it is full, all come straight back": "A new buffer is empty, and until it is full every "
    "picture comes straight back, in its place. From yours others came.",
    "the pictures that follow are exchanged at times": "Of twenty full buffers none has exchanged "
    "the picture at one of these places, though each has a chance of ½.",
    "what comes out has a gradient": "What comes out still has its gradient.",
    "what is kept has a gradient": "What the buffer keeps still has its gradient, and with it the "
    "whole graph of the step that made it.",
    "old pictures come back": "Over 2,000 rounds no old picture came back.",
    "a new picture comes straight back": "A full buffer gives each new picture straight back with "
    "probability ½; yours has another.",
    "pictures given twice": "A picture leaves the buffer when it comes out, and comes out once.",
    "all old pictures come out at some time": "Some of the first pictures never came out in 2,000 "
    "rounds: every place of the buffer should be drawn.",
    "for how many rounds they wait": "With 10 places, one of them drawn in every other round, an "
    "old picture waits for about 20 rounds; in yours for another time.",
    "some wait much longer than others": "All old pictures wait for about as long: which one comes "
    "out is not drawn at random.",
    "each picture of a batch has its own lot": "In nearly every batch all pictures were exchanged, "
    "or none: each should have its own lot.",
}


def _buffered(label: str, observe: Callable) -> Probe:
    return Probe(label, observe, explain=_OF_A_BUFFER)


IMAGE_BUFFER = Exercise(
    id="cyclegan.image_buffer",
    title="A memory of past fakes",
    reference=translation.ImageBuffer,
    hints=(
        "Begin with one picture, and a list. What happens while the list is shorter than the "
        "capacity? What two things can happen once it is full, with probability ½ each?",
        "In the second case an old picture and the new one change places: the old one comes out, "
        "the new one is kept in its slot. Which slot is drawn at random. And `.detach()` first: an "
        "old picture belongs to a generator that is no more.",
        "For `image` in `images.detach()`: append and return it while there is room; else, if "
        "`random.random() < 0.5`, `i = random.randrange(self.capacity)` and `old, self.images[i] = "
        "self.images[i], image`; else return it. `torch.stack` makes a batch of what came out.",
    ),
    mistakes=(
        Mistake(
            "only new pictures",
            _OnlyNew,
            "Over 2,000 calls no old picture came back. D sees what it would see without a buffer.",
        ),
        Mistake(
            "the new one is not kept",
            _Frozen,
            "The buffer stopped learning after it was full: what it gives back is from the first "
            "pictures, again and again. The new one has to take the place of the old.",
        ),
        Mistake(
            "always an old one",
            _AlwaysOld,
            "Once it is full, no new picture ever comes straight back. D hears of G's last "
            "change only many steps later.",
        ),
        Mistake(
            "one in ten",
            _Seldom,
            "Nine of ten new pictures come straight back, and it should be every other one.",
        ),
        Mistake(
            "first in, first out",
            _Queue,
            "Your buffer is a queue: it is always the oldest that comes out, and all have waited "
            "for about as long. Which one comes out should be drawn at random.",
        ),
        Mistake(
            "always the same slot",
            _Stack,
            "Only one slot is ever used. The other pictures came in at the beginning and never "
            "come out.",
        ),
        Mistake(
            "another slot",
            _Copies,
            "The new picture is kept in another slot than the one that the old came from: some "
            "old ones come out twice, others are overwritten and never come out.",
        ),
        Mistake(
            "taken out",
            _TakenOut,
            "An old picture is taken out, and the new one is not put in its place. The buffer has "
            "a gap, and the next picture comes straight back for sure.",
        ),
        Mistake(
            "kept anyway",
            _KeptAnyway,
            "A picture that comes straight back is kept as well: it comes out a second time later, "
            "and the one that it replaced is lost.",
        ),
        Mistake(
            "no end",
            _NoEnd,
            "Your buffer grows without end, and what it gives back stays in it. After a day of "
            "training the memory is full, and the pictures are from the first hour.",
        ),
        Mistake(
            "old ones from the start",
            _FromTheStart,
            "You draw at random before the buffer is full. The first pictures should come straight "
            "back.",
        ),
        Mistake(
            "capacity ignored",
            _Fifty,
            "`capacity` has no influence: a buffer of 5 keeps as many pictures as one of 50.",
        ),
        Mistake(
            "one too many",
            _OneTooMany,
            "One picture too many is kept. A buffer of 5 is full when it holds 5; yours takes the "
            "sixth without a lot.",
        ),
        Mistake(
            "filled by the batch",
            _FilledByTheBatch,
            "You ask once a batch whether there is room, so the buffer grows beyond its capacity: "
            "5 pictures have room, and two batches of 4 are all kept.",
        ),
        Mistake(
            "one lot for the batch",
            _OneLot,
            "One lot is drawn for a whole batch: all 8 pictures are exchanged, or none. Each "
            "should have its own.",
        ),
        Mistake(
            "with a past",
            _WithAPast,
            "What comes out still has its gradient. In 50 steps' time it would lead into weights "
            "that have changed since, and until then the whole graph is kept in memory.",
        ),
        Mistake(
            "a list",
            _AList,
            "You return a list of pictures. D takes a batch, (B, C, H, W).",
        ),
        Mistake(
            "an array",
            _AnArray,
            "You return a numpy array. D takes a tensor.",
        ),
        Mistake(
            "double precision",
            _Double,
            "The right pictures, in float64: D's weights are float32 and refuse them.",
        ),
        Mistake(
            "an axis too many",
            _Stacked,
            "Your pictures are kept as batches of one, and stacked: an axis too many comes out, "
            "(B, 1, C, H, W).",
        ),
        Mistake(
            "never the last place",
            _NeverTheLast,
            "One place is never drawn: the picture in it never comes out. `randrange(n)` ends "
            "before n already.",
        ),
        Mistake(
            "kept with a past",
            _KeptWithAPast,
            "What comes out has no gradient, but what is kept still has one: each of 50 pictures "
            "holds the whole graph of the step that made it in memory.",
        ),
        Mistake(
            "all at once",
            _AtOnce,
            "Right for one picture at a time. Two pictures of one batch may draw the same place: "
            "then the old picture comes out twice, and the first of the two is lost.",
        ),
    ),
    probes=(
        _buffered("20 buffers of 5, two batches of 4 each", lambda f: _filling(lambda: f(5), 5, 4)),
        _buffered("a buffer of 10, then 2,000 pictures one by one", _exchanging),
        _buffered("a buffer of 10, then 100 batches of 8", _batches_of_eight),
        _buffered("20 buffers, nothing said of the capacity", lambda f: _filling(f, 50, 13)),
    ),
)


# --- generator_update -----------------------------------------------------------------------------


def generator_update(
    generator_xy: nn.Module,
    generator_yx: nn.Module,
    discriminator_x: nn.Module,
    discriminator_y: nn.Module,
    g_optimizer: Optimizer,
    x: Float[Tensor, "B C H W"],
    y: Float[Tensor, "B C H W"],
    cycle: float = 10.0,
    identity: float = 0.5,
) -> Float[Tensor, ""]:
    """Both generators learn once from L_GAN + λ L_cyc + λ · identity · L_id; returns that loss."""
    fake_y, fake_x = generator_xy(x), generator_yx(y)
    scores_y, scores_x = discriminator_y(fake_y), discriminator_x(fake_x)
    loss = ((scores_y - 1) ** 2).mean() + ((scores_x - 1) ** 2).mean()
    back_x, back_y = generator_yx(fake_y), generator_xy(fake_x)
    loss = loss + cycle * ((back_x - x).abs().mean() + (back_y - y).abs().mean())
    loss = loss + cycle * identity * identity_loss(x, y, generator_xy, generator_yx)
    g_optimizer.zero_grad()
    loss.backward()
    g_optimizer.step()
    return loss.detach()


class _Judge(nn.Module):
    """A small patch discriminator."""

    def __init__(self, channels: int, seed: int):
        super().__init__()
        self.weight = nn.Parameter(normal(1, channels, 2, 2, seed=seed))
        self.bias = nn.Parameter(normal(1, seed=seed + 100))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * F.conv2d(x, self.weight, self.bias)


_NAMES = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")


def _round(label: str, *shape: int, seed: int, more: int = 0, **weights: float) -> Probe:
    """One update, with gradients left over from D's update before; `more` pictures in y."""

    def observe(candidate: Callable) -> dict[str, Any]:
        kinds = (_Painter, _Painter, _Judge, _Judge)
        nets = [kind(shape[1], seed=seed + i) for i, kind in enumerate(kinds)]
        x = 1.5 * normal(*shape, seed=seed + 8)
        y = 1.5 * normal(shape[0] + more, *shape[1:], seed=seed + 9)
        before, told = [net.weight.detach().clone() for net in nets], set()
        for net in nets:
            net.weight.grad = torch.full_like(net.weight, 0.5)
        for name, net in zip(_NAMES[:2], nets, strict=False):
            net.weight.register_hook(lambda _, name=name: told.add(name))
        optimizer = torch.optim.SGD([nets[0].weight, nets[1].weight], 0.05, weight_decay=0.1)
        loss = candidate(*nets, optimizer, x.clone(), y.clone(), **weights)
        seen = {"loss": loss.detach() if isinstance(loss, Tensor) else loss}
        for name, net, old in zip(_NAMES[:2], nets, before, strict=False):
            seen[f"{name} after the step"] = net.weight
            moved = not torch.equal(net.weight, old)
            seen[f"{name} moved"] = moved
            left = net.weight.grad is not None and bool(net.weight.grad.any())
            why = f"a gradient came: {name in told}, and is left: {left}"
            seen[f"why {name} stands"] = "" if moved else why
        for name, net, old in zip(_NAMES[2:], nets[2:], before[2:], strict=True):
            seen[f"{name} moved"] = not torch.equal(net.weight, old)
        seen["all can learn"] = all(p.requires_grad for net in nets for p in net.parameters())
        return seen

    explain = {
        "loss": "The loss before the step has another value.",
        "discriminator_x moved": "It is the generators' turn.",
        "discriminator_y moved": "It is the generators' turn.",
        "all can learn": "Weights are left frozen: the next update will not move them.",
    }
    return Probe(label, observe, rtol=1e-3, atol=1e-4, explain=explain)


def _parts(g, f, d_x, d_y, x, y) -> dict[str, Tensor]:
    """The three losses of the formula."""
    return {
        "gan": (d_y(g(x)) - 1).square().mean() + (d_x(f(y)) - 1).square().mean(),
        "cycle": cycle_loss(x, y, g, f),
        "identity": identity_loss(x, y, g, f),
    }


def _update_wrong(*calls: str, total: Callable | None = None, **terms: Callable) -> Callable:
    """Another order of calls, other terms(g, f, d_x, d_y, x, y), or total(parts, λ, identity)."""
    calls = calls or ("zero_grad", "backward", "step")

    def weighed(parts: dict[str, Tensor], cycle: float, identity: float) -> Tensor:
        return parts["gan"] + cycle * parts["cycle"] + cycle * identity * parts["identity"]

    def wrong(g, f, d_x, d_y, g_optimizer, x, y, cycle=10.0, identity=0.5):
        parts = _parts(g, f, d_x, d_y, x, y)
        parts |= {name: term(g, f, d_x, d_y, x, y) for name, term in terms.items()}
        loss = (total or weighed)(parts, cycle, identity)
        for name in calls:
            loss.backward() if name == "backward" else getattr(g_optimizer, name)()
        return loss.detach()

    return wrong


def _judges_left_frozen(g, f, d_x, d_y, *rest, **weights):
    d_x.requires_grad_(False)
    d_y.requires_grad_(False)
    return generator_update(g, f, d_x, d_y, *rest, **weights)


def _verdicts(loss: Callable) -> Callable:
    return lambda g, f, d_x, d_y, x, y: loss(d_y(g(x))) + loss(d_x(f(y)))


def _told_afterwards(*networks_and_batches, cycle=10.0, identity=0.5):
    generator_update(*networks_and_batches, cycle, identity)
    g, f, d_x, d_y, _, x, y = networks_and_batches
    parts = _parts(g, f, d_x, d_y, x, y)
    loss = parts["gan"] + cycle * (parts["cycle"] + identity * parts["identity"])
    return loss.detach()


GENERATOR_UPDATE = Exercise(
    id="cyclegan.generator_update",
    title="The generators' half of a CycleGAN step",
    reference=generator_update,
    allows=("number",),
    hints=(
        "Three losses are added up. Which two networks judge, and which picture goes before which "
        "judge? What do λ and the share of the identity loss weigh?",
        "`fake_y = generator_xy(x)` goes before discriminator_y, whose scores should be 1, by the "
        "mean of (score − 1)². The same fake_y goes on into generator_yx, whose answer should be "
        "x. Nothing is detached: both generators have to hear of both. The identity loss weighs "
        "cycle · identity.",
        "loss = Σ ((scores − 1)²).mean() over both judges + cycle · (both ways back) + cycle · "
        "identity · (G(y) against y, F(x) against x). Then `g_optimizer.zero_grad()`, "
        "`loss.backward()`, `g_optimizer.step()`, and return `loss.detach()`.",
    ),
    mistakes=(
        Mistake(
            "the wrong judge",
            _update_wrong(
                gan=lambda g, f, d_x, d_y, x, y: (
                    (d_x(g(x)) - 1).square().mean() + (d_y(f(y)) - 1).square().mean()
                )
            ),
            "fake_y goes before the wrong judge: discriminator_x knows what an x looks like, and "
            "praises a generator that changes nothing.",
        ),
        Mistake(
            "λ on the verdicts",
            _update_wrong(total=lambda p, c, i: c * p["gan"] + p["cycle"] + c * i * p["identity"]),
            "λ weighs the return journey. With you it weighs the judges' verdicts, ten times as "
            "much as they should count, and the way back a tenth.",
        ),
        Mistake(
            "no λ",
            _update_wrong(total=lambda p, c, i: p["gan"] + p["cycle"] + c * i * p["identity"]),
            "Change `cycle` from 10 to 1: what you ask of the way back stays the same.",
        ),
        Mistake(
            "λ on everything",
            _update_wrong(total=lambda p, c, i: c * (p["gan"] + p["cycle"] + i * p["identity"])),
            "λ weighs everything, so it weighs nothing: the shares of the three losses do not "
            "change with it.",
        ),
        Mistake(
            "always the same λ",
            _update_wrong(
                total=lambda p, c, i: p["gan"] + 10 * p["cycle"] + 10 * i * p["identity"]
            ),
            "`cycle` has no influence: its default is written into your sum.",
        ),
        Mistake(
            "always the same share",
            _update_wrong(total=lambda p, c, i: p["gan"] + c * p["cycle"] + c / 2 * p["identity"]),
            "`identity` has no influence: its default is written into your sum.",
        ),
        Mistake(
            "both weights written in",
            _update_wrong(total=lambda p, c, i: p["gan"] + 10 * p["cycle"] + 5 * p["identity"]),
            "`cycle` and `identity` have no influence: their defaults are written into your sum.",
        ),
        Mistake(
            "identity weighs λ",
            _update_wrong(total=lambda p, c, i: p["gan"] + c * p["cycle"] + c * p["identity"]),
            "Change `identity`: your loss stays. The third loss weighs λ alone.",
        ),
        Mistake(
            "one identity",
            _update_wrong(identity=lambda g, f, d_x, d_y, x, y: _apart(g(y), y)),
            "Your identity loss has one part: generator_yx is free to change what is in X already.",
        ),
        Mistake(
            "real pictures judged",
            _update_wrong(
                gan=lambda g, f, d_x, d_y, x, y: (
                    (d_y(y) - 1).square().mean() + (d_x(x) - 1).square().mean()
                )
            ),
            "Your judges look at the real pictures: no generator hears of that verdict. They are "
            "to judge the fakes.",
        ),
        Mistake(
            "patches summed up",
            _update_wrong(gan=_verdicts(lambda scores: (scores - 1).square().sum())),
            "You add up the patches. Each verdict is a mean over all of them.",
        ),
        Mistake(
            "the loss after the step",
            _told_afterwards,
            "The step is right, but you compute the loss once more after it. Asked for is the loss "
            "that the step was made from.",
        ),
        Mistake(
            "identity without λ",
            _update_wrong(total=lambda p, c, i: p["gan"] + c * p["cycle"] + i * p["identity"]),
            "Your identity loss lacks the factor λ: it weighs `identity` alone. Against a cycle "
            "loss with weight λ it is not heard.",
        ),
        Mistake(
            "no identity loss",
            _update_wrong(total=lambda p, c, i: p["gan"] + c * p["cycle"]),
            "Change `identity`: your loss stays. The third loss is missing.",
        ),
        Mistake(
            "no cycle loss",
            _update_wrong(total=lambda p, c, i: p["gan"] + c * i * p["identity"]),
            "The way back is missing: a generator that makes the same good y of every x gets your "
            "lowest loss.",
        ),
        Mistake(
            "no verdicts",
            _update_wrong(total=lambda p, c, i: c * p["cycle"] + c * i * p["identity"]),
            "The judges are missing. Doing nothing has cycle loss 0 and identity loss 0: two "
            "generators that return what they get are perfect for you.",
        ),
        Mistake(
            "identity of its own pictures",
            _update_wrong(identity=lambda g, f, d_x, d_y, x, y: _apart(g(x), x) + _apart(f(y), y)),
            "Your identity loss forbids translation: it asks generator_xy to leave x as it is. It "
            "is what is in Y already that it should leave alone.",
        ),
        Mistake(
            "no way back",
            _update_wrong(cycle=lambda g, f, d_x, d_y, x, y: _apart(g(x), x) + _apart(f(y), y)),
            "In your cycle loss nobody comes back: you compare a fake with what it was made of.",
        ),
        Mistake(
            "the same road twice",
            _update_wrong(
                cycle=lambda g, f, d_x, d_y, x, y: _apart(g(g(x)), x) + _apart(f(f(y)), y)
            ),
            "In your cycle loss the same road is taken twice: of a horse a zebra, and of the zebra "
            "another zebra.",
        ),
        Mistake(
            "one way back",
            _update_wrong(cycle=lambda g, f, d_x, d_y, x, y: _apart(f(g(x)), x)),
            "y never has to come back: your cycle loss has one round trip, and there are two.",
        ),
        Mistake(
            "one verdict",
            _update_wrong(gan=lambda g, f, d_x, d_y, x, y: (d_y(g(x)) - 1).square().mean()),
            "Only fake_y is judged. generator_yx never hears whether its x look like X.",
        ),
        Mistake(
            "fakes cut off in the cycle",
            _update_wrong(
                cycle=lambda g, f, d_x, d_y, x, y: (
                    _apart(f(g(x).detach()), x) + _apart(g(f(y).detach()), y)
                )
            ),
            "The loss is right, but the first generator of each round trip is never told that the "
            "way back failed: its fake is detached.",
        ),
        Mistake(
            "fakes cut off from the judges",
            _update_wrong(
                gan=lambda g, f, d_x, d_y, x, y: (
                    (d_y(g(x).detach()) - 1).square().mean()
                    + (d_x(f(y).detach()) - 1).square().mean()
                )
            ),
            "The loss is right, but no generator hears of the verdicts: the fakes are detached. "
            "That belongs in D's update.",
        ),
        Mistake(
            "D's target",
            _update_wrong(gan=_verdicts(lambda scores: scores.square().mean())),
            "Your generators want what D wants: scores of 0 for fakes. They play against it.",
        ),
        Mistake(
            "log-loss",
            _update_wrong(gan=_verdicts(_to_one)),
            "That is pix2pix's verdict, −log sigmoid(score). CycleGAN takes (score − 1)², which is "
            "0 at a score of 1, and grows again beyond it.",
        ),
        Mistake(
            "a critic's verdict",
            _update_wrong(gan=_verdicts(lambda scores: -scores.mean())),
            "That is a critic's verdict, the score itself, and it has no end. CycleGAN takes "
            "(score − 1)².",
        ),
        Mistake(
            "squares in the cycle",
            _update_wrong(
                cycle=lambda g, f, d_x, d_y, x, y: (
                    (f(g(x)) - x).square().mean() + (g(f(y)) - y).square().mean()
                )
            ),
            "Your cycle loss squares the differences. It takes their absolute values.",
        ),
        Mistake(
            "one verdict for all patches",
            _update_wrong(gan=_verdicts(lambda scores: (scores.mean() - 1).square())),
            "You average the scores before you square. Patches of score 0 and 2 are both wrong, "
            "and their mean, 1, looks perfect. Every patch has its own verdict.",
        ),
        Mistake(
            "halved verdicts",
            _update_wrong(gan=_verdicts(lambda scores: (scores - 1).square().mean() / 2)),
            "You halve the verdicts. It is the discriminators' loss that is halved.",
        ),
        Mistake(
            "judges left frozen",
            _judges_left_frozen,
            "The generators are right, but the judges are left frozen: D's next update will not "
            "move them.",
        ),
        Mistake(
            "gradients of before",
            _update_wrong("backward", "step"),
            "The loss is right, and the weights go elsewhere: gradients of an update before are "
            "still there, and yours are added to them.",
        ),
        Mistake(
            "gradients cleared too late",
            _update_wrong("backward", "zero_grad", "step"),
            "Nothing moves, though a gradient came: it is cleared between `backward` and `step`.",
        ),
        Mistake(
            "no step",
            _update_wrong("zero_grad", "backward"),
            "Nothing moves. The gradients are there, and nobody takes the step.",
        ),
        Mistake(
            "no backward",
            _update_wrong("zero_grad", "step"),
            "Nothing moves: no gradient has come.",
        ),
    ),
    probes=(
        _round("2 pictures, λ = 10, identity ½", 2, 3, 4, 4, seed=0),
        _round(
            "one grey picture, λ = 2, identity ¼", 1, 1, 3, 5, seed=20, cycle=2.0, identity=0.25
        ),
        _round(
            "x of 3 pictures, y of 4, λ = 1, identity 1",
            *(3, 2, 2, 3),
            seed=40,
            more=1,
            cycle=1.0,
            identity=1.0,
        ),
        _round("2 other pictures, λ = 10, identity ½", 2, 3, 4, 4, seed=60),
        _round("2 pictures, λ = 0, identity ½", 2, 3, 3, 2, seed=80, cycle=0.0),
        _round("2 pictures, λ = 10, identity 0", 2, 3, 2, 3, seed=100, identity=0.0),
    ),
)


# --- linear_decay ---------------------------------------------------------------------------------


def _decayed(fall: Callable[[float, float, float], float]) -> Callable:
    return lambda epoch, constant, decay: 1 - min(max(fall(epoch, constant, decay), 0.0), 1.0)


def _jump(constant_at: Callable[[float, float], bool]) -> Callable:
    """1 at first, then a line that was drawn from epoch 0."""
    return lambda epoch, constant, decay: (
        1.0 if constant_at(epoch, constant) else max(1 - epoch / (constant + decay), 0.0)
    )


LINEAR_DECAY = Exercise(
    id="cyclegan.linear_decay",
    title="A learning rate that stays, then falls",
    reference=translation.linear_decay,
    hints=(
        "Draw it for constant = 100 and decay = 100: the factor over the epochs 0 to 250. Where "
        "are the two corners, and how high is the line there?",
        "How many epochs of the fall are over, epoch − constant, but not less than 0? As a share "
        "of decay, but not more than 1, that is what is lost.",
        "`1 - min(max(epoch - constant, 0) / decay, 1)`.",
    ),
    mistakes=(
        Mistake(
            "below zero",
            lambda epoch, constant, decay: 1 - max(epoch - constant, 0) / decay,
            "At epoch 250 of 100 + 100 your factor is {got}: the networks would climb where they "
            "should descend.",
            example(250, 100, 100, gives=-0.5),
        ),
        Mistake(
            "above one",
            lambda epoch, constant, decay: max(1 - (epoch - constant) / decay, 0),
            "At epoch 0 of 100 + 100 your factor is {got}: you fall from the first epoch on. It "
            "stays at 1 until epoch 100.",
            example(0, 100, 100, gives=2.0),
        ),
        Mistake(
            "one epoch late",
            _decayed(lambda epoch, constant, decay: (epoch - constant - 1) / decay),
            "One epoch late: at epoch 200 of 100 + 100 nothing should be left; with you {got} is.",
            example(200, 100, 100, gives=0.01),
        ),
        Mistake(
            "one epoch early",
            _decayed(lambda epoch, constant, decay: (epoch - constant + 1) / decay),
            "One epoch early: at epoch 100 of 100 + 100 the fall begins, and the factor is still "
            "{expected}; you say {got}.",
            example(100, 100, 100, gives=0.99),
        ),
        Mistake(
            "as in the authors' code",
            _decayed(lambda epoch, constant, decay: (epoch - constant + 1) / (decay + 1)),
            "So the authors' code counts, with decay + 1 steps from 1 to 0. Here the factor is "
            "still {expected} at epoch 100 of 100 + 100; you say {got}.",
            example(100, 100, 100, gives=0.990099),
        ),
        Mistake(
            "a share of all epochs",
            _decayed(lambda epoch, constant, decay: (epoch - constant) / (constant + decay)),
            "Your line falls too slowly: at epoch 200 of 100 + 100 nothing should be left; with "
            "you {got} is.",
            example(200, 100, 100, gives=0.5),
        ),
        Mistake(
            "from the start",
            _decayed(lambda epoch, constant, decay: epoch / (constant + decay)),
            "You fall from the first epoch on: at epoch 99 of 100 + 100 the factor should be "
            "{expected}, and you say {got}.",
            example(99, 100, 100, gives=0.505),
        ),
        Mistake(
            "constant ignored",
            _decayed(lambda epoch, constant, decay: epoch / decay),
            "You do not wait: at epoch 99 of 100 + 100 the factor should be {expected}, and you "
            "say {got}.",
            example(99, 100, 100, gives=0.01),
        ),
        Mistake(
            "all at once",
            lambda epoch, constant, decay: float(epoch < constant),
            "You switch off at epoch `constant`. From there it should take `decay` epochs to 0.",
        ),
        Mistake(
            "never",
            lambda epoch, constant, decay: 1.0,
            "Your factor never falls.",
        ),
        Mistake(
            "in whole steps",
            _decayed(lambda epoch, constant, decay: (epoch - constant) // decay),
            "You divide whole numbers: at epoch 150 of 100 + 100 the factor should be {expected}, "
            "and you say {got}.",
            example(150, 100, 100, gives=1.0),
        ),
        Mistake(
            "in whole steps, to 0",
            lambda epoch, constant, decay: (
                1.0 if epoch <= constant else float(max(constant + decay - epoch, 0) // decay)
            ),
            "You divide whole numbers: at epoch 150 of 100 + 100 the factor should be {expected}, "
            "and you say {got}.",
            example(150, 100, 100, gives=0.0),
        ),
        Mistake(
            "a rate",
            lambda epoch, constant, decay: 2e-4 * translation.linear_decay(epoch, constant, decay),
            "You return the learning rate itself. Asked for is what it is multiplied with: 1 at "
            "epoch 0.",
        ),
        Mistake(
            "what is lost",
            lambda epoch, constant, decay: 1 - translation.linear_decay(epoch, constant, decay),
            "You return what is lost: {got} at epoch 0 of 100 + 100, where the factor is "
            "{expected}.",
            example(0, 100, 100, gives=0.0),
        ),
        Mistake(
            "a jump",
            _jump(lambda epoch, constant: epoch <= constant),
            "Your factor jumps at epoch `constant`: the line is drawn from epoch 0. Half-way down, "
            "at epoch 150 of 100 + 100, {expected} is left; with you {got}.",
            example(150, 100, 100, gives=0.25),
        ),
        Mistake(
            "a jump, an epoch before",
            _jump(lambda epoch, constant: epoch < constant),
            "Your factor jumps at epoch `constant`: the line is drawn from epoch 0. There, at "
            "epoch 100 of 100 + 100, it is still {expected}; with you {got}.",
            example(100, 100, 100, gives=0.5),
        ),
        Mistake(
            "one step too many",
            lambda epoch, constant, decay: max(1 - max(epoch - constant, 0) / (decay + 1), 0.0),
            "Your line is one epoch too long: it reaches 0 at `constant + decay + 1`. At epoch 150 "
            "of 100 + 100 the factor is {expected}; you say {got:.3f}.",
            example(150, 100, 100, gives=0.50495),
        ),
        Mistake(
            "falls off at the end",
            lambda epoch, constant, decay: 1.0 if epoch < constant + decay else 0.0,
            "Your factor stays at 1 to the end, and is then 0 at once. At epoch 150 of 100 + 100 "
            "it is {expected}; you say {got}.",
            example(150, 100, 100, gives=1.0),
        ),
        Mistake(
            "a cosine",
            lambda epoch, constant, decay: (
                (1 + math.cos(math.pi * min(max((epoch - constant) / decay, 0.0), 1.0))) / 2
            ),
            "Your factor falls along a cosine; asked is a straight line. At epoch 125 of 100 + 100 "
            "it is {expected}; you say {got:.3f}.",
            example(125, 100, 100, gives=0.854),
        ),
        Mistake(
            "the end for its length",
            lambda epoch, constant, decay: (
                1.0
                if epoch <= constant
                else max(1 - (epoch - constant) / max(decay - constant, 1e-9), 0.0)
            ),
            "You take `decay` for the epoch of the end; it is how many epochs the fall lasts. At "
            "epoch 3 of 1 + 4 the factor is {expected}; you say {got:.2f}.",
            example(3, 1, 4, gives=0.333),
        ),
        Mistake(
            "whole epochs only",
            lambda epoch, constant, decay: translation.linear_decay(int(epoch), constant, decay),
            "You cut the epoch off to a whole number: half-way through epoch 2 of 1 + 3 the factor "
            "is {expected}; you say {got:.2f}.",
            example(2.5, 1, 3, gives=0.667),
        ),
        Mistake(
            "never 0",
            lambda epoch, constant, decay: max(
                translation.linear_decay(epoch, constant, decay), 0.01
            ),
            "Your factor never gets to 0. At epoch 200 of 100 + 100 it should be {expected}; you "
            "say {got}.",
            example(200, 100, 100, gives=0.01),
        ),
    ),
    probes=(
        *(
            call(f"epoch {e} of 100 + 100", e, 100, 100, atol=0)
            for e in (0, 99, 100, 101, 150, 200, 250)
        ),
        call("epoch 3 of 0 + 4", 3, 0, 4),
        call("half-way through epoch 2 of 1 + 3", 2.5, 1, 3),
        call("epoch 1,234 of 1,000 + 7,000", 1234, 1000, 7000, rtol=1e-6, atol=0),
    ),
)


# --- a bug, in this course's own words ------------------------------------------------------------


def pair_loss_with_the_bug(discriminator, x, target, fake):
    """pix2pix's discriminator; a slip that raises nothing where both pictures are in colour."""
    real_scores = discriminator(torch.cat([x, target]))
    fake_scores = discriminator(torch.cat([x, fake.detach()]))
    real_loss = F.binary_cross_entropy_with_logits(real_scores, torch.ones_like(real_scores))
    fake_loss = F.binary_cross_entropy_with_logits(fake_scores, torch.zeros_like(fake_scores))
    return (real_loss + fake_loss) / 2


def pair_loss(
    discriminator: Callable[[Tensor], Tensor],
    x: Float[Tensor, "B C H W"],
    target: Float[Tensor, "B D H W"],
    fake: Float[Tensor, "B D H W"],
) -> Float[Tensor, ""]:
    """What pix2pix's discriminator makes small: which of two pictures belongs to x?"""
    real_scores = discriminator(torch.cat([x, target], dim=1))
    fake_scores = discriminator(torch.cat([x, fake.detach()], dim=1))
    real_loss = F.binary_cross_entropy_with_logits(real_scores, torch.ones_like(real_scores))
    fake_loss = F.binary_cross_entropy_with_logits(fake_scores, torch.zeros_like(fake_scores))
    return (real_loss + fake_loss) / 2


def _pairs_wrong(real: Callable, fake: Callable, **targets: float) -> Callable:
    """real(x, target) and fake(x, fake) make what D sees."""

    def loss(scores: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    def wrong(d, x, y, made):
        yes, no = targets.get("yes", 1.0), targets.get("no", 0.0)
        return (loss(d(real(x, y)), yes) + loss(d(fake(x, made.detach())), no)) / 2

    return wrong


def _beside(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, y], dim=1)


def _alone(x: Tensor, y: Tensor) -> Tensor:
    return y


class _AnyChannels(nn.Module):
    """A judge that takes any number of channels, so that a slip shows in its scores only."""

    def __init__(self, seed: int):
        super().__init__()
        self.weight = nn.Parameter(normal(12, seed=seed))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight[: x.shape[1]].view(-1, 1, 1)
        beside = x.flip(1) + x.roll(1, 3)  # the other channel, the next pixel
        return (weight * x * (1 + beside)).sum(1, keepdim=True)[:, :, ::2]


def _pairs_judged(real: Callable, fake: Callable) -> Callable:
    """The right pairs; real(scores) and fake(scores) make the loss."""
    return lambda d, x, y, made: (real(d(_beside(x, y))) + fake(d(_beside(x, made.detach())))) / 2


def _with_probabilities(d, x, y, made):
    real, fake = (d(torch.cat([x, z], 1)).sigmoid() for z in (y, made.detach()))
    loss = F.binary_cross_entropy(real, torch.ones_like(real))
    return (loss + F.binary_cross_entropy(fake, torch.zeros_like(fake))) / 2


def _judged(label: str, *shape: int, seed: int, scale: float = 1.0) -> Probe:
    def observe(candidate: Callable) -> dict[str, Any]:
        d = _AnyChannels(seed)
        x, target, fake = (scale * normal(*shape, seed=seed + i) for i in (1, 2, 3))
        fake.requires_grad_()
        loss = candidate(d, x, target, fake * 1)
        seen = {"loss": loss}
        slopes = [torch.zeros_like(d.weight), torch.zeros_like(fake)]
        if isinstance(loss, Tensor) and loss.requires_grad:
            found = torch.autograd.grad(loss.sum(), [d.weight, fake], allow_unused=True)
            slopes = [zero if s is None else s for s, zero in zip(found, slopes, strict=True)]
        seen["gradient of the discriminator"], seen["gradient of fake"] = slopes
        return seen

    return Probe(label, observe)


BUG_PAIRS = Exercise(
    id="cyclegan.bug_pairs",
    title="Spot the bug: handsome pictures of somewhere else",
    reference=pair_loss,
    hints=(
        "Print the shape of what D gets, for a batch of 4 pictures in colour. How many pictures is "
        "it asked about, and how many does each verdict see?",
        "D should say of a map and a picture whether they belong together. For that a single "
        "window of its first convolution has to see both.",
        "`torch.cat` joins along the batch unless it is told otherwise. Map and picture belong "
        "beside each other as channels: `dim=1`, in both places.",
    ),
    mistakes=(
        Mistake(
            "still there",
            pair_loss_with_the_bug,
            "The bug is still there. 4 maps and 4 pictures make a batch of 8: D judges each by "
            "itself, finds every map real, then fake, and never sees a map with its picture.",
        ),
        Mistake(
            "the picture alone",
            _pairs_wrong(_alone, _alone),
            "Now D sees no map at all. It judges beauty, not whether it matches: any good picture "
            "of anywhere will do.",
        ),
        Mistake(
            "only the true pair mended",
            _pairs_wrong(_beside, lambda x, y: torch.cat([x, y])),
            "One of two places is mended: the fakes still stand behind the maps, in the batch.",
        ),
        Mistake(
            "only the fake pair mended",
            _pairs_wrong(lambda x, y: torch.cat([x, y]), _beside),
            "One of two places is mended: the targets still stand behind the maps, in the batch.",
        ),
        Mistake(
            "target beside fake",
            lambda d, x, y, made: _pairs_wrong(_beside, lambda _, m: torch.cat([y, m], 1))(
                d, x, y, made
            ),
            "Your fake pair is the fake beside its target. When D is used by G there is no target, "
            "only x.",
        ),
        Mistake(
            "the other way round",
            _pairs_wrong(lambda x, y: _beside(y, x), lambda x, y: _beside(y, x)),
            "Both are there, in the other order: D takes (x, picture), and G's step gives it so.",
        ),
        Mistake(
            "side by side",
            _pairs_wrong(lambda x, y: torch.cat([x, y], 3), lambda x, y: torch.cat([x, y], 3)),
            "You put map and picture side by side in one wide picture. A patch of 70 pixels sees "
            "one or the other, and hardly ever the same place in both.",
        ),
        Mistake(
            "added",
            _pairs_wrong(torch.add, torch.add),
            "You add map and picture. What is the map's and what the picture's cannot be told "
            "apart any more.",
        ),
        Mistake(
            "fake not cut off",
            lambda d, x, y, made: _pairs_wrong(_beside, lambda x, _: torch.cat([x, made], 1))(
                d, x, y, made
            ),
            "The pairs are mended, but a gradient now runs into the fake: D's loss would move G, "
            "towards worse pictures.",
        ),
        Mistake(
            "targets swapped",
            _pairs_wrong(_beside, _beside, yes=0.0, no=1.0),
            "The pairs are mended, but D now learns to say 1 to fakes and 0 to data.",
        ),
        Mistake(
            "least squares",
            _pairs_judged(lambda s: (s - 1).square().mean(), lambda s: s.square().mean()),
            "The pairs are mended, but that is CycleGAN's loss, least squares. Keep the log-loss.",
        ),
        Mistake(
            "sigmoid twice",
            _pairs_judged(
                lambda s: F.softplus(-s.sigmoid()).mean(), lambda s: F.softplus(s.sigmoid()).mean()
            ),
            "The pairs are mended, but the sigmoid is taken twice: D can never be sure.",
        ),
        Mistake(
            "logarithm of a probability",
            _pairs_judged(
                lambda s: -s.sigmoid().log().mean(), lambda s: -(1 - s.sigmoid()).log().mean()
            ),
            "The pairs are mended, but you take the logarithm of a probability. Where D is very "
            "sure, it rounds to 0, and the loss is infinite. Keep the scores.",
        ),
        Mistake(
            "true pairs alone",
            _pairs_judged(lambda s: F.softplus(-s).mean(), lambda s: 0 * s.sum()),
            "The fakes are missing from your loss: a D that calls everything true is perfect.",
        ),
        Mistake(
            "patches summed up",
            _pairs_judged(lambda s: F.softplus(-s).sum(), lambda s: F.softplus(s).sum()),
            "The pairs are mended, but you add up the patches. Keep the means.",
        ),
        Mistake(
            "log-loss of a probability",
            _with_probabilities,
            "The pairs are mended, but the loss begins from probabilities. Where D is very sure, "
            "they round to 0 or 1, and D learns nothing from its worst errors. Keep the scores.",
        ),
        Mistake(
            "not halved",
            lambda d, x, y, made: 2 * pair_loss(d, x, y, made),
            "The pairs are mended, and the ½ is gone: D's loss and all its slopes are twice the "
            "paper's.",
        ),
    ),
    probes=(
        _judged("4 maps and pictures in colour", 4, 3, 4, 4, seed=0),
        _judged("one grey map and picture", 1, 1, 4, 6, seed=10),
        _judged(
            "2 maps and pictures of strong colours, scores of ±200", 2, 3, 2, 3, seed=20, scale=9.0
        ),
    ),
)


EXERCISES = (
    CONDITION_ON_CLASS,
    PATCH_OUTPUT_SIZE,
    PATCH_RECEPTIVE_FIELD,
    PIX2PIX_LOSS,
    CYCLE_LOSS,
    IDENTITY_LOSS,
    IMAGE_BUFFER,
    GENERATOR_UPDATE,
    LINEAR_DECAY,
    BUG_PAIRS,
)

QUESTIONS = (
    Question(
        "cyclegan.verdicts",
        "A PatchGAN with three layers that halve looks at a picture of 256 × 256 pixels. How many "
        "verdicts does it give, all in all?",
        None,
        900,
    ),
    Question(
        "cyclegan.right_class",
        "A conditional GAN is asked for each class of Fashion-MNIST, and an independent classifier "
        "names what it drew. In what share of the pictures is it the class that was asked for?",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "cyclegan.grey",
        "The same line drawing belongs to people in many colours. A network learns to colour it by "
        "L1 alone, and does so as well as can be. What colour does it give?",
        {
            "one of the colours, at random": "L1 has no chance in it. For one drawing there is one "
            "answer, and it is the one with the smallest distance on average.",
            "the middle of all colours": "The smallest mean distance to many values has their "
            "median, channel by channel: one colour between all of them, for everybody.",
            "the most frequent colour": "Only if more than half of all people wear it. Else the "
            "median of each channel lies somewhere between.",
        },
        "the middle of all colours",
    ),
    Question(
        "cyclegan.saturation",
        "How colourful are the pictures of L1 alone, as a share of the true pictures? (The largest "
        "channel minus the smallest, averaged over the whole picture.)",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "cyclegan.best_psnr",
        "Map to satellite picture, on regions never seen: L1 alone, the GAN alone, both together. "
        "Which has the best PSNR?",
        {
            "L1 alone": "PSNR is computed from a mean squared error, and L1 is closely related: a "
            "network trained for small errors has small errors. Look at the pictures, and at the "
            "Fréchet distance.",
            "the GAN alone": "It draws texture that looks right and is in the wrong place. Such "
            "texture costs twice: where it is, and where it should be.",
            "both": "The GAN's texture costs errors: it commits to details that the map does not "
            "tell.",
        },
        None,  # measured in the lecture
    ),
    Question(
        "cyclegan.doing_nothing",
        "Both generators return what they are given. How large is the cycle loss?",
        None,
        0,
    ),
    Question(
        "cyclegan.glasses",
        "Trained without a single pair: of the faces that got glasses, on people never seen, what "
        "share does an independent classifier say to wear glasses?",
        None,
        None,  # measured in the lecture
    ),
    Question(
        "cyclegan.baseline",
        "Flat emoji to 3D emoji. What is the mean absolute error, in [0, 1], of a translation that "
        "returns its input?",
        None,
        0.060,
    ),
    Question(
        "cyclegan.without_lambda",
        "λ = 0: the judges alone are left. What do the translated faces look like?",
        {
            "nothing is translated": "The judge of Y would see at once that there are no glasses.",
            "good faces with glasses, of somebody else": "The judge asks for a face with glasses, "
            "and never whose. Nothing ties the answer to the question.",
            "noise": "The judge knows what a face is, and that much it still demands.",
        },
        "good faces with glasses, of somebody else",
    ),
    Question(
        "cyclegan.hidden",
        "Glasses are taken off and put on again, and the same glasses come back. Now noise of ±4 "
        "of 255 grey levels, which no eye sees, is added in between. What happens to the "
        "return trip?",
        {
            "nothing": "Then the signal that the return trip uses is stronger than the noise, or "
            "there is no signal. The control tells which.",
            "its error grows by the noise, not more": "Then the noise is passed on as it is, and "
            "no more is lost than that.",
            "its error grows many times": "Then what the picture does not show is hidden in it, "
            "in a signal weaker than the noise. That is what was found on maps.",
        },
        None,  # measured in the lecture
    ),
    Question(
        "cyclegan.waiting",
        "A full buffer of 50 pictures gets one picture a step. How many steps does a fake spend in "
        "it, on average, once it is kept?",
        None,
        100,
    ),
)

"""Exercises of lecture 12: Boltzmann machines, codebooks, tokens, sentences and pictures."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.attention import cross_attention
from course_lib.boltzmann import cd_gradient
from course_lib.codebooks import codebook_loss, nearest_code, perplexity, straight_through
from course_lib.contrastive import contrastive_loss
from course_lib.exercises.engine import Exercise, Mistake, Probe, Question, call, example
from course_lib.exercises.probing import normal, uniform
from course_lib.text_to_image import matching_loss
from course_lib.tokens import keep_surest, masked_input, next_token_loss, nucleus

T = torch.tensor


# --- cd_gradient ----------------------------------------------------------------------------------


def _cd(
    sign=1,
    draw_h=True,
    draw_v=True,
    mean=True,
    draw_first=False,
    draw_last=False,
    old=False,
    bias=True,
    flipped=False,
) -> Callable:
    def change(v, W, b, c, u_h, u_v):
        c = c if bias else 0 * c
        p = (v @ W + c).sigmoid()
        below = torch.gt if flipped else torch.lt
        h = below(u_h, p).float() if draw_h else p
        again = (h @ W.T + b).sigmoid()
        again = below(u_v, again).float() if draw_v else again
        q = (again @ W + c).sigmoid()
        last = (u_h < q).float() if draw_last else q
        first, beside = h if draw_first else p, h if old else last
        n = sign * (len(v) if mean else 1)
        moves = v.T @ first - again.T @ beside, (v - again).sum(0), (first - last).sum(0)
        return tuple(move / n for move in moves)

    return change


_CD = (
    T([[1.0, 0]]),
    T([[2.0, -1], [0, 1]]),
    T([0, 0.5]),
    T([-0.5, 0]),
    T([[0.6, 0.6]]),
    T([[0.7, 0.5]]),
)
_CD_MANY = (
    (uniform(8, 4, seed=1) < 0.5).float(),
    3 * normal(4, 3, seed=2),
    normal(4, seed=3),
    normal(3, seed=4),
    uniform(8, 3, seed=5),
    uniform(8, 4, seed=6),
)
_CD_WIDE = (
    (uniform(3, 2, seed=7) < 0.5).float(),
    normal(2, 5, seed=8),
    normal(2, seed=9),
    normal(5, seed=10),
    uniform(3, 5, seed=11),
    uniform(3, 2, seed=12),
)
_CD_ZERO = T([[0.0]]), T([0.0]), T([0.0])
_CD_BIASED = (
    T([[1.0, 0, 1], [0, 0, 1]]),
    0.5 * normal(3, 2, seed=13),
    T([-2.5, 2.0, -0.8]),
    T([-1.5, 1.4]),
    T([[0.5, 0.5], [0.2, 0.9]]),
    T([[0.2, 0.8, 0.4], [0.05, 0.8, 0.2]]),
)
_CD_TIE = T([[0.0]]), T([[4.0]]), T([0.0]), T([0.0]), T([[0.5]]), T([[0.9]])
_CD_STRONG = T([[0.0]]), T([[0.0]]), T([3.0]), T([0.0]), T([[0.7]]), T([[0.9]])
_CD_ONE = T([[1.0]]), T([[0.0]]), T([9.0]), T([9.0]), T([[0.5]]), T([[0.5]])

CD_GRADIENT = Exercise(
    id="words.cd_gradient",
    title="One step of contrastive divergence",
    reference=cd_gradient,
    hints=(
        "A machine learns from the difference between what it sees and what it dreams. What does "
        "it see of W at the data, and what one step away from them? Four lines: up, down, up, and "
        "the differences.",
        "Going up, each hidden unit has the probability sigmoid(v W + c), and it is on where its "
        "number u lies below that. Going down the same with Wᵀ and b. At both ends the "
        "probabilities themselves enter ΔW and Δc: drawing them would only add noise.",
        "`p = (v @ W + c).sigmoid()`, `h = (u_h < p).float()`, `again = (u_v < (h @ W.T + b)"
        ".sigmoid()).float()`, and q from `again` as p from v. Then ΔW is "
        "`(v.T @ p - again.T @ q) / len(v)`, and Δb and Δc are the means of v − again and p − q.",
    ),
    mistakes=(
        Mistake(
            "downhill",
            _cd(sign=-1),
            "The data are subtracted and the reconstruction is added: this change makes the data "
            "less likely, not more.",
        ),
        Mistake(
            "hidden units not drawn",
            _cd(draw_h=False),
            "Your reconstruction is made from probabilities. What does a hidden unit send down, a "
            "number between 0 and 1 or a decision? With other numbers u_h nothing changes.",
        ),
        Mistake(
            "visible units not drawn",
            _cd(draw_v=False),
            "Your reconstruction holds shades. Of two visible units, data 1 and 0, Δb should be "
            "{expected}, differences of zeros and ones; you say {got}: `u_v` was never asked.",
            example(*_CD, pick=lambda r: r[1][1], gives=-0.6225),
        ),
        Mistake(
            "last hidden units drawn",
            _cd(draw_last=True),
            "The last hidden layer is drawn at random. Nothing is made from it any more, so its "
            "draws bring noise into the gradient and no information.",
        ),
        Mistake(
            "first hidden units drawn",
            _cd(draw_first=True),
            "What the data say depends on the draws `u_h`. It should be what they say on average: "
            "the draws are only for the way down.",
        ),
        Mistake(
            "old hidden units",
            _cd(old=True),
            "In ΔW the reconstruction stands beside the hidden units that it was made from. Which "
            "hidden units does the reconstruction itself call for?",
        ),
        Mistake(
            "summed over the batch",
            _cd(mean=False),
            "Twice as many images give twice the change, and so twice the learning rate.",
        ),
        Mistake(
            "hidden bias forgotten",
            _cd(bias=False),
            "With another c nothing in your result changes: a hidden unit's own bias has a say in "
            "whether it is on.",
        ),
        Mistake(
            "on above the probability",
            _cd(flipped=True),
            "Your units are on where the number is above the probability: a unit that is on with "
            "probability 0.9 is on in one case of ten.",
        ),
    ),
    probes=(
        call("one image, two units on either side", *_CD),
        call("eight images, four and three units", *_CD_MANY),
        call("three images, two and five units", *_CD_WIDE),
        call("one unit on either side, both all but certain", *_CD_ONE),
        call("u as large as the probability", *(T([[1.0]]), *_CD_ZERO, T([[0.5]]), T([[0.5]]))),
        call("biases far from 0", *_CD_BIASED),
        call("u_h as large as the probability, and a unit that would tell", *_CD_TIE),
        call("a bias that decides", *_CD_STRONG),
    ),
)


# --- nearest_code ---------------------------------------------------------------------------------


def _places(z: Tensor) -> Tensor:
    return z.permute(0, 2, 3, 1)


def _apart(z: Tensor, book: Tensor) -> Tensor:
    return (_places(z)[..., None, :] - book).square().sum(-1)


def _unmoved(z: Tensor, book: Tensor) -> Tensor:
    rows = z.reshape(-1, z.shape[1])
    return torch.cdist(rows, book).argmin(1).view(len(z), *z.shape[2:])


_BOOK = normal(6, 2, seed=21) * T([0.6, 1.0, 1.4, 0.3, 1.0, 2.5])[:, None]
_MAP = 1.2 * normal(1, 2, 2, 3, seed=22)
_TWO = T([[[[0.4, 2.2]], [[0.2, 0.4]]]]), T([[0.0, 0], [1, 1], [3, 0]])

NEAREST_CODE = Exercise(
    id="words.nearest_code",
    title="The nearest code of each place",
    reference=nearest_code,
    hints=(
        "A map z (B, D, H, W) is B · H · W vectors of D numbers. Along which axis do the D numbers "
        "of one place lie, and where must they lie to be compared with a row of the codebook?",
        "‖z − e‖² = ‖z‖² − 2 z·e + ‖e‖², or simply the sum of squared differences. You need one "
        "distance for each place and each code, (B, H, W, K), and of each place the smallest.",
        "`places = z.permute(0, 2, 3, 1)` puts the D numbers last. `places[..., None, :] - book` "
        "is (B, H, W, K, D); square, sum over the last axis, `argmin(-1)`.",
    ),
    mistakes=(
        Mistake(
            "channels not moved",
            _unmoved,
            "Each of your vectors is made of numbers of several places. In memory the D numbers of "
            "one place do not lie side by side: reshape does not bring them together.",
        ),
        Mistake(
            "largest product",
            lambda z, book: (_places(z) @ book.T).argmax(-1),
            "Long codes win wherever they lie: a code twice as long has twice the product. z = "
            "(0.4, 0.2) lies nearest to (0, 0); you say code {got}.",
            example(*_TWO, pick=lambda r: r[0, 0, 0], gives=2),
        ),
        Mistake(
            "largest cosine",
            lambda z, book: (F.normalize(_places(z), dim=-1) @ F.normalize(book, dim=1).T).argmax(
                -1
            ),
            "You compare directions. Two vectors on one ray count as equal, at a distance of 100.",
        ),
        Mistake(
            "farthest",
            lambda z, book: _apart(z, book).argmax(-1),
            "Each place got the code that is farthest away: z = (0.4, 0.2) lies at squared "
            "distances 0.2, 1 and 6.8, and you say code {got}.",
            example(*_TWO, pick=lambda r: r[0, 0, 0], gives=2),
        ),
        Mistake(
            "a 2 forgotten",
            lambda z, book: (book.square().sum(1) - _places(z) @ book.T).argmin(-1),
            "Your distances are no distances. Compare one of them with a sum of squared "
            "differences by hand: z = (2.2, 0.4) and (3, 0) lie 0.8 apart.",
        ),
        Mistake(
            "absolute values",
            lambda z, book: (_places(z)[..., None, :] - book).abs().sum(-1).argmin(-1),
            "Right for most places. But a sum of absolute differences is another distance, in "
            "which a corner is farther away than a side.",
        ),
        Mistake(
            "turned",
            lambda z, book: (
                _apart(z.transpose(2, 3), book).argmin(-1).reshape(len(z), *z.shape[2:])
            ),
            "Height and width are exchanged: the tokens are right, and lie in another order.",
        ),
        Mistake(
            "codes, not numbers",
            lambda z, book: book[_apart(z, book).argmin(-1)].permute(0, 3, 1, 2),
            "You return the codes themselves, (B, D, H, W). A token is a whole number: which row "
            "of the codebook.",
        ),
        Mistake(
            "the last of equals",
            lambda z, book: len(book) - 1 - _apart(z, book).flip(-1).argmin(-1),
            "Of two equally near codes you take the last; asked is the first, as argmin does.",
        ),
    ),
    probes=(
        call("two places, three codes", *_TWO),
        call("a map of 2 × 3, six codes", _MAP, _BOOK),
        call("two maps of 4 × 1, 3 channels", normal(2, 3, 4, 1, seed=23), normal(9, 3, seed=24)),
        call("two equal codes", torch.ones(1, 1, 1, 2), torch.zeros(2, 1)),
        call("three maps of one place", normal(3, 2, 1, 1, seed=27), _BOOK),
        call("a map of 2 × 3 again", 1.2 * normal(1, 2, 2, 3, seed=28), _BOOK),
        call("one code", normal(2, 2, 2, 2, seed=25), normal(1, 2, seed=26)),
    ),
)


# --- straight_through -----------------------------------------------------------------------------


def _both(z: Tensor, q: Tensor) -> Tensor:
    return q + z - z.detach()


_ZQ = T([[1.0, 2.0]]), T([[3.0, 1.5]])

STRAIGHT_THROUGH = Exercise(
    id="words.straight_through",
    title="Through the rounding as if it were not there",
    reference=straight_through,
    hints=(
        "Forwards the decoder must see q. Backwards its gradient must reach z, as if z itself had "
        "been handed on. Which sum of z and a constant has the value q?",
        "A tensor that is detached counts as a constant: its value stays, and no gradient goes "
        "through. Write q as z plus something, and decide what of it is the constant.",
        "q = z + (q − z). Detach the difference: its value leads from z to q, and the gradient "
        "goes through the z before it.",
    ),
    mistakes=(
        Mistake(
            "q itself",
            lambda z, q: z + (q - z),
            "The value is right, but the gradient goes to q. Nothing reaches the encoder: z gets "
            "no gradient at all.",
        ),
        Mistake(
            "nothing gets through",
            lambda z, q: z.detach() + (q - z).detach() + 0 * z,
            "The value is right, and no gradient goes anywhere: you held back both parts.",
        ),
        Mistake(
            "the wrong side held back",
            lambda z, q: q + (z - q).detach(),
            "Your value is {got}, what the encoder said; the decoder should see the code, "
            "{expected}.",
            example(*_ZQ, pick=lambda r: r[0, 0], gives=1.0),
        ),
        Mistake(
            "both learn",
            _both,
            "The value is right, and z gets its gradient, but q gets it too. The codebook is moved "
            "by a loss of its own, not by the reconstruction.",
        ),
        Mistake(
            "not rounded",
            lambda z, q: z + 0 * q.detach(),
            "You return z: nothing was rounded. With z = 1 and q = 3 you say {got}.",
            example(*_ZQ, pick=lambda r: r[0, 0], gives=1.0),
        ),
        Mistake(
            "sign",
            lambda z, q: z + (z - q).detach(),
            "Put numbers in: z = 1 and q = 3 give you {got}. You went as far in the other "
            "direction.",
            example(*_ZQ, pick=lambda r: r[0, 0], gives=-1.0),
        ),
    ),
    probes=(
        call("two numbers", *_ZQ, grad=[0, 1]),
        call("maps", normal(2, 3, 2, 2, seed=31), normal(2, 3, 2, 2, seed=32), grad=[0, 1]),
        call("equal", torch.ones(3), torch.ones(3), grad=[0, 1]),
    ),
)


# --- codebook_loss --------------------------------------------------------------------------------


_Z, _Q = T([[0.4, 0.2], [2.2, 0.4]]), T([[0.0, 0], [3, 0]])


def _through(z: Tensor, q: Tensor, beta: float) -> Tensor:
    return codebook_loss(z, z + (q - z).detach(), beta)


CODEBOOK_LOSS = Exercise(
    id="words.codebook_loss",
    title="What moves the codes, and what the encoder",
    reference=codebook_loss,
    hints=(
        "Codes and encoder are to meet, but not at the same speed. Two terms of the same value, "
        "‖z − q‖²: in one only q may move, in the other only z. Which of them is slowed by beta?",
        "A detached tensor is a constant. (q − sg z)² moves only q, (z − sg q)² only z; the second "
        "is the commitment of the encoder, and it is weighed by beta. Both are means over all "
        "numbers.",
        "`(q - z.detach()).square().mean() + beta * (z - q.detach()).square().mean()`.",
    ),
    mistakes=(
        Mistake(
            "beta on the codes",
            lambda z, q, beta: codebook_loss(q, z, beta),
            "The value agrees, for both terms have the same. Look at who moves: the one that beta "
            "slows should be the encoder, and you slow the codes. (VQGAN's published code did.)",
        ),
        Mistake(
            "nothing held back",
            lambda z, q, beta: (1 + beta) * (q - z).square().mean(),
            "The value is right, and both sides get the gradient of both terms: 1 + beta times "
            "their own. Each term should move one side only.",
        ),
        Mistake(
            "after the straight-through",
            _through,
            "The value is right, but the codes get no gradient at all, although the loss falls: "
            "after the straight-through estimator q is a constant for the loss.",
        ),
        Mistake(
            "codes only",
            lambda z, q, beta: (q - z.detach()).square().mean() + 0 * z.sum(),
            "A part is missing: the encoder never commits to a code and may run away from all.",
        ),
        Mistake(
            "commitment only",
            lambda z, q, beta: beta * (z - q.detach()).square().mean() + 0 * q.sum(),
            "A part is missing: nothing moves the codes.",
        ),
        Mistake(
            "one side held back twice",
            lambda z, q, beta: (1 + beta) * (q - z.detach()).square().mean() + 0 * z.sum(),
            "The value is right, but both terms hold the encoder back: it gets no gradient.",
        ),
        Mistake(
            "summed",
            lambda z, q, beta: codebook_loss(z, q, beta) * z.numel(),
            "You add up where a mean is asked for: with a map twice as large your loss doubles. "
            "Four numbers give you {got}, and should give {expected}.",
            example(_Z, _Q, 0.5, gives=1.5),
        ),
        Mistake(
            "distance, not squared",
            lambda z, q, beta: (
                (q - z.detach()).norm(dim=-1).mean() + beta * (z - q.detach()).norm(dim=-1).mean()
            ),
            "You take distances, not their squares: {got} in place of {expected}.",
            example(_Z, _Q, 0.5, gives=1.006),
        ),
        Mistake(
            "beta is always ¼",
            lambda z, q, beta: codebook_loss(z, q, 0.25),
            "With another beta nothing changes.",
        ),
    ),
    probes=(
        call("two codes, beta ½", _Z, _Q, 0.5, grad=[0, 1]),
        call(
            "maps, beta ¼",
            normal(2, 3, 2, 2, seed=41),
            normal(2, 3, 2, 2, seed=42),
            0.25,
            grad=[0, 1],
        ),
        call("beta 0", normal(3, 2, seed=43), normal(3, 2, seed=44), 0.0, grad=[0, 1]),
        call("beta 2", normal(5, seed=45), normal(5, seed=46), 2.0, grad=[0, 1]),
        call("one row", normal(1, 3, seed=47), normal(1, 3, seed=48), 1.0, grad=[0, 1]),
    ),
)


# --- perplexity -----------------------------------------------------------------------------------


def _shares(tokens: Tensor, codes: int) -> Tensor:
    return torch.bincount(tokens.flatten(), minlength=codes) / tokens.numel()


def _entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum()


_TOKENS = T([[0, 0, 1, 2], [0, 0, 1, 3]])

PERPLEXITY = Exercise(
    id="words.perplexity",
    title="How many codes are used",
    reference=perplexity,
    hints=(
        "If all K codes are used alike the answer should be K, and 1 if only one is used. A code "
        "that is used once should count less than one that is used a thousand times. Which number "
        "tells how spread out a distribution is?",
        "The entropy −Σ p log p of the shares p is log K where all are used alike. What makes K "
        "of log K? And what is 0 · log 0 to you, where a code is not used?",
        "`torch.bincount(tokens.flatten(), minlength=codes)` counts. Divide by the number of "
        "tokens, leave out the zeros, and take exp of −Σ p log p.",
    ),
    mistakes=(
        Mistake(
            "entropy",
            lambda tokens, codes: _entropy(_shares(tokens, codes)),
            "This is the entropy in nats, {got:.3f}. How many codes is that?",
            example(_TOKENS, 5, gives=1.213),
        ),
        Mistake(
            "two bases",
            lambda tokens, codes: (_entropy(_shares(tokens, codes)) / math.log(2)).exp(),
            "You took logarithms to the base 2 and powers of e: of 4 codes that occur you say that "
            "{got:.2f} are used.",
            example(_TOKENS, 5, gives=5.755),
        ),
        Mistake(
            "number of codes seen",
            lambda tokens, codes: tokens.unique().numel() + 0 * _shares(tokens, codes).sum(),
            "A code that is used once counts as much for you as one that is used a thousand times.",
        ),
        Mistake(
            "nan",
            lambda tokens, codes: (lambda p: (-(p * p.log()).sum()).exp())(_shares(tokens, codes)),
            "A code that is never used gives 0 · log 0, which is nan in floating-point numbers.",
        ),
        Mistake(
            "each image by itself",
            lambda tokens, codes: torch.stack(
                [_entropy(_shares(row, codes)).exp() for row in tokens.reshape(len(tokens), -1)]
            ).mean(),
            "You asked each image by itself and took the mean, {got:.3f}. One image uses few "
            "codes; the question is how many all of them use.",
            example(_TOKENS, 5, gives=2.828),
        ),
        Mistake(
            "divided by the number of codes",
            lambda tokens, codes: perplexity(tokens, codes) / codes,
            "You say {got:.3f}: a share of the codebook. Asked is a number of codes.",
            example(_TOKENS, 5, gives=0.673),
        ),
        Mistake(
            "bits",
            lambda tokens, codes: _entropy(_shares(tokens, codes)) / math.log(2),
            "This is the entropy in bits, {got:.2f}. How many codes is that?",
            example(_TOKENS, 5, gives=1.75),
        ),
        Mistake(
            "sign",
            lambda tokens, codes: (-_entropy(_shares(tokens, codes))).exp(),
            "You say {got:.3f}, below 1: fewer than one code?",
            example(_TOKENS, 5, gives=0.297),
        ),
    ),
    probes=(
        call("eight tokens, four of five codes", _TOKENS, 5),
        call("one row", T([[1, 2, 2]]), 4),
        call("eight other tokens", T([[0, 0, 0, 2], [3, 3, 3, 3]]), 5),
        call("one code only", torch.zeros(2, 3, dtype=torch.int64), 7),
        call("all alike", torch.arange(6).view(1, 2, 3), 6),
        call("maps of 4 × 4", (9 * uniform(3, 4, 4, seed=51)).long(), 16),
    ),
    allows=("number",),
)


# --- contrastive_loss -----------------------------------------------------------------------------


def _contrast(unit=True, axis=1, both=True, half=True, divided=False, exp=False) -> Callable:
    def loss(pictures, sentences, scale):
        a, b = ((F.normalize(x, dim=axis) if unit else x) for x in (pictures, sentences))
        factor = 1 / scale if divided else math.exp(scale) if exp else scale
        logits, right = factor * a @ b.T, torch.arange(len(a))
        total = F.cross_entropy(logits, right)
        total = total + F.cross_entropy(logits.T, right) if both else total
        return total / 2 if both and half else total

    return loss


def _views(pictures: Tensor, sentences: Tensor, scale: float) -> Tensor:
    a, b = F.normalize(pictures, dim=1), F.normalize(sentences, dim=1)
    right = torch.arange(len(a))
    losses = [F.cross_entropy(scale * x @ x.T, right) for x in (a, b)]
    return sum(losses) / 2


def _pairs(pictures: Tensor, sentences: Tensor, scale: float) -> Tensor:
    return -scale * F.cosine_similarity(pictures, sentences).mean()


_A, _B = T([[1.0, 0], [0, 1], [1, 1]]), T([[2.0, 1], [0, 3], [1, 0]])

CONTRASTIVE_LOSS = Exercise(
    id="words.contrastive_loss",
    title="Which sentence belongs to which picture",
    reference=contrastive_loss,
    hints=(
        "Make a table: row i is picture i, column j sentence j, and in the cell stands how alike "
        "they are. Where in this table are the right answers? It is a classification with as many "
        "classes as there are pairs.",
        "How alike: the cosine, the product of two vectors of length 1 each, times the scale. Row "
        "i should choose column i, and column j row j: two cross-entropies, and their mean.",
        "`logits = scale * F.normalize(pictures, dim=1) @ F.normalize(sentences, dim=1).T`; the "
        "right class of row i is i, `torch.arange(B)`. `F.cross_entropy` of logits and of "
        "`logits.T`, halved.",
    ),
    mistakes=(
        Mistake(
            "not normalised",
            _contrast(unit=False),
            "Vectors twice as long give you another loss: {got:.3f} in place of {expected:.3f}. "
            "Only their directions should count.",
            example(_A, _B, 5.0, gives=2.849),
        ),
        Mistake(
            "one direction",
            _contrast(both=False),
            "Each picture looks for its sentence. Does each sentence look for its picture, too? "
            "Exchange the two arguments: your loss changes.",
        ),
        Mistake(
            "summed",
            _contrast(half=False),
            "You add up the two directions, {got:.3f}; asked is their mean.",
            example(_A, _B, 5.0, gives=1.838),
        ),
        Mistake(
            "divided by the scale",
            _contrast(divided=True),
            "The larger your scale, the less sure the choice. Scale is what cosines are multiplied "
            "with; a temperature would divide them.",
        ),
        Mistake(
            "scale through exp",
            _contrast(exp=True),
            "With scale 5 your loss is {got:.2f}: you multiply by e⁵. Here `scale` is already the "
            "factor, not its logarithm.",
            example(_A, _B, 5.0, gives=17.17),
        ),
        Mistake(
            "normalised over the batch",
            _contrast(axis=0),
            "You gave length 1 to the columns. Each vector should have it, by itself: leave out a "
            "pair, and what the others say of each other changes.",
        ),
        Mistake(
            "pairs only",
            _pairs,
            "Pairs are drawn together and nothing is pushed apart: with all vectors equal your "
            "loss would be the best there is, and they would say nothing.",
        ),
        Mistake(
            "among themselves",
            _views,
            "You compare pictures with pictures and sentences with sentences. Which two should be "
            "compared?",
        ),
    ),
    probes=(
        call("three pairs in the plane", _A, _B, 5.0, grad=[0, 1]),
        call("all equal", torch.ones(4, 3), torch.ones(4, 3), 9.0),
        call("one pair", normal(1, 4, seed=61), normal(1, 4, seed=62), 3.0),
        call("three other pairs", normal(3, 2, seed=65), 4 * normal(3, 2, seed=66), 2.0),
        call("six pairs", 3 * normal(6, 5, seed=63), normal(6, 5, seed=64), 14.3, grad=[0, 1]),
        call("three pairs, the scale a tensor that is learned", _A, _B, T(5.0), grad=[2]),
    ),
)


# --- matching_loss --------------------------------------------------------------------------------


def _matching(halves=True, thirds=False, third=True, wrong=1, sign=1, sigmoid=False) -> Callable:
    def loss(real_right, fake_right, real_wrong):
        scores = (real_right, fake_right, real_wrong)
        a, b, c = (s.sigmoid() if sigmoid else s for s in scores)
        parts = [F.softplus(s).mean() for s in (-sign * a, sign * b, sign * wrong * c)]
        parts[2] = parts[2] if third else 0 * parts[2]
        if thirds:
            return sum(parts) / 3
        return parts[0] + (parts[1] + parts[2]) / (2 if halves and third else 1)

    return loss


def _logs(real_right: Tensor, fake_right: Tensor, real_wrong: Tensor) -> Tensor:
    wrong = sum(-(1 - s.sigmoid()).log().mean() for s in (fake_right, real_wrong))
    return -real_right.sigmoid().log().mean() + wrong / 2


def _exponentials(real_right: Tensor, fake_right: Tensor, real_wrong: Tensor) -> Tensor:
    wrong = sum(s.exp().log1p().mean() for s in (fake_right, real_wrong))
    return (-real_right).exp().log1p().mean() + wrong / 2


_SCORES = T([2.0, 1]), T([-1.0, 0.5]), T([0.5, -2])

MATCHING_LOSS = Exercise(
    id="words.matching_loss",
    title="A discriminator that reads",
    reference=matching_loss,
    hints=(
        "A picture can be wrong in two ways: it is not real, or it is real and shows something "
        "else than the sentence says. To which of the three scores should D say yes?",
        "Each score s is a logit: −log sigmoid(s) = softplus(−s) where the answer should be yes, "
        "softplus(s) where it should be no. Right and wrong should weigh the same, so each of the "
        "two kinds of wrong weighs half.",
        "`F.softplus(-real_right).mean() + (F.softplus(fake_right).mean() + "
        "F.softplus(real_wrong).mean()) / 2`.",
    ),
    mistakes=(
        Mistake(
            "wrong pairs called right",
            _matching(wrong=-1),
            "A real picture with a sentence that does not fit it: should D be pleased? Yours is "
            "rewarded for a high score there.",
        ),
        Mistake(
            "wrong pairs left out",
            _matching(third=False),
            "`real_wrong` has no influence. A D that never looks at the sentence is then as good "
            "as any: who would tell G to read?",
        ),
        Mistake(
            "not halved",
            _matching(halves=False),
            "You say {got:.3f}: the two kinds of wrong weigh twice as much as right.",
            example(*_SCORES, gives=1.414),
        ),
        Mistake(
            "thirds",
            _matching(thirds=True),
            "You say {got:.3f}, a third each: so wrong weighs twice as much as right.",
            example(*_SCORES, gives=0.471),
        ),
        Mistake(
            "signs",
            _matching(sign=-1),
            "This D calls real pictures with their own sentence wrong, and all others right.",
        ),
        Mistake(
            "sigmoid first",
            _matching(sigmoid=True),
            "The scores are logits; you put them through a sigmoid and then take the log-loss, "
            "which holds another one. A perfect D would still pay 1.01.",
        ),
        Mistake(
            "summed over the batch",
            lambda a, b, c: len(a) * matching_loss(a, b, c),
            "Twice as many pictures give twice the loss: {got:.3f} of two pairs.",
            example(*_SCORES, gives=1.634),
        ),
        Mistake(
            "logarithm of a sigmoid",
            _logs,
            "The formula is right, but sigmoid(-90) and 1 - sigmoid(50) are 0 in float32, and the "
            "logarithm of 0 is −∞. Which function of the logit is the logarithm of its sigmoid?",
        ),
        Mistake(
            "halved once more",
            lambda a, b, c: matching_loss(a, b, c) / 2,
            "Half of what the formula gives: {got:.3f} in place of {expected:.3f}. The right pairs "
            "have the weight 1, the two kinds of wrong ones ½ each.",
            example(*_SCORES, gives=0.4085),
        ),
        Mistake(
            "G's loss",
            lambda a, b, c: F.softplus(-b).mean() + 0 * (a + c).sum(),
            "That is what the generator minimises: it wants D to say yes to its fakes.",
        ),
        Mistake(
            "the exponential of a logit",
            _exponentials,
            "The formula is right. But of a logit of 90 the exponential is ∞ in float32, and so is "
            "your loss.",
        ),
    ),
    probes=(
        call("two pairs", *_SCORES, grad=[0, 1, 2]),
        call("one pair", T([2.0]), T([-1.0]), T([0.5]), grad=[0, 1, 2]),
        call("sure scores", T([40.0, -60]), T([50.0, -40]), T([-90.0, 30]), grad=[0, 1, 2]),
        call("two alike", T([0.7, 0.7]), T([0.7, 0.7]), T([-1.0, -1.0]), grad=[0, 1, 2]),
        call("two other pairs", T([-3.0, 1.5]), T([2.5, -0.2]), T([1.8, 0.1]), grad=[0, 1, 2]),
        call("five pairs", *(normal(5, seed=s) for s in (71, 72, 73)), grad=[0, 1, 2]),
        call("one pair, scores of ±90", T([-90.0]), T([90.0]), T([90.0]), grad=[0, 1, 2]),
    ),
)


# --- next_token_loss ------------------------------------------------------------------------------


def _next(begin: int, end: int, last: int = 0, softmax=False, reduction="mean") -> Callable:
    """Asks logits[start + begin : n + end] about tokens[start : n + last]."""

    def loss(logits, tokens, start):
        n = logits.shape[1]
        told, asked = logits[:, start + begin : n + end], tokens[:, start : n + last]
        told = told.softmax(-1) if softmax else told
        return F.cross_entropy(told.flatten(0, 1), asked.flatten(), reduction=reduction)

    return loss


def _turned(logits: Tensor, tokens: Tensor, start: int) -> Tensor:
    told = logits[:, start - 1 : -1]
    rows = told.transpose(1, 2).reshape(-1, told.shape[2])
    return F.cross_entropy(rows, tokens[:, start:].flatten())


_FOUR = T([[[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 0, 0]]]), T([[0, 1, 2, 0]]), 2

NEXT_TOKEN_LOSS = Exercise(
    id="words.next_token_loss",
    title="What comes next",
    reference=next_token_loss,
    hints=(
        "At place i the network has seen the tokens 0 … i, its own one too. So which token can it "
        "be asked about without having seen the answer?",
        "logits[:, i] are of the token at place i + 1. The tokens from place `start` on are asked; "
        "at which places does what tells them begin and end? The logits of the last place tell a "
        "token that is not there.",
        "`told = logits[:, start - 1 : -1]` and `asked = tokens[:, start:]` are equally long. "
        "`F.cross_entropy(told.flatten(0, 1), asked.flatten())` is the mean over all of them.",
    ),
    mistakes=(
        Mistake(
            "not shifted",
            _next(0, 0),
            "Each place is asked for the token that it was given: {got:.3f}, far too good, and "
            "worthless for drawing.",
            example(*_FOUR, gives=0.3232),
        ),
        Mistake(
            "shifted twice",
            _next(-2, -2),
            "You ask each place for the token after the next. (It happens where a model already "
            "shifts by itself.)",
        ),
        Mistake(
            "shifted backwards",
            _next(1, 0, -1),
            "You ask each place for the token before it. Remembering is not foretelling.",
        ),
        Mistake(
            "the sentence too",
            lambda logits, tokens, start: next_token_loss(logits, tokens, 1),
            "The tokens before `start` count, too. They are given, and only what comes after them "
            "is to be drawn.",
        ),
        Mistake(
            "the first token left out",
            lambda logits, tokens, start: F.cross_entropy(
                logits[:, start:-1].flatten(0, 1), tokens[:, start + 1 :].flatten()
            ),
            "The token at place `start` is not asked for: who draws the first one?",
        ),
        Mistake(
            "summed",
            _next(-1, -1, reduction="sum"),
            "You add up: two tokens cost {got:.3f} in place of {expected:.3f}, and long rows cost "
            "more than short ones.",
            example(*_FOUR, gives=4.6464),
        ),
        Mistake(
            "summed over each row",
            lambda logits, tokens, start: (
                next_token_loss(logits, tokens, start) * (tokens.shape[1] - start)
            ),
            "You add up the tokens of a row and take the mean over the rows only: a row of twice "
            "as many tokens costs twice as much.",
        ),
        Mistake(
            "in bits",
            lambda logits, tokens, start: next_token_loss(logits, tokens, start) / math.log(2),
            "You divide by log 2: these are bits, {got:.3f}. Asked are nats, as cross-entropy "
            "gives them.",
            example(*_FOUR, gives=3.3516),
        ),
        Mistake(
            "softmax first",
            _next(-1, -1, softmax=True),
            "Cross-entropy takes logits and does its own softmax. After two of them no token can "
            "be told for sure, and the loss never comes near 0.",
        ),
        Mistake(
            "places and classes exchanged",
            _turned,
            "Your rows mix the classes of one place with those of another: `reshape` does not turn "
            "a table.",
        ),
    ),
    probes=(
        call("four tokens, the last two asked", *_FOUR),
        call("four other tokens, the last one asked", _FOUR[0].flip(2), T([[2, 0, 1, 1]]), 3),
        call(
            "two rows of six",
            2 * normal(2, 6, 5, seed=81),
            (5 * uniform(2, 6, seed=82)).long(),
            3,
            grad=[0],
        ),
        call(
            "from the second on", normal(3, 5, 4, seed=83), (4 * uniform(3, 5, seed=84)).long(), 1
        ),
    ),
)


# --- nucleus --------------------------------------------------------------------------------------


def _nucleus(
    crosses=True, first=False, back=True, upwards=False, fill=-math.inf, dim=-1
) -> Callable:
    def cut(logits, p):
        shares, order = logits.softmax(dim).sort(-1, descending=not upwards)
        total = shares.cumsum(-1)
        far = total - shares >= p if crosses else total > p
        if first:
            far = torch.cat([torch.zeros_like(far[..., :1]), far[..., 1:]], dim=-1)
        if back:
            far = torch.zeros_like(far).scatter(-1, order, far)
        return logits.masked_fill(far, fill)

    return cut


def _kept_probabilities(logits: Tensor, p: float) -> Tensor:
    return logits.softmax(-1).masked_fill(nucleus(logits, p).isinf(), 0.0)


def _renormalised(logits: Tensor, p: float) -> Tensor:
    return nucleus(logits, p).softmax(-1)


def _exponential_by_hand(logits: Tensor, p: float) -> Tensor:
    shares, order = (logits.exp() / logits.exp().sum(-1, keepdim=True)).sort(-1, descending=True)
    far = shares.cumsum(-1) - shares >= p
    return logits.masked_fill(torch.zeros_like(far).scatter(-1, order, far), -math.inf)


def _in_sorted_order(logits: Tensor, p: float) -> Tensor:
    return nucleus(logits, p).sort(-1, descending=True).values


def _gathered(logits: Tensor, p: float) -> Tensor:
    shares, order = logits.softmax(-1).sort(-1, descending=True)
    return logits.masked_fill((shares.cumsum(-1) - shares >= p).gather(-1, order), -math.inf)


def _how_many_of_two(candidate: Callable) -> dict[str, int]:
    """Which of the two is kept, no text says."""
    kept = torch.as_tensor(candidate(T([1.0, 1.0]), 0.5)) > -math.inf
    return {"tokens kept": int(kept.sum())}


_ROWS = T([[0.15, 0.5, 0.05, 0.3], [0.05, 0.93, 0.015, 0.005]]).log()

NUCLEUS = Exercise(
    id="words.nucleus",
    title="Only what is likely enough",
    reference=nucleus,
    hints=(
        "Sort the tokens, the likeliest first, and take one after the other until they hold at "
        "least p. What decides whether a token is in: what it holds together with those before it, "
        "or what those before it hold?",
        "A token is out where the likelier ones already hold p: `cumsum - itself >= p`. So the one "
        "that crosses p is in, and the likeliest always. Then the mask, which lies in the order of "
        "the sorted tokens, must be brought back to theirs.",
        "`shares, order = logits.softmax(-1).sort(-1, descending=True)`; `far = shares.cumsum(-1) "
        "- shares >= p`; `torch.zeros_like(far).scatter(-1, order, far)` puts it where the tokens "
        "are; `masked_fill` with −∞.",
    ),
    mistakes=(
        Mistake(
            "the one that crosses cut off",
            _nucleus(crosses=False),
            "What you keep holds less than p, and of a row whose likeliest token holds more than p "
            "you keep nothing at all.",
        ),
        Mistake(
            "the one that crosses cut off, the first kept",
            _nucleus(crosses=False, first=True),
            "What you keep holds less than p: the token that crosses it is missing.",
        ),
        Mistake(
            "sorted places",
            _nucleus(back=False),
            "You cut off by rank what should be cut off by place: token 0 is not the likeliest "
            "because it comes first.",
        ),
        Mistake(
            "unlikely first",
            _nucleus(upwards=True),
            "You take the unlikely tokens first.",
        ),
        Mistake(
            "a logit of 0",
            _nucleus(fill=0.0),
            "A logit of 0 is not never: exp(0) = 1, and your cut-off tokens become likelier than "
            "those that you kept.",
        ),
        Mistake(
            "probabilities",
            _kept_probabilities,
            "You return probabilities; asked are logits, so that a softmax can follow.",
        ),
        Mistake(
            "probabilities, renormalised",
            _renormalised,
            "You return probabilities. They are what a softmax makes of the right "
            "answer; asked are logits.",
        ),
        Mistake(
            "a threshold for each",
            lambda logits, p: logits.masked_fill(logits.softmax(-1) < 1 - p, -math.inf),
            "You keep each token that is likelier than 1 − p by itself. p is the share that all "
            "kept tokens hold together.",
        ),
        Mistake(
            "logits in sorted order",
            _in_sorted_order,
            "Your logits come back sorted, the likeliest first: at the place of a token stands the "
            "logit of another one.",
        ),
        Mistake(
            "gathered back",
            _gathered,
            "Your mask is right in sorted order and at the wrong tokens: you ask once more for the "
            "sorted places, as `gather` does. The way back is the inverse permutation.",
        ),
        Mistake(
            "the exponential by hand",
            _exponential_by_hand,
            "exp(100) is more than float32 can hold, so your shares are ∞ / ∞. Softmax stays the "
            "same if one number is taken from all logits: the largest, as torch's `softmax` does.",
        ),
        Mistake(
            "softmax over the rows",
            _nucleus(dim=0),
            "Your shares add up over the rows of the batch. Each row chooses for itself.",
        ),
    ),
    probes=(
        call("two rows, p = 0.6", _ROWS, 0.6),
        call("two rows, p = 0.9", _ROWS, 0.9),
        call("one row", T([0.05, 0.15, 0.5, 0.3]).log(), 0.4),
        call("all of them", _ROWS, 1.0),
        call("a batch of one", normal(1, 5, seed=92), 0.5),
        call("three axes", 3 * normal(2, 3, 7, seed=91), 0.7),
        call("300 tokens, all of them likely", normal(2, 300, seed=93) / 4, 0.9),
        call("five tokens with logits about 100", 100 + normal(1, 5, seed=92), 0.5),
        Probe(
            "two equal logits, p = 0.5",
            _how_many_of_two,
            explain={
                "tokens kept": "Each of two equal logits has the probability 0.5: one alone holds "
                "p, and the nucleus is the smallest set that does."
            },
        ),
    ),
)


# --- masked_input ---------------------------------------------------------------------------------


def _hidden(tokens: Tensor, u: Tensor, ranks: Tensor) -> Tensor:
    return masked_input(tokens, u, ranks, 0)[1]


def _hide(share: Callable, round_up=True, least=1) -> Callable:
    def show(tokens, u, ranks, mask):
        n = share(u) * tokens.shape[1]
        n = (n.ceil() if round_up else n.floor()).clamp(min=least)
        hidden = ranks < n[:, None]
        return torch.where(hidden, mask, tokens), hidden

    return show


def _cosine(u: Tensor) -> Tensor:
    return (math.pi / 2 * u).cos()


_SHOW = (
    T([[5, 6, 7, 8], [1, 2, 3, 4], [9, 9, 8, 8]]),
    T([0.2, 0.75, 0.99]),
    T([[2, 0, 3, 1], [1, 3, 0, 2], [0, 1, 2, 3]]),
    10,
)


def masked_input_as_published(tokens, u, ranks, mask):
    """What the network sees, and which places count: with a bug that was published, and mended.

    Source: issue 11 of lucidrains/muse-maskgit-pytorch, of its version 0.0.18.
    """
    n = ((torch.pi / 2 * u).cos() * tokens.shape[1]).ceil().clamp(min=1)
    hidden = ranks < n[:, None]
    ids = {"tokens": tokens, "with masks": torch.where(hidden, mask, tokens)}
    return ids["tokens"], hidden


MASKED_INPUT = Exercise(
    id="words.masked_input",
    title="Find the bug: what the network may see",
    reference=masked_input,
    hints=(
        "With the code as it stands the loss falls to nearly nothing within minutes, and the "
        "pictures drawn are noise. What would a network learn that is shown the answer?",
        "Print what is handed to the network for a row of four tokens. How many masks are in it? "
        "Compare with the places that count in the loss.",
        "Where a place is hidden the network must see `mask`, elsewhere the token: "
        "`torch.where(hidden, mask, tokens)`. The places that count are the hidden ones.",
    ),
    mistakes=(
        Mistake(
            "the whole picture",
            masked_input_as_published,
            "The network sees the answer: not one mask is in its input.",
        ),
        Mistake(
            "upside down",
            lambda tokens, u, ranks, mask: (
                torch.where(_hidden(tokens, u, ranks), tokens, mask),
                _hidden(tokens, u, ranks),
            ),
            "Hidden and shown are exchanged: at u = 0.99 almost all is hidden, and what counts is "
            "what can be seen.",
        ),
        Mistake(
            "a code as the mask",
            lambda tokens, u, ranks, mask: masked_input(tokens, u, ranks, 0),
            "Is this place hidden, or is it code 0? The network cannot know: the mask needs a "
            "number of its own, which is given.",
        ),
        Mistake(
            "all places count",
            lambda tokens, u, ranks, mask: (
                masked_input(tokens, u, ranks, mask)[0],
                torch.ones_like(tokens, dtype=torch.bool),
            ),
            "All places count, those too that can be seen: copying is rewarded.",
        ),
        Mistake(
            "the shown places count",
            lambda tokens, u, ranks, mask: (
                masked_input(tokens, u, ranks, mask)[0],
                ~_hidden(tokens, u, ranks),
            ),
            "What counts are the places that can be seen: there is nothing to guess.",
        ),
        Mistake(
            "one share for all",
            lambda tokens, u, ranks, mask: masked_input(tokens, u[:1].expand(len(u)), ranks, mask),
            "In every row as many places are hidden as in the first: each has its own u.",
        ),
        Mistake(
            "sine",
            _hide(lambda u: (math.pi / 2 * u).sin()),
            "Your share grows with u: at u = 0 nothing would be hidden. It should be all, as it is "
            "when drawing begins.",
        ),
        Mistake(
            "u itself",
            _hide(lambda u: u),
            "You hide the share u. So half of all batches hide less than half; with the cosine it "
            "is a third, and the network practises more on nearly empty pictures.",
        ),
        Mistake(
            "rounded down",
            _hide(_cosine, round_up=False),
            "You round down where the text rounds up: of 4 places at u = 0.2, cos = 0.95, all are "
            "to be hidden.",
        ),
        Mistake(
            "one too many",
            lambda tokens, u, ranks, mask: masked_input(tokens, u, ranks - 1, mask),
            "One place more than ⌈cos(π u / 2) N⌉ is hidden: the ranks begin at 0.",
        ),
        Mistake(
            "nothing hidden",
            _hide(_cosine, round_up=False, least=0),
            "At u = 0.99 you hide nothing: a picture from which nothing can be learned.",
        ),
    ),
    probes=(
        call("three rows of four", *_SHOW),
        call("three other rows", _SHOW[0].flip(0), T([0.5, 0.0, 0.6]), _SHOW[2].flip(1), 11),
        call("one row", T([[4, 4, 2]]), T([0.4]), T([[1, 2, 0]]), 5),
        call(
            "nothing known, and all but one",
            T([[1, 2], [3, 4]]),
            T([0.0, 1.0]),
            T([[0, 1], [1, 0]]),
            7,
        ),
        call(
            "five rows of 64",
            (30 * uniform(5, 64, seed=101)).long(),
            uniform(5, seed=102),
            uniform(5, 64, seed=103).argsort(1),
            30,
        ),
    ),
)


# --- keep_surest ----------------------------------------------------------------------------------


def _keep(protect=True, best=False, redraw=False, shown=False, ranks=False) -> Callable:
    def step(tokens, drawn, confidence, left, mask):
        hidden = tokens == mask
        sure = confidence.masked_fill(~hidden, -math.inf if best else math.inf)
        sure = sure if protect else confidence
        new = drawn.clone() if redraw else torch.where(hidden, drawn, tokens)
        n = int(hidden[0].sum()) - left if shown else left
        order = sure.argsort(1, descending=best)
        if ranks:
            return torch.where(order < n, mask, new)
        return new.scatter(1, order[:, :n], mask)

    return step


_KEEP = (
    T([[9, 3, 9, 9, 9, 9], [9, 9, 9, 9, 9, 2]]),
    T([[1, 7, 2, 5, 4, 6], [6, 5, 4, 3, 2, 8]]),
    T([[0.9, 0.05, 0.2, 0.4, 0.3, 0.6], [0.6, 0.8, 0.7, 0.55, 0.9, 0.01]]),
    2,
    9,
)


def _global(tokens, drawn, confidence, left, mask):
    hidden = tokens == mask
    sure = confidence.masked_fill(~hidden, math.inf)
    worst = sure.flatten().argsort()[: left * len(tokens)]
    return torch.where(hidden, drawn, tokens).flatten().scatter(0, worst, mask).view_as(tokens)


KEEP_SUREST = Exercise(
    id="words.keep_surest",
    title="The surest answers stay",
    reference=keep_surest,
    hints=(
        "Three kinds of places: known before this step; drawn now and sure enough to stay; drawn "
        "now and to be asked again. How do you see in `tokens` which were known?",
        "Known places must never be hidden again: give them a confidence that no other can reach. "
        "Then of each row the `left` smallest are hidden.",
        "`hidden = tokens == mask`; `sure = confidence.masked_fill(~hidden, inf)`; the places "
        "`sure.argsort(1)[:, :left]`; `torch.where(hidden, drawn, tokens)`, into which `scatter` "
        "writes the mask at these places.",
    ),
    mistakes=(
        Mistake(
            "known places not protected",
            _keep(protect=False),
            "A place that was known is hidden again: what was decided is doubted.",
        ),
        Mistake(
            "known places drawn again",
            _keep(redraw=True),
            "A place that was known has another token now: what was decided has changed.",
        ),
        Mistake(
            "the surest hidden",
            _keep(best=True),
            "You hide the places where the network was surest, and keep its worst guesses.",
        ),
        Mistake(
            "left read as shown",
            _keep(shown=True),
            "`left` is how many places are still hidden after this step, not how many are shown.",
        ),
        Mistake(
            "nothing hidden again",
            lambda tokens, drawn, confidence, left, mask: torch.where(
                tokens == mask, drawn, tokens
            ),
            "Nothing is hidden again: that would be drawing in a single step.",
        ),
        Mistake(
            "a threshold",
            lambda tokens, drawn, confidence, left, mask: torch.where(
                (tokens == mask) & (confidence < 0.5),
                mask,
                torch.where(tokens == mask, drawn, tokens),
            ),
            "You hide whatever is below ½, three places in one row and none in the other. The "
            "number is given, and the same in each row.",
        ),
        Mistake(
            "one order for the batch",
            _global,
            "You hide the least sure places of the whole batch, so that one row hides more of them "
            "than another.",
        ),
        Mistake(
            "order taken for ranks",
            _keep(ranks=True),
            "`argsort` says which place comes first, second, …; you read it as the rank of each "
            "place. Those are two permutations, each the inverse of the other.",
        ),
    ),
    probes=(
        call("two rows of six", *_KEEP),
        call("none left", *_KEEP[:3], 0, 9),
        call("three left", *_KEEP[:3], 3, 9),
        call("three rows", *(torch.cat([part, part[:1]]).flip(0) for part in _KEEP[:3]), 1, 9),
        call(
            "one row of eight, nothing known",
            torch.full((1, 8), 50),
            (50 * uniform(1, 8, seed=111)).long(),
            -9 * uniform(1, 8, seed=112),
            5,
            50,
        ),
    ),
)


# --- cross_attention ------------------------------------------------------------------------------


def _asks(divide=0.5, dim=-1, mask="before", values="v", swap=False) -> Callable:
    def attend(x, words, Wq, Wk, Wv, real):
        q, k, v = x @ Wq, words @ Wk, words @ (Wk if values == "k" else Wv)
        scores = q @ k.transpose(1, 2) / k.shape[-1] ** divide
        heard = ~real if mask == "inverted" else real
        if mask in ("before", "inverted"):
            scores = scores.masked_fill(~heard[:, None], -math.inf)
        elif mask == "zero":
            scores = scores.masked_fill(~heard[:, None], 0.0)
        weights = scores.softmax(dim)
        weights = weights * real[:, None] if mask == "after" else weights
        return (weights.transpose(1, 2) @ x) if swap else weights @ v

    return attend


_EYE = torch.eye(2)
_ASK = (
    T([[[1.0, 0], [0, 2]]]),
    T([[[1.0, 1], [0, 2], [5, 5]]]),
    _EYE,
    _EYE,
    torch.diag(T([1.0, -1.0])),
    T([[True, True, False]]),
)
_ASK_MANY = (
    normal(2, 3, 4, seed=121),
    normal(2, 5, 6, seed=122),
    *(normal(n, 3, seed=s) for n, s in ((4, 123), (6, 124))),
    normal(6, 4, seed=125),
    T([[True, True, True, False, False], [True, True, True, True, False]]),
)
_ASK_ALL = (
    normal(1, 2, 3, seed=126),
    normal(1, 4, 3, seed=127),
    *(normal(3, 3, seed=s) for s in (128, 129, 130)),
    torch.ones(1, 4, dtype=torch.bool),
)
_ASK_THREE = (
    *(torch.cat([part, part[:1]]) for part in _ASK_MANY[:2]),
    *_ASK_MANY[2:5],
    torch.cat([_ASK_MANY[5], _ASK_MANY[5][:1]]),
)

CROSS_ATTENTION = Exercise(
    id="words.cross_attention",
    title="Places ask words",
    reference=cross_attention,
    hints=(
        "The places of the picture ask, the words answer. Which of queries, keys and values come "
        "from x, and which from the words? Whose shares must add up to 1: those that one place "
        "gives to all words, or those that one word gets from all places?",
        "softmax(Q Kᵀ / √k) V with Q = x Wq, K = words Wk, V = words Wv, and k the number of "
        "columns of K. Padding must get a weight of exactly 0, and the others still add up to 1: "
        "so it must be silenced before the softmax.",
        "`scores = q @ k.transpose(1, 2) / k.shape[-1] ** 0.5` is (B, n, m). "
        "`scores.masked_fill(~real[:, None], -inf)`, `softmax(-1)`, times v.",
    ),
    mistakes=(
        Mistake(
            "padding heard",
            _asks(mask="none"),
            "Padding is listened to: with two more paddings at the end of a sentence the picture "
            "would change. Here it gets nearly all the weight: {got:.2f} in place of "
            "{expected:.2f}.",
            example(*_ASK, pick=lambda r: r[0, 0, 0], gives=4.6488),
        ),
        Mistake(
            "not divided",
            _asks(divide=0),
            "The scores are not divided by √k: with many columns they are large, and each place "
            "listens to one word only.",
        ),
        Mistake(
            "divided by the width",
            _asks(divide=1),
            "You divide by k, not by its root: the more columns, the more evenly each place "
            "listens to all words.",
        ),
        Mistake(
            "divided by the root of another width",
            lambda x, words, Wq, Wk, Wv, real: cross_attention(
                x, words, Wq * (Wq.shape[1] / Wq.shape[0]) ** 0.5, Wk, Wv, real
            ),
            "You divide by the root of the width of `x`. A score is a sum over the columns of Q "
            "and K: it is their number that makes it large.",
        ),
        Mistake(
            "softmax over the places",
            _asks(dim=1),
            "Each word divides itself among the places. Who should choose? The weights of one "
            "place should add up to 1.",
        ),
        Mistake(
            "silenced afterwards",
            _asks(mask="after"),
            "Padding is silenced after the softmax, in which it already had its share: the "
            "weights of a place no longer add up to 1.",
        ),
        Mistake(
            "score 0",
            _asks(mask="zero"),
            "The score of padding is 0, and e⁰ = 1 is a vote.",
        ),
        Mistake(
            "only padding heard",
            _asks(mask="inverted"),
            "Only padding is heard: `real` is True for words.",
        ),
        Mistake(
            "keys for values",
            _asks(values="k"),
            "What is mixed are the keys. Keys say which word is meant; what it has to tell are its "
            "values, and Wv has no influence on your result.",
        ),
    ),
    probes=(
        call("two places, two words and padding", *_ASK, grad=[0, 1]),
        call("two sentences of unequal length", *_ASK_MANY, grad=[0, 1, 4], atol=1e-4),
        call("no padding", *_ASK_ALL),
        call("three sentences, two of them alike", *_ASK_THREE, atol=1e-4),
        call("the same places, another sentence", _ASK[0], 2 * _ASK[1].flip(2), *_ASK[2:]),
    ),
)


EXERCISES = (
    CD_GRADIENT,
    CONTRASTIVE_LOSS,
    MATCHING_LOSS,
    NEAREST_CODE,
    STRAIGHT_THROUGH,
    CODEBOOK_LOSS,
    PERPLEXITY,
    NEXT_TOKEN_LOSS,
    NUCLEUS,
    MASKED_INPUT,
    KEEP_SUREST,
    CROSS_ATTENTION,
)

QUESTIONS = (
    Question(
        "words.stranger",
        "A sentence tells five facts of a person: face, head, skin, glasses, beard. The picture of "
        "another person is held against it. How many of the five facts does it show, on average?",
        None,
        None,
    ),
    Question(
        "words.gibbs",
        "The unit of a digit is held on, and everything else begins as coin tosses. After how many "
        "steps up and down does a judge read the requested digit in most of the pictures?",
        {
            "1": "One step takes the coin tosses for a picture and mends it a little. Ten units "
            "among 106 do not yet decide what it becomes.",
            "10": "Each step carries the label a little further. Look at the number after one.",
            "never": "The label is held on at every step, and the hidden units hear it each time.",
        },
        "10",
    ),
    Question(
        "words.plain_codes",
        "A codebook of 256 codes is trained by gradients alone, for some minutes or less. How many "
        "of the codes are used in 128 faces?",
        None,
        None,
    ),
    Question(
        "words.blind_spot",
        "A contrastive network has learned which of 128 sentences belongs to which picture. Asked "
        "about one fact at a time, which of these three does it get right least often?",
        {
            "head": "26 heads are many classes, but each covers a large area of the picture.",
            "skin": "Five shades, each a large area of the picture: few facts are easier to see.",
            "face": "Fourteen expressions differ in a few pixels: of the three facts this is the "
            "hardest to see.",
        },
        "face",
    ),
    Question(
        "words.kept",
        "A picture of 64 tokens is drawn after 24 words and a mark. With a cache of keys and "
        "values each place is computed once. By what factor does the number of computed places "
        "grow without a cache?",
        None,
        None,
    ),
    Question(
        "words.passes",
        "The masked network draws 64 tokens in 8 passes, with guidance. What happens to the facts "
        "of a full sentence if it has to draw all of them in a single pass?",
        {
            "nearly all are lost": "Each place is drawn without knowing the others. But each place "
            "knows the sentence, and it tells a lot.",
            "about half are lost": "A full sentence leaves little open, so the places agree even "
            "if they do not see each other.",
            "few or none are lost": "Each place is conditioned on the whole sentence, and a full "
            "one leaves little to agree on. What it leaves open is another matter.",
        },
        None,
    ),
    Question(
        "words.climbed",
        "Pixels are changed until the contrastive network finds the sentence in them: until the "
        "cosine is higher than that of real pairs. What does the judge find?",
        {
            "as much as in real faces": "So it would be if only faces could please the network. "
            "It has never seen anything else, and so has no opinion of anything else.",
            "something between": "The climb raises what the network measures, and the judge finds "
            "a little more than before. Whether this is reading, compare with the floor.",
            "no more than before": "The judge finds more than at the start. Whether this is "
            "reading, compare with the floor.",
        },
        "something between",
    ),
    Question(
        "words.together",
        "Some heads never occur with one of the skins in training. How often does the next-token "
        "network draw both when a sentence asks for such a pair, compared with the same head and "
        "another skin that does occur with it?",
        {
            "as often": "This is what composing would mean: each word does its part, whatever "
            "stands beside it.",
            "less often": "Pairs of training can be remembered; a new one has to be composed.",
            "never": "Each of the two has been learned, with other partners.",
        },
        None,
    ),
)

"""Recipes of the weights of lecture 12: codes, the contrastive network, and what draws from words.

All learn from the faces whose head and skin may stand together (`words.people(…, "seen")`), and are
asked for the sentences of test people, of whom some may not. `vq_peeps32` and `clip_peeps32` come
first: the others use them.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_lib import device, metrics
from course_lib.codebooks import VQAutoencoder, VQStep, codes_used, perplexity
from course_lib.contrastive import ContrastiveStep, PictureTextModel
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance
from course_lib.pretrained import load_weights, round_weights, save_weights
from course_lib.recipes import circumstances
from course_lib.text_to_image import (
    StackStep,
    StageOne,
    StageTwo,
    TextDiscriminator,
    TextFlowStep,
    TextUNet,
    draw_flow,
    draw_stage,
    sentence_vectors,
)
from course_lib.tokens import MaskedStep, NextTokenStep, TokenTransformer, draw_masked, draw_next
from course_lib.training import train
from course_lib.words import FACTS, WATCHED, Captioned, people, score, sentence, tokeniser

TEST = 516  # people, each with a sentence that tells all five facts


def vq_peeps32(steps: int = 900, n: int = TEST) -> None:
    faces, _ = people("train", combinations="seen")
    torch.manual_seed(51)
    step = VQStep(VQAutoencoder().to(_home()), steps=steps)
    history = _train("vq_peeps32", step, faces.batches(32, _home(), _seeded(51)), steps)
    model = round_weights(step.model.cpu().eval())
    card = {"what": "VQAutoencoder(): pictures of 32 × 32 as 8 × 8 tokens of 256"}
    card |= {"steps": f"{steps:,} of 32 pictures, `VQStep`", "seed": 51} | history
    save_weights("vq_peeps32", model, card | _rebuilds(model, n))


def clip_peeps32(steps: int = 480, n: int = TEST) -> None:
    faces, facts = people("train", combinations="seen")
    torch.manual_seed(53)
    step = ContrastiveStep(PictureTextModel().to(_home()), steps=steps)
    batches = Captioned(faces.floats(), facts, 128, _home(), _seeded(53))
    history = _train("clip_peeps32", step, batches, steps)
    model = round_weights(step.model.cpu().eval())
    card = {"what": "PictureTextModel(): faces and sentences in one space of 64 dimensions"}
    card |= {"steps": f"{steps:,} of 128 pairs, `ContrastiveStep`", "seed": 53} | history
    save_weights("clip_peeps32", model, card | _finds(model, n))


def next_peeps32(steps: int = 1500, n: int = WATCHED) -> None:
    def draw(net: TokenTransformer, text: Tensor, g: torch.Generator) -> Tensor:
        return draw_next(net, text, g, guidance=2.0, p=0.9)

    _transformer("next_peeps32", NextTokenStep, draw, 54, steps, n)


def masked_peeps32(steps: int = 5000, n: int = WATCHED) -> None:
    def draw(net: TokenTransformer, text: Tensor, g: torch.Generator) -> Tensor:
        return draw_masked(net, text, g, steps=8, guidance=2.0)

    _transformer("masked_peeps32", MaskedStep, draw, 55, steps, n)


def text_flow_peeps32(steps: int = 4000, n: int = WATCHED) -> None:
    faces, facts = people("train", combinations="seen")
    torch.manual_seed(56)
    vq, net = _vq(), TextUNet()
    with torch.no_grad():
        codes = torch.cat([vq.encode(part) for part in faces.floats().split(256)])
    net.measure_codes(codes)
    decoder = vq.to(_home()).decoder
    step = TextFlowStep(net.to(_home()), lambda z: decoder(z).clamp(-1, 1), steps=steps)
    batches = Captioned(codes, facts, 32, _home(), _seeded(56))
    history = _train("text_flow_peeps32", step, batches, steps)
    model, vq = round_weights(step.ema.model.cpu()), vq.cpu()
    card = {"what": "TextUNet(): flow matching in the codes of vq_peeps32, average of its weights"}
    card |= {"steps": f"{steps:,} of 32 faces, `TextFlowStep`", "seed": 56} | history
    card |= _listens(lambda text, g: draw_flow(model, vq, text, g), n)
    save_weights("text_flow_peeps32", model, card)


def stack_one_peeps32(steps: int = 6000, n: int = WATCHED) -> None:
    _stage("stack_one_peeps32", StageOne(), None, 32, 57, steps, n, 0.05, 4e-4)


def stack_two_peeps64(steps: int = 2000, n: int = WATCHED) -> None:
    """With the kl of the first stage the augmentation soon forgot what the sentence says."""
    first = load_weights("stack_one_peeps32", StageOne())
    _stage("stack_two_peeps64", StageTwo(), first, 64, 58, steps, n, 0.01, 2e-4)


def _transformer(name: str, kind: type, draw: Callable, seed: int, steps: int, n: int) -> None:
    faces, facts = people("train", combinations="seen")
    vq = _vq()
    tokens = vq.tokens(faces.floats()).flatten(1)
    torch.manual_seed(seed)
    step = kind(TokenTransformer().to(_home()), steps=steps)
    batches = Captioned(tokens, facts, 32, _home(), _seeded(seed))
    history = _train(name, step, batches, steps)
    model = round_weights(step.model.cpu().eval())
    card = {"what": "TokenTransformer() over the words and the tokens of vq_peeps32"}
    card |= {"steps": f"{steps:,} of 32 faces, `{kind.__name__}`", "seed": seed} | history
    card |= _listens(lambda text, g: vq.pictures(draw(model, text, g)), n)
    save_weights(name, model, card)


def _stage(
    name: str, generator, first, size: int, seed: int, steps: int, n: int, kl: float, lr: float
) -> None:
    faces, facts = people("train", size, "seen")
    torch.manual_seed(seed)
    critic, home = TextDiscriminator(size=size, noise=0.2), _home()
    first = None if first is None else first.to(home)
    nets = generator.to(home), critic.to(home), _clip().to(home)
    step = StackStep(*nets, first=first, lr=lr, d_lr=lr / 2, kl=kl, steps=steps)
    history = _train(name, step, Captioned(faces.floats(), facts, 32, home, _seeded(seed)), steps)
    model, reader = round_weights(step.ema.model.cpu()), step.reader.cpu()
    first = None if first is None else first.cpu()

    @torch.no_grad()
    def draw(text: Tensor, g: torch.Generator) -> Tensor:
        return draw_stage(model, sentence_vectors(reader, text), first, g)[0].clamp(-1, 1)

    card = {"what": f"{type(model).__name__}() of StackGAN, average of its weights"}
    told = f"{steps:,} of 32 faces, `StackStep`, Adam {lr:g} and D {lr / 2:g}, falling at the end"
    card |= {"steps": told, "seed": seed} | history
    save_weights(name, model, card | _listens(draw, n, size))


RECIPES = (
    vq_peeps32,
    clip_peeps32,
    next_peeps32,
    masked_peeps32,
    text_flow_peeps32,
    stack_one_peeps32,
    stack_two_peeps64,
)


# What the cards say


def _listens(draw: Callable[[Tensor, torch.Generator], Tensor], n: int, size: int = 32) -> dict:
    """How many of the asked facts the judge finds, and how far the pictures are from faces."""
    faces, facts = people("test", size)
    x, facts = faces.floats()[:n], facts[:n]
    text = tokeniser().encode([sentence(f, _seeded(i), share=1.0) for i, f in enumerate(facts)])
    made = torch.cat([draw(part, _seeded(i)) for i, part in enumerate(text.split(64))])
    found, real = score(made, facts), score(x, facts)
    each = ", ".join(f"{fact} {found.shares[fact]:.0%}" for fact in FACTS)
    net = FeatureNet("peeps")
    features = [fit_gaussian(net.features(part)) for part in (made, x)]
    return {
        f"asked facts found in {n}, by `classifier_peeps`": f"{each}; mean {found.mean:.1%}",
        "the same in real faces": f"{real.mean:.1%}",
        "the same with another's sentence": f"{score(x, facts[1:] + facts[:1]).mean:.1%}",
        f"Fréchet distance, {n} against as many test faces": (
            f"{frechet_distance(*features[0], *features[1]):.2f}"
        ),
    }


def _rebuilds(model: VQAutoencoder, n: int) -> dict:
    faces, facts = people("test")
    x, facts = faces.floats()[:n], facts[:n]
    tokens = model.tokens(x)
    made, codes = model.pictures(tokens), model.codebook.codes
    return {
        "PSNR of test faces": f"{metrics.psnr(made, x):.2f} dB",
        "codes used; perplexity": f"{codes_used(tokens, codes)}; {perplexity(tokens, codes):.0f}",
        "facts found in rebuilt faces": f"{score(made, facts).mean:.1%}",
    }


@torch.no_grad()
def _finds(model: PictureTextModel, n: int) -> dict:
    faces, facts = people("test")
    x, facts = faces.floats()[:n], facts[:n]
    text = tokeniser().encode([sentence(f, _seeded(i), share=1.0) for i, f in enumerate(facts)])
    cosines = model.see(x) @ model.read(text).T
    same = torch.tensor([[a == b for b in facts] for a in facts])  # a sentence may fit several
    rows = torch.arange(len(x))
    shares = [same[rows, cosines.argmax(dim)].double().mean() for dim in (1, 0)]
    return {
        f"own sentence found among {n}": f"{shares[0]:.1%} (by chance {1 / n:.1%})",
        f"own face found among {n}": f"{shares[1]:.1%}",
    }


def _train(name: str, step: Callable, batches: Iterable, steps: int) -> dict:
    """A run that can be stopped and taken up again; where it ran and how long."""
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    faces = "peeps, training faces without the held-out combinations; measured on test faces"
    return {"data": faces, **circumstances(name, history.seconds)}


def _vq() -> VQAutoencoder:
    return load_weights("vq_peeps32", VQAutoencoder())


def _clip() -> nn.Module:
    return load_weights("clip_peeps32", PictureTextModel())


def _home() -> torch.device:
    return device.choose().device


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)

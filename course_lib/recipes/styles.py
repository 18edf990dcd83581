"""Recipes of the weights of lecture 09: faces by styles, clothes by class, three judges."""

from collections.abc import Iterator
from time import process_time

import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from course_lib import data, device, gan
from course_lib.autoencoders import Autoencoder
from course_lib.metrics import Classifier, FeatureNet, precision_recall
from course_lib.pretrained import load_weights, round_weights, save_weights
from course_lib.recipes import SPLITS, circumstances, likeness
from course_lib.scaling import (
    BigGANGenerator,
    ProjectedDiscriminator,
    standing_statistics,
)
from course_lib.styles import StyleDiscriminator, StyleGenerator, StyleStep
from course_lib.training import train

WIDE, NARROW = (128, 96, 64), (96, 64, 48)  # channels at 4 × 4, 8 × 8, 16 × 16


def fixed_heads() -> ProjectedDiscriminator:
    """Heads on two maps of lecture 02's encoder, which has seen faces and never a label."""
    encoder = load_weights("ae_peeps32", Autoencoder(size=32, latent=32)).encoder
    return ProjectedDiscriminator(encoder.trunk, taps=(3, 6), size=32)


def style_peeps32(
    steps: tuple[int, ...] = (44_000, 4_000, 7_000, 9_000), seed: int = 40, n: int = 5000
) -> None:
    """The faces of lectures 09 to 11, in parts, each with its own checkpoint.

    1. the discriminators and G as in lecture 09; rarer heads are lost on the way (37 of 47 left);
    2. G's average goes on against a new D and new heads (600 rounds without G), and faces whose
       heads the samples lack are shown more often;
    3. and 4. as 2, and fakes near to real faces are moved towards them (`InclusiveStep`), first a
       little, then more; in the last 7,000 rounds all rates fall.

    Ctrl-C ends a part with what it has learned, to be taken up.
    """
    name, batch, home = "style_peeps32", 16, device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)

    def part(number: int, step: StyleStep, batches: Iterator):
        title, folder = f"{name}, part {number}", f"runs/{name}_{number}"
        return train(step, batches, steps[number - 1], title=title, checkpoint=folder).seconds

    def players(generator: StyleGenerator) -> tuple[StyleGenerator, StyleDiscriminator]:
        return generator.to(home), StyleDiscriminator(channels=NARROW, size=32).to(home)

    torch.manual_seed(seed)
    new = players(StyleGenerator(channels=WIDE, size=32))
    step = StyleStep(*new, projected=fixed_heads().to(home), **SETTINGS)
    plain = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    seconds = part(1, step, plain)

    first = round_weights(step.ema.model.cpu())
    then = likeness(lambda n, generator: first.sample(n, generator=generator), held_out)
    then |= qualities(first, held_out, n)
    heads = then[f"found among {n:,} by `classifier_peeps`"].partition(",")[0]
    apart = then["the same, in the classifier's features"].partition(" ")[0]

    torch.manual_seed(seed + 7)
    new = players(first.train().requires_grad_(True))
    step = InclusiveStep(*new, projected=fixed_heads().to(home), alone=600, **SETTINGS)
    batches = ByHead(faces, batch, home, seed + 7, step.ema.model)
    seconds += part(2, step, batches)
    for number, (every, weight) in enumerate(((4, 1.0), (3, 2.0)), 3):
        step.every, step.weight, step.alone = every, weight, 0
        step.ends = sum(steps[1:]) if number == len(steps) else None
        seconds += part(number, step, batches)

    model = round_weights(step.ema.model.cpu())
    card = {
        "what": f"a style-based generator, channels {WIDE}; average of its weights",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{steps[0]:,} of {batch} images, non-saturating, Adam 0.002, EMA 0.999; R1 0.3, "
        f"mixing 0.5; beside D heads on `ae_peeps32`'s encoder ({heads} then, and {apart} in the "
        "classifier's features). Then against new discriminators, "
        f"faces with heads that are lacking shown more often: {steps[1]:,}, and "
        f"{sum(steps[2:]):,} in which fakes are also moved towards the real faces next to them, "
        "rates falling at the end",
        "seed": seed,
        **circumstances(name, seconds),
        **likeness(lambda n, generator: model.sample(n, generator=generator), held_out),
        **qualities(model, held_out, n),
    }
    save_weights(name, model, card)


SETTINGS = {"r1": 0.3, "mixing": 0.5, "ema": 0.999}


class InclusiveStep(StyleStep):
    """`StyleStep`, and every few rounds fakes are moved towards the real faces next to them.

    What no fake resembles, no discriminator can ask for: a GAN leaves out faces that it could draw.
    So of 160 fakes the nearest to each of 8 real faces is moved towards it, in the codes of lecture
    02's encoder and in pixels at half the size. every, weight: in how many rounds once (0 for
    never), and how much. alone: so many first rounds without G, whose rate then rises in 500. ends:
    all rates fall in the 7,000 rounds before it, to a fiftieth.
    Source: Yu et al. 2020, "Inclusive GAN", there with a fixed partner for each face.
    """

    def __init__(self, *players, alone: int = 0, every: int = 0, weight: float = 1.0, **settings):
        super().__init__(*players, **settings)
        self.alone, self.every, self.weight, self.ends = alone, every, weight, None
        self.optimizers = self.g_optimizer, self.d_optimizer, self.h_optimizer
        self.rates = [o and o.param_groups[0]["lr"] for o in self.optimizers]
        eye = load_weights("ae_peeps32", Autoencoder(size=32, latent=32)).encoder
        self.eye = eye.to(self.generator.const.device).requires_grad_(False)
        x = data.load("peeps", "train", size=32).floats().to(self.generator.const.device)
        with torch.no_grad():
            self.scale = torch.cat([self.eye(part) for part in x.split(500)]).std(0)

    def __call__(self, batch: Tensor) -> dict[str, Tensor]:
        done = self.ema.n  # kept with the run
        rise = min(1.0, max(0.0, (done - self.alone) / 500)) if self.alone else 1.0
        left = min(1.0, max(0.02, (self.ends - done) / 7000)) if self.ends else 1.0
        for optimizer, rate, share in zip(
            self.optimizers, self.rates, (rise, 1.0, 1.0), strict=True
        ):
            if optimizer:
                optimizer.param_groups[0]["lr"] = rate * share * left
        losses = super().__call__(batch)
        if self.every and done % self.every == 0:
            loss = self.weight * self._apart(batch[:8])
            self.g_optimizer.zero_grad()
            loss.backward()
            self.g_optimizer.step()
        return losses

    def _apart(self, real: Tensor) -> Tensor:
        net = self.generator
        with torch.no_grad():
            z = torch.randn(160, self.nz, device=real.device)
            codes, wanted = (self.eye(x.clamp(-1, 1)) / self.scale for x in (net(z), real))
            nearest = torch.cdist(wanted, codes).argmin(1)
        fake = net(z[nearest])
        far = (self.eye(fake) / self.scale - wanted).square().mean()
        return far + (F.avg_pool2d(fake, 2) - F.avg_pool2d(real, 2)).abs().mean()


class ByHead:
    """Endless batches of faces; heads that the samples of a generator lack come more often.

    Looked at every 1,000 batches, in 5,000 samples, by the feature network (`classifier_peeps`,
    which judges, has no part in it). A face weighs √(share of its head in the data / in samples),
    between ½ and 3. The order of the batches is random.
    """

    def __init__(self, faces, batch: int, home, seed: int, model: StyleGenerator):
        self.x, self.head = faces.floats().to(home), faces.attributes["head"]
        self.batch, self.model, self.n = batch, model, 0
        self.shares = torch.bincount(self.head).double() / len(self.head)
        self.weights = torch.ones_like(self.shares)
        self.generator, self.reader = torch.Generator().manual_seed(seed), FeatureNet("peeps")

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if self.n % 1000 == 0:
            self._look()
        self.n += 1
        rows = torch.multinomial(self.weights[self.head], self.batch, generator=self.generator)
        return self.x[rows.to(self.x.device)]

    @torch.no_grad()
    def _look(self, samples: int = 5000) -> None:
        where = self.model.const.device
        x = self.model.sample(samples, generator=torch.Generator(where).manual_seed(1)).cpu()
        found = torch.cat([self.reader(part)["head"].argmax(1) for part in x.split(500)])
        shares = torch.bincount(found, minlength=len(self.shares)) / len(found)
        self.weights = (self.shares / (shares + 0.002)).sqrt().clamp(0.5, 3)

    def state_dict(self) -> dict:
        return {"n": self.n, "weights": self.weights, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        self.n, self.weights = state["n"], state["weights"]
        self.generator.set_state(state["generator"])


def qualities(model: StyleGenerator, held_out, n: int) -> dict[str, str]:
    """What lectures 10 and 11 stand on, by judges that had no part in the training."""
    z = torch.randn(n, model.nz, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        w = model.mapping(z)
        x = torch.cat([model.synthesis(ws) for ws in model.ws(z).split(250)]).clamp(-1, 1)
        reader = Classifier("peeps")
        read = [reader(part) for part in x.split(500)]  # all attributes at once
    found = {key: torch.cat([part[key] for part in read]).argmax(1) for key in read[0]}
    features = FeatureNet("peeps")
    real, fake = features.features(held_out.floats()), features.features(x[: len(held_out)])
    precision, recall = precision_recall(real, fake)
    glasses, most = found["glasses"], 4 * n // 5
    share = glasses[most:].double().mean().item()
    told = max(share, 1 - share)  # by a plane that calls all the same
    if 0 < glasses[:most].sum() < most:
        line = LogisticRegression(max_iter=1000).fit(w[:most], glasses[:most])
        told = line.score(w[most:], glasses[most:])
    heads, skins = (len(found[key].unique()) for key in ("head", "skin"))
    plain = f"commonest answer: {max(share, 1 - share):.1%}"
    return {
        "precision and recall, as many as held-out images": f"{precision:.2f}, {recall:.2f}",
        f"found among {n:,} by `classifier_peeps`": f"{heads} of 47 heads, {skins} of 5 skins",
        "glasses told by one plane in W": f"{told:.1%} ({plain})",
        "pixels moved by other noise": f"{noise_share(model):.2%} of what other people move",
    }


@torch.no_grad()
def noise_share(model: StyleGenerator, people: int = 64, draws: int = 8) -> float:
    """How far other noise moves the pixels, as a share of how far other people do."""
    generator = torch.Generator().manual_seed(2)
    ws = model.ws(torch.randn(people, model.nz, generator=generator))
    x = torch.stack([model.synthesis(ws, generator=generator) for _ in range(draws)])
    return (x.std(0).mean() / x[0].std(0).mean()).item()


# Three kinds of judges, all else alike: pixels, fixed features, both


def style_peeps32_pixels(steps: int = 600) -> None:
    _judged("pixels", steps)


def style_peeps32_fixed(steps: int = 600) -> None:
    _judged("fixed", steps)


def style_peeps32_both(steps: int = 600) -> None:
    _judged("both", steps)


class Blind(nn.Module):
    """Gives every picture the score 0: then only `StyleStep`'s second judge is left."""

    def __init__(self):
        super().__init__()
        self.score = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.score.expand(len(x))


def _judged(kind: str, steps: int, batch: int = 16, seed: int = 41) -> None:
    name, home = f"style_peeps32_{kind}", device.choose().device
    faces, held_out = (data.load("peeps", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    generator = StyleGenerator(channels=NARROW, size=32).to(home)
    judge = Blind() if kind == "fixed" else StyleDiscriminator(channels=NARROW, size=32)
    heads = None if kind == "pixels" else fixed_heads().to(home)
    r1 = 0.0 if kind == "fixed" else 0.1
    step = StyleStep(generator, judge.to(home), projected=heads, r1=r1, ema=0.995)
    batches = faces.batches(batch, home, torch.Generator().manual_seed(seed))
    begin = process_time()
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    spent = process_time() - begin
    model = round_weights(step.ema.model.cpu())
    told = {"pixels": "D on pixels", "fixed": "heads on `ae_peeps32`'s encoder", "both": "both"}
    card = {
        "what": f"a style-based generator, channels {NARROW}, judged by {told[kind]}",
        "data": f"peeps, {len(faces):,} training images; measured on {len(held_out):,} others",
        "steps": f"{history.steps:,} of {batch} images, Adam 0.002, EMA 0.995",
        "CPU seconds": f"{spent:.0f}",
        "seed": seed,
        **circumstances(name, history.seconds),
        **likeness(lambda n, generator: model.sample(n, generator=generator), held_out),
    }
    save_weights(name, model, card)


# Clothes by class


def big_generator() -> BigGANGenerator:
    return BigGANGenerator(10, 64, 32, ch=16, widths=(4, 4, 2, 2), attention=None, nc=1)


class SmallProjection(nn.Module):
    """Strided convolutions of spectral norm 1 and a projection on the class: pictures → (B,).

    BigGAN's residual D was tried at four pairs of learning rates. At those below, the classifier
    read the requested class in 62 % of the pictures after 647 steps; the three other runs were
    stopped after 80 steps, still at chance. The reason was not looked for.
    """

    def __init__(self, classes: int = 10, widths: tuple[int, ...] = (4, 32, 64, 96)):
        super().__init__()
        normed = parametrizations.spectral_norm
        self.first = normed(nn.Conv2d(widths[0], widths[1], 3, padding=1))
        pairs = zip(widths[1:-1], widths[2:], strict=True)
        self.halvings = nn.ModuleList(normed(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairs)
        self.score = normed(nn.Linear(widths[-1], 1))
        self.embedding = normed(nn.Embedding(classes, widths[-1]))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(F.pixel_unshuffle(x, 2)), 0.1)
        for conv in self.halvings:
            x = F.leaky_relu(conv(x), 0.1)
        h = x.sum((2, 3)).float()
        return self.score(h).flatten() + (self.embedding(labels) * h).sum(1)


def big_fashion32(steps: int = 700, batch: int = 32, seed: int = 42, n: int = 5000) -> None:
    name, home = "big_fashion32", device.choose().device
    clothes, held_out = (data.load("fashion", split, size=32) for split in SPLITS)
    torch.manual_seed(seed)
    step = gan.AdversarialStep(
        big_generator().to(home),
        SmallProjection().to(home),
        "hinge",
        g_lr=5e-4,
        d_lr=2e-3,
        betas=(0.0, 0.99),
        ema=0.998,
    )
    batches = clothes.batches(batch, home, torch.Generator().manual_seed(seed), with_labels=True)
    history = train(step, batches, steps, title=name, checkpoint=f"runs/{name}")
    model = step.ema.model.cpu()
    torch.manual_seed(seed)
    standing_statistics(model)
    model = round_weights(model)

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return gan.sample(model, n, labels=torch.arange(n) % 10, generator=generator)

    made = sample(n, torch.Generator().manual_seed(0))
    right = (Classifier("fashion").classify(made) == torch.arange(n) % 10).double().mean()
    card = {
        "what": "BigGAN in small: conditional BatchNorm, z in chunks; average of its weights",
        "data": f"fashion, {len(clothes):,} training images",
        "steps": f"{history.steps:,} of {batch} images, hinge, Adam 0.0005 and D 0.002, EMA 0.998, "
        "projection D, spectral norm, standing statistics",
        "seed": seed,
        **circumstances(name, history.seconds),
        "asked class delivered, by `classifier_fashion`": f"{right:.1%} of {n:,}",
        **likeness(sample, held_out),
    }
    save_weights(name, model, card)


RECIPES = (
    style_peeps32,
    style_peeps32_pixels,
    style_peeps32_fixed,
    style_peeps32_both,
    big_fashion32,
)

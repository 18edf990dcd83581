"""What does a generator keep of its training set, and what does it pass on? Trained many times.

    python -m course_lib.studies.audits

runs what is missing in `memorised.csv` (one model, 20 to 2,000 faces), `planted.csv` (faces that
stand 64, 16 or 4 times among 200 others) and `attributes.csv` (a share of the people wear
glasses; what comes out of a VAE, a GAN and a flow), one run a core, and writes each result down at
once.

All faces are 16 × 16 pixels, so a run takes less than a minute of one core. What is the same
for all runs of a table: the network, the batch, the steps, the judge.
"""

from dataclasses import replace
from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from course_lib import auditing, data, dcgan, device, gan, studies
from course_lib.autoencoders import VAE, VAEStep
from course_lib.diffusion import FLOW_TIME, FlowStep, flow_sample
from course_lib.unet import UNet

SIDE = 16  # pixels
SIZES = (20, 100, 500, 2000)  # faces to learn from
PLANTED = {64: 1, 16: 1, 4: 1, 1: 200}  # times -> how many faces stand so often
SEEDS = range(2)
STEPS, BATCH, RATE = 2000, 32, 2e-3
STRANGERS = 500  # faces that were not learned, from the same law
NEAR = 0.15  # a copy has a smaller ratio; of 20 faces about 1 % of the strangers have
JUDGED = 1000  # pictures

KINDS = ("vae", "gan", "flow")
SHARES = (0.5, 0.7, 0.9)  # of the people who wear glasses
BIAS_SEEDS = range(3)
BIAS_STEPS, BIAS_BATCH = 600, 64
MARK_TIMES = torch.linspace(0.1, 0.9, 8)  # of the flow, at which a picture's loss is taken


# Copies, and who was a member


def members(size: int, seed: int) -> tuple[data.ImageSet, data.ImageSet]:
    """So many faces to learn from, and 500 strangers: one shuffle of the training set, cut."""
    faces = _faces()
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(100 + seed))
    return faces[order[:size]], faces[order[-STRANGERS:]]


def plant(faces: data.ImageSet, counts: dict[int, int]) -> tuple[data.ImageSet, Tensor]:
    """The set with its first faces repeated: times -> how many; and the times of each face."""
    times = torch.cat([torch.full((n,), k) for k, n in counts.items()])
    return faces[torch.arange(len(times)).repeat_interleave(times)], times


def learned(faces: data.ImageSet, seed: int, steps: int = STEPS, batch: int = BATCH) -> UNet:
    """A small flow, trained on these faces; the average of its weights."""
    torch.manual_seed(seed)
    net = UNet(3, 32, patch=2).to(device.choose().device)
    step = FlowStep(net, lr=RATE, ema=0.99, steps=steps)
    generator = torch.Generator().manual_seed(seed)
    batches = faces.batches(min(batch, len(faces)), device.choose().device, generator)
    for _ in range(steps):
        step(next(batches))
        step.ema.update()
    return step.ema.model


def draw(model: UNet, n: int, seed: int, steps: int = 20) -> Float[Tensor, "n 3 16 16"]:
    """n pictures by the flow, in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    parts = torch.arange(n).split(500)
    made = [
        flow_sample(model, (len(p), 3, SIDE, SIDE), generator=generator, steps=steps) for p in parts
    ]
    return torch.cat(made).clamp(-1, 1).cpu()


@torch.no_grad()
def losses(model: UNet, x: Float[Tensor, "n 3 16 16"]) -> Float[Tensor, " n"]:
    """The loss of each picture by itself: the mean over 8 times, with noise from one seed."""
    generator, total = torch.Generator().manual_seed(0), torch.zeros(len(x))
    where = next(model.parameters()).device
    for t in MARK_TIMES:
        noise = torch.randn(x.shape, generator=generator)
        xt, now = x + t * (noise - x), torch.full((len(x),), FLOW_TIME * t.item())
        parts = zip(xt.split(500), now.split(500), strict=True)
        v = torch.cat([model(a.to(where), b.to(where)).float().cpu() for a, b in parts])
        total += (v - (noise - x)).square().flatten(1).mean(1) / len(MARK_TIMES)
    return total


def memory(size: int, seed: int, steps: int = STEPS, judged: int = JUDGED) -> dict:
    """One cell of `memorised.csv`: how many of the pictures are copies, and how many of the
    strangers would be called so; the area of membership by loss; of how many pictures the nearest
    image was seen in training, among as many seen as unseen ones.
    """
    known, strangers = members(size, seed)
    model = learned(known, seed, steps)
    x, unseen, made = known.floats(), strangers.floats(), draw(model, judged, seed)
    ratios, floor = (auditing.copy_ratios(pictures, x)[0] for pictures in (made, unseen))
    some = min(size, STRANGERS)
    seen, _ = auditing.seen_share(made, x[:some], unseen[:some])
    auc = auditing.membership_auc(losses(model, x[:some]), losses(model, unseen))
    return {
        "size": size,
        "seed": seed,
        "steps": steps,
        "judged": judged,
        "copies": int((ratios < NEAR).sum()),
        "median_ratio": round(ratios.median().item(), 4),
        "strangers": STRANGERS,
        "called": int((floor < NEAR).sum()),
        "members": some,
        "auc": round(auc, 4),
        "seen": round(seen * judged),
    }


def planted(
    seed: int, steps: int = STEPS, judged: int = JUDGED, counts: dict[int, int] | None = None
) -> list[dict]:
    """One run of `planted.csv`, a row for each number of times: how many pictures are copies of a
    face that stands so often in the training set, and how many strangers would be called so.
    """
    counts = counts or PLANTED
    different, strangers = members(sum(counts.values()), 50 + seed)
    known, times = plant(different, counts)
    model, x = learned(known, seed, steps), different.floats()

    def copied(pictures):  # how often the original of each copy stands in the training set
        ratios, originals = auditing.copy_ratios(pictures, x)
        return times[originals[ratios < NEAR]]

    drawn, called = copied(draw(model, judged, seed)), copied(strangers.floats())
    row = {"seed": seed, "rows": len(known), "steps": steps, "judged": judged}
    return [
        {
            **row,
            "times": k,
            "faces": n,
            "copies": int((drawn == k).sum()),
            "strangers": STRANGERS,
            "called": int((called == k).sum()),
        }
        for k, n in counts.items()
    ]


# Which share comes out


def people(share: float, seed: int, split: str = "train") -> data.ImageSet:
    """The 1,789 people who were drawn with and without glasses, each once: so many wear theirs."""
    bare, worn = _pairs(split)
    order = torch.randperm(len(bare), generator=torch.Generator().manual_seed(200 + seed))
    wears = order < round(share * len(bare))
    images = torch.where(wears.view(-1, 1, 1, 1), worn.images, bare.images)
    return replace(bare, images=images, attributes={"glasses": wears.long()}, labels=None)


@cache
def glasses_judge() -> nn.Module:
    """A network that tells glasses at 16 × 16, from the same people with and without."""
    bare, worn = _pairs("train")
    torch.manual_seed(0)
    net = dcgan.Discriminator(nc=3, ndf=16, size=SIDE, noise=0.2)
    step = auditing.DetectionStep(net, worn.floats(), lr=2e-3)
    batches = bare.batches(64, generator=torch.Generator().manual_seed(0))
    for _ in range(300):
        step(next(batches))
    return net.eval()


def wears_glasses(x: Float[Tensor, "n 3 16 16"]) -> Bool[Tensor, " n"]:
    """What `glasses_judge` says, as `auditing.attribute_shares` asks for it."""
    return auditing.detect(glasses_judge(), x) > 0


def bias(kind: str, share: float, seed: int, steps: int = BIAS_STEPS, judged: int = JUDGED) -> dict:
    """One cell of `attributes.csv`: how many pictures show glasses, of a model that learned from
    people of whom that share wears some.
    """
    made = drawn_by(kind, people(share, seed), seed, steps, judged)
    shown = int(wears_glasses(made).sum())
    return {
        "kind": kind,
        "share": share,
        "seed": seed,
        "steps": steps,
        "judged": judged,
        "shown": shown,
    }


def drawn_by(
    kind: str, faces: data.ImageSet, seed: int, steps: int, n: int
) -> Float[Tensor, "n 3 16 16"]:
    """Trains a "vae", a "gan" or a "flow" on the faces and draws n pictures."""
    if kind == "flow":
        return draw(learned(faces, seed, steps, BIAS_BATCH // 2), n, seed)
    torch.manual_seed(seed)
    if kind == "vae":
        net = VAE(size=SIDE, latent=16)
        step = VAEStep(net, steps=steps)
    elif kind == "gan":
        net = dcgan.Generator(nz=32, ngf=32, size=SIDE)
        judge = dcgan.Discriminator(ndf=32, size=SIDE, noise=0.3, first_batchnorm=True)
        step = gan.AdversarialStep(net, judge, lr=1e-3, ema=0.99)
    else:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    batches = faces.batches(BIAS_BATCH, generator=torch.Generator().manual_seed(seed))
    for _ in range(steps):
        step(next(batches))
        if kind == "gan":
            step.ema.update()
    generator = torch.Generator().manual_seed(seed)
    if kind == "gan":
        return gan.sample(step.ema.model, n, generator=generator)
    net.eval()
    with torch.no_grad():
        return net.decode(torch.randn(n, net.latent, generator=generator)).clamp(-1, 1)


@cache
def _faces() -> data.ImageSet:
    return data.load("peeps", size=SIDE)


@cache
def _pairs(split: str) -> tuple[data.ImageSet, data.ImageSet]:
    bare, worn = (
        data.load("peeps", split, size=SIDE, variant=kind)
        for kind in ("without_glasses", "with_glasses")
    )
    return bare, worn


def main() -> None:
    for seed in SEEDS:
        studies.fill("memorised", memory, [(size, seed) for size in SIZES], ("size", "seed"))
        studies.fill("planted", planted, [(seed,)], ("seed",))
        if seed == 0:  # the most telling first
            jobs = [(kind, share, s) for s in BIAS_SEEDS for share in SHARES for kind in KINDS]
            studies.fill("attributes", bias, jobs, ("kind", "share", "seed"))


if __name__ == "__main__":
    main()

"""Does a judge help a VAE? The same networks and training under three objectives, three seeds.

    python -m course_lib.studies.judged

runs what is missing in `judged.csv`: a VAE, VAE/GAN (Larsen et al. 2016) and IntroVAE (Huang et al.
2018) on peeps at 32 × 32, measured on images that were not trained on. Encoder, decoder, data,
steps, batch and learning rate are the same for all. Seed 0 of the last two is what is shipped.
"""

import torch

from course_lib import data, studies
from course_lib.autoencoders import VAE, Discriminator, IntroVAEStep, VAEGANStep, VAEStep
from course_lib.metrics import FeatureNet, fit_gaussian, frechet_distance, precision_recall
from course_lib.metrics import sharpness as sharpness_of
from course_lib.pretrained import load_weights

METHODS, SEEDS = ("VAE", "VAE/GAN", "IntroVAE"), range(3)
STEPS, BATCH, LR = 800, 64, 1e-3
SHIPPED = {"VAE/GAN": "vaegan_peeps32_800", "IntroVAE": "introvae_peeps32"}


def trained(method: str, seed: int, steps: int = STEPS) -> VAE:
    """The VAE that a method trains; as the recipes of the shipped weights do it."""
    torch.manual_seed(seed)
    model = VAE(nc=3, size=32, latent=32)
    if method == "VAE/GAN":
        step = VAEGANStep(model, Discriminator(nc=3, size=32), lr=LR, steps=steps)
    else:
        step = {"VAE": VAEStep, "IntroVAE": IntroVAEStep}[method](model, lr=LR, steps=steps)
    generator = torch.Generator().manual_seed(seed)
    batches = data.load("peeps", size=32).batches(BATCH, generator=generator)
    for _ in range(steps):
        step(next(batches))
    return model


def measured(model: VAE) -> dict[str, float]:
    """As many samples as there are held-out faces against these, and how well it rebuilds them."""
    x = data.load("peeps", split="test", size=32).floats()
    samples = model.sample(len(x), torch.Generator().manual_seed(0))
    net = FeatureNet("peeps")
    real, made = net.features(x), net.features(samples)
    precision, recall = precision_recall(real, made)
    scores = {
        "frechet": frechet_distance(*fit_gaussian(real), *fit_gaussian(made)),
        "precision": precision,
        "recall": recall,
        "error": (model.reconstruct(x) - x).square().mean().item(),
        "sharpness": sharpness_of(samples).mean().item(),
    }
    return {name: round(value, 4) for name, value in scores.items()}


def run(method: str, seed: int) -> dict[str, str | float]:
    """One VAE, trained by `method` or shipped for seed 0: its row of the table."""
    if seed == 0 and method in SHIPPED:
        model = load_weights(SHIPPED[method], VAE(nc=3, size=32, latent=32))
    else:
        model = trained(method, seed)
    return {"method": method, "seed": seed, **measured(model)}


def main() -> None:
    jobs = [(method, seed) for seed in SEEDS for method in METHODS]
    studies.fill("judged", run, jobs, ("method", "seed"))


if __name__ == "__main__":
    main()

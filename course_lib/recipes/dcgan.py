"""Recipes of the weights of lecture 04's DCGANs."""

from course_lib import dcgan
from course_lib.recipes.gan import train_gan


def dcgan_fashion32() -> None:
    players = dcgan.Generator(nc=1, ngf=32, size=32), dcgan.Discriminator(nc=1, ndf=32, size=32)
    train_gan("dcgan_fashion32", *players, "fashion", 32, seed=12, steps=6000, batch=64)


def dcgan_peeps64() -> None:
    players = dcgan.Generator(nz=128), dcgan.Discriminator(first_batchnorm=True, noise=0.3)
    train_gan("dcgan_peeps64", *players, "peeps", 64, seed=13, steps=4500, batch=32, d_lr=5e-5)


RECIPES = (
    dcgan_fashion32,
    dcgan_peeps64,
)

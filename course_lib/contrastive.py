"""Pictures and sentences in one space: what belongs together lies together.

One network reads, another looks, and both learn from which sentence belongs to which picture of a
batch (Radford et al. 2021). The cosine of their answers then says how well a text fits a picture:
enough to find pictures by text, to classify without classes, and to steer a generator.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib import device
from course_lib.attention import Block, adamw
from course_lib.checks import (
    DEPTH,
    at_least_one,
    below,
    floats,
    instance,
    integers,
    number,
    several,
    shaped,
    whole,
)
from course_lib.words import END, LENGTH, PAD, tokeniser


def contrastive_loss(
    pictures: Float[Tensor, "B e"], sentences: Float[Tensor, "B e"], scale: float | Tensor
) -> Float[Tensor, ""]:
    """How hard it is to find the sentence of each picture, and the picture of each sentence.

    ½ [CE(scale · cos(pictures, sentences), i = j) + the same of its transpose]

    Row i of both belongs together. With equal vectors it is log B. Raises ValueError unless both
    are (B, e). Source: Radford et al. 2021, figure 3.
    """
    shaped("pictures", pictures, "B", "e")
    shaped("sentences", sentences, *pictures.shape, like=pictures)
    number("scale", scale) if not isinstance(scale, Tensor) else floats("scale", scale.view(-1))
    logits = scale * F.normalize(pictures, dim=1) @ F.normalize(sentences, dim=1).T
    right = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


class TextEncoder(nn.Module):
    """Encoded sentences (B, length) -> a vector for each word (B, length, width).

    depth: layers of a transformer in which all words see each other, padding unseen; with 0 each
    word stands for itself and their order is lost. `pooled` is the mean over the words, (B, width).
    """

    def __init__(
        self, words: int, width: int = 96, depth: int = 2, heads: int = 4, length: int = LENGTH
    ):
        super().__init__()
        at_least_one(words=words, width=width, heads=heads, length=length)
        whole("depth", depth, 0, most=DEPTH)
        self.word, self.place = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp=2) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.word.weight, std=0.05)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, text: Int[Tensor, "B length"]) -> Float[Tensor, "B length width"]:
        if integers("text", text).ndim != 2 or text.shape[1] > len(self.place.weight):
            raise ValueError(f"text must be (B, {len(self.place.weight)}); got {tuple(text.shape)}")
        below("text", text, len(self.word.weight), like=self.word.weight)
        x = self.word(text)
        if len(self.blocks):
            x = x + self.place.weight[: text.shape[1]]
        real = real_words(text)[:, None, None]
        for block in self.blocks:
            x = block(x, real)
        return self.norm(x)

    def pooled(self, text: Int[Tensor, "B length"]) -> Float[Tensor, "B width"]:
        said = (integers("text", text) > END).to(self.word.weight.dtype)[..., None]
        return (self(text) * said).sum(1) / said.sum(1).clamp(min=1)


def real_words(text: Int[Tensor, "B length"]) -> Bool[Tensor, "B length"]:
    """True for words and for the end of a sentence, False for padding."""
    return integers("text", text, 2) != PAD


class PictureTextModel(nn.Module):
    """Pictures and sentences as unit vectors of one space: cosines tell what belongs together.

    see: (B, nc, size, size) in [-1, 1] -> (B, dim). read: encoded sentences -> (B, dim).
    `scale` multiplies the cosines in training; it is learned, from 1 / 0.07 up to 100.
    Raises ValueError for pictures of another shape. Source: Radford et al. 2021, section 2.3.
    """

    def __init__(
        self,
        words: int | None = None,
        nc: int = 3,
        size: int = 32,
        dim: int = 64,
        width: int = 48,
        depth: int = 2,
        length: int = LENGTH,
    ):
        super().__init__()
        at_least_one(nc=nc, size=size, dim=dim, width=width, length=length)
        whole("depth", depth, 0, most=DEPTH)
        if words is not None:
            at_least_one(words=words)
        if size % 8 or width % 16:
            raise ValueError(f"size must divide by 8 and width by 16; got {size} and {width}")
        self.shape, self.dim = (nc, size, size), dim
        self.eye = nn.Sequential(
            nn.PixelUnshuffle(2), *_seen_by(4 * nc, width), nn.Conv2d(width, width, 2, stride=2),
            *_seen_by(width, 2 * width), nn.Conv2d(2 * width, 2 * width, 2, stride=2),
            *_seen_by(2 * width, 2 * width), nn.Flatten(),
            nn.Linear(2 * width * (size // 8) ** 2, dim),
        )  # fmt: skip
        self.reader = TextEncoder(words or len(tokeniser()), 2 * width, depth, length=length)
        self.say = nn.Linear(2 * width, dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @property
    def scale(self) -> Tensor:
        return self.log_scale.clamp(max=math.log(100)).exp()

    def see(self, x: Float[Tensor, "B nc size size"]) -> Float[Tensor, "B dim"]:
        shaped("x", x, "B", *self.shape, like=self.say.weight)
        return F.normalize(self.eye(x).float(), dim=1)

    def read(self, text: Int[Tensor, "B length"]) -> Float[Tensor, "B dim"]:
        return F.normalize(self.say(self.reader.pooled(text)).float(), dim=1)

    def maps(self, x: Float[Tensor, "B nc H W"]) -> Float[Tensor, "B width h w"]:
        """What its first convolution sees, at half the size: for distances between pictures."""
        shaped("x", x, "B", *self.shape, like=self.say.weight)
        return self.eye[:4](x).float()


def _seen_by(inputs: int, outputs: int) -> list[nn.Module]:
    norm = nn.GroupNorm(outputs // 16, outputs)
    return [nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.SiLU()]


class ContrastiveStep:
    """One step of AdamW on `contrastive_loss` of batches (pictures, encoded sentences).

    Each batch is shifted by up to a pixel. steps: how many there will be; the learning rate as in
    `attention.adamw`. Returns the loss, and the share of pictures
    that find their own sentence in the batch.
    """

    def __init__(self, model: PictureTextModel, lr: float = 1e-3, steps: int | None = None):
        instance("model", model, PictureTextModel)
        self.model = model
        self.optimizer, self.schedule = adamw(model, lr, steps)

    def __call__(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x, text = several("batch", batch, instance, Tensor)
        shaped("batch", x, "B", *self.model.shape, like=self.model.log_scale)
        with device.choose().autocast():
            pictures, sentences = self.model.see(shifted(x)), self.model.read(text)
        loss = contrastive_loss(pictures, sentences, self.model.scale)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        own = torch.arange(len(x), device=x.device)
        found = ((pictures @ sentences.T).argmax(1) == own).float().mean()
        return {"loss": loss.detach(), "found": found.detach()}


def shifted(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """The batch moved by up to one pixel each way; the border is repeated."""
    dy, dx = torch.randint(0, 3, (2,), device="cpu").tolist()
    h, w = shaped("x", x, "B", "C", "H", "W").shape[2:]
    return F.pad(x, (1, 1, 1, 1), mode="replicate")[:, :, dy : dy + h, dx : dx + w]

"""One transformer over words and the tokens of pictures, in two ways of drawing.

- Next token: what comes next, given all that came before; a picture is drawn place after place, and
  the same network that draws from a sentence also writes a sentence of a picture (Yu et al. 2023,
  CM3Leon; Ramesh et al. 2021, DALL-E).
- Masked: all hidden places at once, given those that are seen; the surest answers stay, the rest is
  hidden again (Chang et al. 2022, MaskGIT; 2023, Muse).

Pictures are tokens (B, N) in 0 … K − 1, a map of a codebook row by row; sentences are encoded,
(B, L), as `words.Tokeniser` does.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course_lib import device
from course_lib.attention import Block, Cache, adamw, causal_mask
from course_lib.checks import (
    DEPTH,
    MANY,
    at_least_one,
    below,
    beside,
    finite,
    floats,
    instance,
    integers,
    number,
    one_of,
    random_source,
    several,
    shaped,
    truths,
    whole,
)
from course_lib.diffusion import guided_noise
from course_lib.words import END, LENGTH, PAD, tokeniser

DROP = 0.1  # the share of sentences that masked training hides

# The network


class TokenTransformer(nn.Module):
    """ids (B, n) and their places (n,) -> scores (B, n, vocabulary), logits.

    One vocabulary for all: `words` words, then `codes` codes, then three marks: IMAGE (a picture
    begins), TEXT (a sentence begins) and MASK (hidden). Places 0 … length − 1 are those of a
    sentence, the next `side²` those of a picture, and the last is that of a mark.

    `told(text)`, `drawn(image)` and `mark("IMAGE", n)` are pieces (ids, places) of a sequence, and
    `joined` puts them together. Raises ValueError for ids and places of different length.
    """

    def __init__(
        self,
        words: int | None = None,
        codes: int = 256,
        side: int = 8,
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        length: int = LENGTH,
    ):
        super().__init__()
        words = len(tokeniser()) if words is None else words
        at_least_one(words=words, codes=codes, side=side, width=width, heads=heads, length=length)
        whole("depth", depth, most=DEPTH)
        self.words, self.codes, self.length, self.n = words, codes, length, side**2
        self.marks = {"IMAGE": words + codes, "TEXT": words + codes + 1, "MASK": words + codes + 2}
        self.token = nn.Embedding(words + codes + 3, width)
        self.place = nn.Embedding(length + self.n + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words + codes)
        for table in (self.token, self.place):
            nn.init.normal_(table.weight, std=0.02)
        for block in self.blocks:  # as GPT-2: the sum of all layers begins no larger than one
            for layer in (block.attention.answer, block.down):
                nn.init.normal_(layer.weight, std=0.02 / (2 * depth) ** 0.5)

    def forward(
        self,
        ids: Int[Tensor, "B n"],
        places: Int[Tensor, " n"],
        mask: Bool[Tensor, "n m"] | None = None,
        caches: list[Cache] | None = None,
    ) -> Float[Tensor, "B n vocabulary"]:
        token, place = self.token.weight, self.place.weight
        below("ids", ids, len(token), "B", "n", like=token)
        below("places", places, len(place), ids.shape[1], like=token)
        if mask is not None:
            truths("mask", mask)
        layers = len(self.blocks)
        if caches is not None and len(several("caches", caches, instance, Cache)) != layers:
            raise ValueError(f"caches must be {layers}, one a layer; got {len(caches)}")
        x = self.token(ids) + self.place(places)
        for i, block in enumerate(self.blocks):
            x = block(x, mask, None if caches is None else caches[i])
        return self.head(self.norm(x))

    def told(self, text: Int[Tensor, "B l"]) -> tuple[Tensor, Tensor]:
        if integers("text", text).ndim != 2 or text.shape[1] > self.length:
            raise ValueError(f"text must be (B, {self.length}); got {tuple(text.shape)}")
        below("text", text, self.words, like=self.token.weight)
        return text, torch.arange(text.shape[1], device=text.device)

    def drawn(self, image: Int[Tensor, "B k"], first: int = 0) -> tuple[Tensor, Tensor]:
        """The tokens of a picture, or those of them that begin at the place `first`."""
        whole("first", first, 0)
        if integers("image", image).ndim != 2 or first + image.shape[1] > self.n:
            raise ValueError(f"image must be (B, {self.n}), row by row; got {tuple(image.shape)}")
        below("image", image, self.codes, like=self.token.weight)
        places = torch.arange(image.shape[1], device=image.device) + self.length + first
        return self.words + image, places

    def mark(self, name: str, n: int) -> tuple[Tensor, Tensor]:
        one_of("name", name, self.marks), at_least_one(n=n)
        where = self.token.weight.device
        ids = torch.full((n, 1), self.marks[name], device=where)
        return ids, torch.full((1,), self.length + self.n, device=where)


def joined(*pieces: tuple[Tensor, Tensor]) -> tuple[Int[Tensor, "B n"], Int[Tensor, " n"]]:
    """Pieces of a sequence one after the other: ids and places."""
    if not pieces:
        raise ValueError("pieces must hold at least one; got none")
    ids, places = zip(*pieces, strict=True)
    return torch.cat(ids, dim=1), torch.cat(places)


# Learning to say what comes next


def next_token_loss(
    logits: Float[Tensor, "B n V"], tokens: Int[Tensor, "B n"], start: int, ignore: int = -100
) -> Float[Tensor, ""]:
    """The mean cross-entropy of the tokens from place `start` on, each told by the place before it.

    logits[:, i] are of the token at place i + 1. Tokens equal to `ignore` do not count. Raises
    ValueError unless 1 ≤ start < n, and for shapes that disagree.
    """
    b, n, v = shaped("logits", logits, "B", "n", "V").shape
    if beside("tokens", integers("tokens", tokens), logits).shape != (b, n):
        raise ValueError(f"tokens must be {(b, n)}; got {tuple(tokens.shape)}")
    whole("start", start, most=n - 1), whole("ignore", ignore, -math.inf)
    if tokens.device.type == "cpu":  # a GPU would wait for the mask
        below("tokens", tokens[:, start:][tokens[:, start:] != ignore], v)
    told, asked = logits[:, start - 1 : -1], tokens[:, start:]
    return F.cross_entropy(told.flatten(0, 1), asked.flatten(), ignore_index=ignore)


class NextTokenStep:
    """One step of AdamW on next tokens: batches (image (B, N), text (B, L)).

    The first half of a batch reads its sentence and draws; the second half draws without one, and
    then writes the sentence of what it has drawn. So one network draws from words, draws alone
    (which guidance needs) and writes captions. lr, steps as of `attention.adamw`. Returns a loss in
    nats a token for each of the three: picture, alone, caption.
    """

    def __init__(self, model: TokenTransformer, lr: float = 2e-3, steps: int | None = None):
        instance("model", model, TokenTransformer)
        self.model = model
        self.optimizer, self.schedule = adamw(model, lr, steps)

    def __call__(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        net, (image, text) = self.model, several("batch", batch, integers)
        half = len(image) // 2
        if half < 1:
            raise ValueError(f"a batch must hold at least 2 pictures; got {len(image)}")
        image = image.flatten(1)
        with device.choose("matrix products").autocast():
            ids, scores = self._read(
                net.told(text[:half]), net.mark("IMAGE", half), net.drawn(image[:half])
            )
            losses = {"picture": next_token_loss(scores, ids, net.length + 1)}
            rest = len(image) - half
            ids, scores = self._read(
                net.mark("IMAGE", rest),
                net.drawn(image[half:]),
                net.mark("TEXT", rest),
                net.told(text[half:]),
            )
            losses["alone"] = next_token_loss(scores[:, : net.n + 1], ids[:, : net.n + 1], 1)
            losses["caption"] = next_token_loss(scores, ids, net.n + 2, ignore=PAD)
        _descend(sum(losses.values()), net, self.optimizer, self.schedule)
        return {name: loss.detach() for name, loss in losses.items()}

    def _read(self, *pieces: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        ids, places = joined(*pieces)
        mask = causal_mask(len(places), device=ids.device)
        return ids, self.model(ids, places, mask).float()


# Learning to fill in


def masked_input(
    tokens: Int[Tensor, "B N"], u: Float[Tensor, " B"], ranks: Int[Tensor, "B N"], mask: int
) -> tuple[Int[Tensor, "B N"], Bool[Tensor, "B N"]]:
    """What masked training shows, and which places count: those that are hidden.

    Of each row ⌈cos(π u / 2) N⌉ places are hidden, at least one: those of the lowest ranks, which
    are 0 … N − 1 in any order. Raises ValueError for shapes that disagree.
    Source: Chang et al. 2022, section 3.3.
    """
    integers("tokens", tokens, 2), whole("mask", mask, 0)
    beside("u", finite("u", shaped("u", u, len(tokens)), wait=False), tokens)
    if beside("ranks", integers("ranks", ranks), tokens).shape != tokens.shape:
        raise ValueError(f"ranks must be {tuple(tokens.shape)}; got {tuple(ranks.shape)}")
    n = ((math.pi / 2 * u).cos() * tokens.shape[1]).ceil().clamp(min=1)
    hidden = ranks < n[:, None]
    return torch.where(hidden, mask, tokens), hidden


class MaskedStep:
    """One step of AdamW on hidden tokens: batches (image (B, N), text (B, L)).

    One sentence in ten is hidden too, so that the network also learns to draw without. Returns the
    loss in nats a hidden token. Arguments as of `NextTokenStep`.
    """

    def __init__(self, model: TokenTransformer, lr: float = 2e-3, steps: int | None = None):
        instance("model", model, TokenTransformer)
        self.model = model
        self.optimizer, self.schedule = adamw(model, lr, steps)

    def __call__(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        net, (image, text) = self.model, several("batch", batch, integers)
        image, b, where = image.flatten(1), len(image), image.device
        silent = torch.rand(b, 1, device=where) < DROP
        text = torch.where(silent, nothing(text), text)
        ranks = torch.rand(image.shape, device=where).argsort(1)  # a random order of the places
        ids, hidden = masked_input(
            net.words + image, torch.rand(b, device=where), ranks, net.marks["MASK"]
        )
        _, places = net.drawn(image)
        with device.choose("matrix products").autocast():
            scores = net(*joined(net.told(text), (ids, places)))[:, net.length :, net.words :]
        losses = F.cross_entropy(scores.float().transpose(1, 2), image, reduction="none")
        loss = (losses * hidden).sum() / hidden.sum()
        _descend(loss, net, self.optimizer, self.schedule)
        return {"loss": loss.detach()}


def nothing(text: Int[Tensor, "B l"]) -> Int[Tensor, "B l"]:
    """Sentences of the same shape without a word."""
    first = torch.arange(integers("text", text, 2).shape[1], device=text.device) == 0
    return torch.where(first, END, PAD).to(text.dtype).expand(text.shape)


def _descend(loss: Tensor, net: nn.Module, optimizer, schedule) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()


# Choosing a token


def nucleus(logits: Float[Tensor, "*B V"], p: float) -> Float[Tensor, "*B V"]:
    """The logits, −∞ outside the fewest tokens that together hold the probability p.

    The token that crosses p stays, so that one is always left. Raises ValueError unless 0 < p ≤ 1.
    Source: Holtzman et al. 2020, eq. 2.
    """
    floats("logits", logits), number("p", p, above=0, most=1)
    if p == 1:
        return logits
    probabilities, order = logits.softmax(-1).sort(-1, descending=True)
    before = probabilities.cumsum(-1) - probabilities  # held by the likelier ones
    cut = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before > p - 1e-6)
    return logits.masked_fill(cut, -math.inf)


def choose(
    logits: Float[Tensor, "*B V"],
    generator: torch.Generator | None = None,
    temperature: float = 1.0,
    p: float = 1.0,
) -> Int[Tensor, "*B"]:
    """A token each, drawn from softmax(logits / temperature) within its nucleus.

    Temperature 0 takes the likeliest. Raises ValueError for a temperature below 0 and as `nucleus`.
    """
    floats("logits", logits), random_source(generator)
    number("temperature", temperature, 0), number("p", p, above=0, most=1)
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits / temperature
    probabilities = (logits if p == 1 else nucleus(logits, p)).softmax(-1)
    where = logits.device if generator is None else generator.device
    flat = probabilities.reshape(-1, logits.shape[-1]).to(where)
    if flat.device.type == "cpu" and not flat.isfinite().all():
        raise ValueError("logits must be below infinity, one of each row above −∞; got others")
    drawn = torch.multinomial(flat, 1, generator=generator)
    return drawn.view(logits.shape[:-1]).to(logits.device)


# Drawing the next token


@torch.no_grad()
def draw_next(
    net: TokenTransformer,
    text: Int[Tensor, "B L"],
    generator: torch.Generator | None = None,
    guidance: float = 1.0,
    temperature: float = 1.0,
    p: float = 1.0,
    cached: bool = True,
) -> Int[Tensor, "B N"]:
    """Pictures as tokens, place after place, each drawn given all before it.

    guidance: w of `diffusion.guided_noise`, here of logits: p(token | sentence)^w p(token)^(1 − w),
    normalised. temperature and p as of `choose`. cached=False computes every place anew each time:
    the same pictures, several times slower. Raises ValueError as `choose` and `guided_noise`.
    """
    instance("net", net, TokenTransformer), integers("text", text, 2), random_source(generator)
    number("guidance", guidance), number("temperature", temperature, 0)
    readers = [_Reader(net, [net.told(text), net.mark("IMAGE", len(text))], cached)]
    if guidance != 1:
        readers.append(_Reader(net, [net.mark("IMAGE", len(text))], cached))
    found: list[Tensor] = []
    for i in range(net.n):
        scores = [reader.scores()[:, net.words :] for reader in readers]
        logits = scores[0] if guidance == 1 else guided_noise(*scores, guidance)
        found.append(choose(logits, generator, temperature, p))
        for reader in readers:
            reader.add(net.drawn(found[-1][:, None], first=i))
    return torch.stack(found, dim=1)


@torch.no_grad()
def caption(
    net: TokenTransformer,
    image: Int[Tensor, "B N"],
    generator: torch.Generator | None = None,
    temperature: float = 0.0,
    cached: bool = True,
) -> Int[Tensor, "B L"]:
    """Sentences of pictures, word after word; temperature 0 takes the likeliest each time.

    After its end a sentence is padding.
    """
    instance("net", net, TokenTransformer), integers("image", image, 2), random_source(generator)
    begin = [net.mark("IMAGE", len(image)), net.drawn(image), net.mark("TEXT", len(image))]
    reader, found = _Reader(net, begin, cached), []
    over = torch.zeros(len(image), dtype=torch.bool, device=image.device)
    for i in range(net.length):
        word = choose(reader.scores()[:, : net.words], generator, temperature)
        found.append(torch.where(over, PAD, word))
        over = over | (word == END)
        reader.add((word[:, None], torch.full((1,), i, device=image.device)))
    return torch.stack(found, dim=1)


@torch.no_grad()
def log_likelihood(
    net: TokenTransformer, text: Int[Tensor, "B L"], image: Int[Tensor, "B N"]
) -> Float[Tensor, " B"]:
    """log p(sentence | picture) of the caption network, in nats: how well it reads its own drawing.

    So that of several drawings the one that tells the sentence best can be chosen.
    """
    instance("net", net, TokenTransformer), integers("text", text, 2)
    n = len(text)
    if len(integers("image", image, 2)) != n:
        raise ValueError(f"image must be {n}, a picture a sentence; got {len(image)}")
    ids, places = joined(
        net.mark("IMAGE", n), net.drawn(image), net.mark("TEXT", n), net.told(text)
    )
    scores = net(ids, places, causal_mask(len(places), device=ids.device))
    told = scores[:, net.n + 1 : -1, : net.words].log_softmax(-1)
    each = told.gather(-1, text[..., None]).squeeze(-1)
    return (each * (text != PAD)).sum(1)


class _Reader:
    """The scores of what comes next in a sequence that grows, with kept keys and values or anew."""

    def __init__(self, net: TokenTransformer, pieces: list[tuple[Tensor, Tensor]], cached: bool):
        self.net, self.read = net, pieces
        self.caches = [Cache() for _ in net.blocks] if cached else None
        self.past = 0

    def add(self, piece: tuple[Tensor, Tensor]) -> None:
        self.read.append(piece)

    def scores(self) -> Float[Tensor, "B vocabulary"]:
        ids, places = joined(*self.read)
        mask = causal_mask(len(places), self.past, ids.device)
        if self.caches is not None:
            self.past, self.read = self.past + len(places), []
        return self.net(ids, places, mask, self.caches)[:, -1].float()


# Drawing all at once


def left_hidden(n: int, steps: int) -> list[int]:
    """How many of n places are still hidden after each step: ⌊n cos(π i / 2 steps)⌋, and 0 at last.

    Raises ValueError for n or steps below 1. Source: Chang et al. 2022, section 3.2.
    """
    whole("n", n), whole("steps", steps, most=MANY)
    return [int(n * math.cos(math.pi / 2 * i / steps)) for i in range(1, steps)] + [0]


def keep_surest(
    tokens: Int[Tensor, "B N"],
    drawn: Int[Tensor, "B N"],
    confidence: Float[Tensor, "B N"],
    left: int,
    mask: int,
) -> Int[Tensor, "B N"]:
    """The hidden places of `tokens` filled from `drawn`, but the `left` least sure hidden again.

    Places that were not hidden stay. Raises ValueError for shapes that disagree and left < 0.
    """
    shape = integers("tokens", tokens, 2).shape
    if beside("drawn", integers("drawn", drawn), tokens).shape != shape:
        raise ValueError(f"drawn must be {tuple(shape)}; got {tuple(drawn.shape)}")
    finite("confidence", shaped("confidence", confidence, *shape), wait=False)
    beside("confidence", confidence, tokens), whole("left", left, 0), whole("mask", mask, 0)
    hidden = tokens == mask
    sure = confidence.masked_fill(~hidden, math.inf)
    again = sure.argsort(1)[:, :left]
    return torch.where(hidden, drawn, tokens).scatter(1, again, mask)


class Film(NamedTuple):
    """A picture that was drawn in steps: after each one (steps, B, N), −1 where still hidden."""

    tokens: Int[Tensor, "B N"]
    steps: Int[Tensor, "steps B N"]


@torch.no_grad()
def draw_masked(
    net: TokenTransformer,
    text: Int[Tensor, "B L"],
    generator: torch.Generator | None = None,
    steps: int = 8,
    guidance: float = 1.0,
    temperature: float = 1.0,
    noise: float = 4.5,
    order: str = "confidence",
    start: Int[Tensor, "B N"] | None = None,
    trace: bool = False,
) -> Int[Tensor, "B N"] | Film:
    """Pictures as tokens, all hidden places at once, in `steps` passes.

    After each pass the surest places stay, `left_hidden` says how many do not. noise: how much
    chance there is in who is called sure (times a Gumbel number), falling to 0 at the last step;
    order="random" leaves it all to chance. guidance, temperature as of `draw_next`. start: tokens
    that are known, −1 where a place is to be drawn, as many in each row. trace=True returns a
    `Film`. Raises ValueError for what does not fit. Source: Chang et al. 2022, section 3.2.
    """
    instance("net", net, TokenTransformer), integers("text", text, 2), random_source(generator)
    one_of("order", order, ("confidence", "random"))
    number("guidance", guidance), number("temperature", temperature, 0), number("noise", noise, 0)
    ids, hidden_first = _first_ids(net, text, start)
    mask, film = net.marks["MASK"], []
    places = torch.arange(net.n, device=text.device) + net.length
    sentences = [text] if guidance == 1 else [text, nothing(text)]
    for i, left in enumerate(left_hidden(hidden_first, steps)):
        scores = [
            net(*joined(net.told(told), (ids, places)))[:, net.length :, net.words :].float()
            for told in sentences
        ]
        logits = scores[0] if guidance == 1 else guided_noise(*scores, guidance)
        drawn = choose(logits, generator, temperature)
        sure = logits.log_softmax(-1).gather(-1, drawn[..., None]).squeeze(-1)
        chance = _uniform(sure, generator)
        if order == "random":
            sure = chance
        else:
            sure = sure - noise * (1 - (i + 1) / steps) * (-chance.log()).log()  # Gumbel
        ids = keep_surest(ids, net.words + drawn, sure, left, mask)
        film.append(torch.where(ids == mask, -1, ids - net.words))
    return Film(film[-1], torch.stack(film)) if trace else film[-1]


def _first_ids(net: TokenTransformer, text: Tensor, start: Tensor | None) -> tuple[Tensor, int]:
    """What is known at first, and how many places of each row are not."""
    mask = net.marks["MASK"]
    if start is None:
        return torch.full((len(text), net.n), mask, device=text.device), net.n
    if beside("start", integers("start", start), text).shape != (len(text), net.n):
        raise ValueError(f"start must be ({len(text)}, {net.n}); got {tuple(start.shape)}")
    below("start", start.clamp(min=0), net.codes)
    counts = (start < 0).sum(1).unique()
    if len(counts) != 1 or not counts[0]:
        raise ValueError(
            "start must have as many places to be drawn (−1) in each row, at least one"
        )
    return torch.where(start < 0, mask, net.words + start), int(counts[0])


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    where = like.device if generator is None else generator.device
    u = torch.rand(like.shape, generator=generator, device=where).to(like.device)
    return u.clamp(1e-9, 1 - 1e-6)  # whose logarithms are finite

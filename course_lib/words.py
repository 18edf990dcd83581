"""Words: sentences about drawn faces, how they become numbers, and how far a picture obeys one.

The faces of `peeps` come with what is known of each. From five of these facts a sentence is
composed, so that a text is true of its picture, and a picture can be held against its text: an
independent classifier looks and counts which of the facts it finds.
"""

import difflib
import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib import data, metrics
from course_lib.checks import (
    SIZE,
    at_least_one,
    below,
    floats,
    instance,
    number,
    one_of,
    present,
    random_source,
    several,
    texts,
    whole,
)
from course_lib.data import ImageSet

FACTS = ("face", "head", "skin", "glasses", "beard")  # what a sentence may tell, and a judge sees
LENGTH = 24  # of an encoded sentence; the longest has 20 words
WATCHED = 129  # the first test people: cards measure on them, and a training was chosen by them
PAD, END = 0, 1

# A word, or a phrase, and the drawings that it allows
FACES = {
    "amazed": "awe",
    "angry": "rage veryAngry",
    "blank": "blank",
    "calm": "calm contempt",
    "frightened": "fear hectic",
    "happy": "cheeky cute eatingHappy smile",
    "laughing": "smileBig smileLOL smileTeethGap",
    "loving": "lovingGrin1 lovingGrin2",
    "old": "old",
    "sad": "solemn",
    "sleepy": "eyesClosed tired",
    "stern": "driven serious suspicious",
    "talking": "explaining",
    "worried": "concerned concernedFear",
}
HEADS = {
    "an afro": "afro",
    "bangs": "bangs bangs2 mediumBangs3",
    "bantu knots": "bantuKnots",
    "a bun": "bun bun2 grayBun",
    "buns": "buns",
    "cornrows": "cornrows cornrows2",
    "dreadlocks": "dreads1 dreads2",
    "a flat top": "flatTop flatTopLong",
    "swept hair": "grayMedium",
    "a beanie": "hatBeanie",
    "a hat": "hatHip",
    "a hijab": "hijab",
    "long hair": "long",
    "a long afro": "longAfro",
    "long bangs": "longBangs",
    "curly hair": "longCurly",
    "a bob": "medium1 medium2 medium3 mediumBangs",
    "wavy hair": "mediumBangs2",
    "straight hair": "mediumStraight",
    "a mohawk": "mohawk mohawk2",
    "a bald head": "noHair1 noHair2 noHair3",
    "a quiff": "pomp short4",
    "shaved sides": "shaved1 shaved2 shaved3",
    "short hair": "grayShort short1 short2 short3 short5",
    "a turban": "turban",
    "twists": "twists twists2",
}
SKINS = {
    "light skin": "ffdbb4",
    "fair skin": "edb98a",
    "tan skin": "d08b5b",
    "brown skin": "ae5d29",
    "dark skin": "694d3d",
}
GLASSES = {
    "no glasses": "no",
    "glasses": "glasses glasses2 glasses3 glasses4 glasses5",
    "sunglasses": "sunglasses sunglasses2",
}
BEARDS = {
    "no beard": "no",
    "a beard": "chin full full2 full3 full4",
    "a goatee": "goatee1 goatee2",
    "a moustache": " ".join(f"moustache{i}" for i in range(1, 10)),
}
HAIR_COLOURS = {
    "black": "2c1b18",
    "dark brown": "4a312c",
    "brown": "724133",
    "light brown": "b58143",
    "red": "c93305 a55728",
    "blond": "ecdcbf d6b370",
    "white": "e8e1e1",
    "pink": "f59797",
}
CLOTH_COLOURS = {
    "orange": "e78276 ffcf77",
    "yellow": "fdea6b",
    "green": "78e185",
    "blue": "9ddadb 8fa7df",
    "pink": "e279c7",
}
SHOW_HAIR = "bangs cornrows grayBun grayMedium grayShort mediumBangs2 mohawk mohawk2 short4".split()
SHOW_CLOTH = ("hatBeanie", "turban")  # all other heads are drawn in black, or in one colour
PHRASES = {"face": FACES, "head": HEADS, "skin": SKINS, "glasses": GLASSES, "beard": BEARDS}

# Every second head with one skin: never together in training, so that they can be asked for
HELD_OUT = frozenset((head, list(SKINS)[i // 2 % 5]) for i, head in enumerate(HEADS) if i % 2 == 0)

KNOWN = {"face", "head", "skin", "glasses", "glasses_kind", "facial_hair", "facial_hair_kind"}
KNOWN |= {"hair_colour", "clothing"}
Facts = Mapping[str, str]  # a fact -> its phrase: {"head": "a mohawk", "colour": "red", …}


# From facts to sentences and back


def facts_of(people: ImageSet) -> list[dict[str, str]]:
    """What can be told of each face of `peeps`: fact -> phrase; "colour" where the head shows one.

    Raises ValueError for a set without these attributes.
    """
    instance("people", people, ImageSet)
    missing = KNOWN - people.attributes.keys()
    if missing:
        raise ValueError(f"people must be a set of peeps; {people.name} has no {min(missing)}")
    drawn = {
        name: [people.attribute_values[name][i] for i in rows.tolist()]
        for name, rows in people.attributes.items()
    }
    facts = []
    for i in range(len(people)):
        of = {name: values[i] for name, values in drawn.items()}
        glasses = of["glasses_kind"] if of["glasses"] == "yes" else "no"
        beard = of["facial_hair_kind"] if of["facial_hair"] == "yes" else "no"
        told = {
            "face": _phrase(FACES, of["face"]),
            "head": _phrase(HEADS, of["head"]),
            "skin": _phrase(SKINS, of["skin"]),
            "glasses": _phrase(GLASSES, glasses),
            "beard": _phrase(BEARDS, beard),
        }
        if of["head"] in SHOW_HAIR:
            told["colour"] = _phrase(HAIR_COLOURS, of["hair_colour"])
        elif of["head"] in SHOW_CLOTH:
            told["colour"] = _phrase(CLOTH_COLOURS, of["clothing"])
        facts.append(told)
    return facts


def sentence(facts: Facts, generator: torch.Generator | None = None, share: float = 0.75) -> str:
    """A sentence that tells each of the facts with probability `share`, and one at least.

    The order of the facts and the template are drawn too. `facts` may be any of FACTS, and
    "colour" beside a head. Raises ValueError for others, and a share outside [0, 1].
    """
    _check_facts("facts", facts), random_source(generator), number("share", share, 0, 1)
    u = torch.rand(len(FACTS) + 4, generator=generator).tolist()
    there = [fact for fact in FACTS if fact in facts]
    said = [fact for fact, draw in zip(there, u, strict=False) if draw < share]
    said = said or [there[int(u[-1] * len(there))]]
    parts = [facts[fact] for fact in said if fact != "face"]
    if "head" in said and "colour" in facts and u[-2] < share:
        parts[0] = coloured(facts["head"], facts["colour"])
    if len(parts) > 1:
        parts = [parts[i] for i in torch.randperm(len(parts), generator=generator).tolist()]
    noun = "person" if u[-3] < 0.5 else "face"
    who = _with_article(f"{facts['face']} {noun}" if "face" in said else noun)
    return _templates(who, " and ".join(parts))[int(u[-4] * 3)]


def _templates(who: str, parts: str) -> tuple[str, str, str]:
    if not parts:
        return who, f"a drawing of {who}", who
    return f"{who} with {parts}", f"a drawing of {who} with {parts}", f"{parts} on {who}"


def coloured(head: str, colour: str) -> str:
    """ "a mohawk" and "orange" -> "an orange mohawk"; "bangs" and "red" -> "red bangs"."""
    texts(head=head, colour=colour)
    bare = _bare(head)
    return f"{colour} {bare}" if bare == head else _with_article(f"{colour} {bare}")


def understood(text: str) -> dict[str, str]:
    """The facts that a sentence tells, whatever its order: fact -> phrase.

    It looks for the longest phrase of each kind; "colour" is the colour before the head. A sentence
    that tells nothing gives {}.
    """
    texts(text=text)
    words = f" {' '.join(_words(text))} "
    facts = {}
    for fact, phrases in PHRASES.items():
        for phrase in sorted(phrases, key=len, reverse=True):
            if f" {_bare(phrase)} " in words:
                facts[fact] = phrase
                break
    if "head" in facts:
        before = words.partition(f" {_bare(facts['head'])} ")[0]
        colours = {*HAIR_COLOURS, *CLOTH_COLOURS}
        found = [colour for colour in colours if before.endswith(f" {colour}")]
        if found:
            facts["colour"] = max(found, key=len)
    return facts


def people(
    split: str = "train", size: int = 32, combinations: str = "all"
) -> tuple[ImageSet, list[dict[str, str]]]:
    """The faces of a split of `peeps`, and the facts of each.

    combinations: "seen" leaves out whoever has a head and a skin that are HELD_OUT together, and
    "unseen" keeps only them: models train on "seen" people and are asked for both. Every head and
    every skin occurs among the seen. Raises ValueError for another word.
    """
    one_of("combinations", combinations, ("all", "seen", "unseen"))
    faces = data.load("peeps", split, size=size)
    facts = facts_of(faces)
    if combinations == "all":
        return faces, facts
    wanted = combinations == "unseen"
    rows = [i for i, of in enumerate(facts) if ((of["head"], of["skin"]) in HELD_OUT) == wanted]
    return faces[torch.tensor(rows)], [facts[i] for i in rows]


def strangers(n: int = 500, size: int = 32) -> tuple[ImageSet, list[dict[str, str]]]:
    """Faces (n, 3, size, size) and facts of n people whom no model of words met, who chose nothing.

    First the test people after `WATCHED`, then those of the training split who are left out of all
    trainings here, because their head and skin are HELD_OUT together. Raises ValueError for an n
    that is larger than there are.
    """
    late, apart = people("test", size), people("train", size, "unseen")
    images = torch.cat([late[0].images[WATCHED:], apart[0].images])
    whole("n", n, most=len(images))
    return ImageSet(images[:n], name="strangers"), [*late[1][WATCHED:], *apart[1]][:n]


def emoji_names(split: str = "train") -> tuple[ImageSet, list[str]]:
    """The emoji of a split, and the name of each in plain words: "grinning face with big eyes"."""
    emoji = data.load("emoji", split)
    names = emoji.attribute_values["emoji"]
    return emoji, [" ".join(_words(names[i])) for i in emoji.attributes["emoji"].tolist()]


def _phrase(phrases: Mapping[str, str], drawing: str) -> str:
    return next(phrase for phrase, drawings in phrases.items() if drawing in drawings.split())


def _bare(phrase: str) -> str:
    return phrase.removeprefix("an ").removeprefix("a ")


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


# From sentences to numbers


class Tokeniser:
    """Sentences to rows of numbers and back: a word is its place in `words`.

    0 is padding and 1 the end of a sentence: `words` begins with "<pad>" and "<end>". Where it also
    has "<other>", this stands for every word that is not there. Raises ValueError for words that
    come twice and for other first words.
    """

    def __init__(self, words: Sequence[str], length: int = LENGTH):
        self.words, self.length = several("words", words, instance, str), length
        whole("length", length, most=SIZE)
        self.index = {word: i for i, word in enumerate(self.words)}
        if self.words[:2] != ["<pad>", "<end>"] or len(self.index) != len(self.words):
            raise ValueError("words must begin with <pad> and <end>, and hold each word once")

    @classmethod
    def learned(cls, texts: Iterable[str], least: int = 2, length: int = 16) -> "Tokeniser":
        """The words that come at least so often in the texts; "<other>" stands for all others."""
        counts = Counter(word for text in texts for word in _words(text))
        known = sorted(word for word, n in counts.items() if n >= least)
        return cls(["<pad>", "<end>", "<other>", *known], length)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str]) -> Int[Tensor, "n length"]:
        """Each text as its words, the end, and padding; int64.

        Raises ValueError for an unknown word (with the nearest known one) and a text too long.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of sentences; got the string {texts!r}")
        for text in instance("texts", texts, Sequence):
            instance("texts", text, str)
        rows = [[*(self._place(word) for word in _words(text)), END] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.length:
                raise ValueError(f"texts may have {self.length - 1} words; got {text!r}")
        padded = [row + [PAD] * (self.length - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.int64).reshape(-1, self.length)

    def decode(self, ids: Int[Tensor, "n length"]) -> list[str]:
        """The words of each row up to its end."""
        present("ids", below("ids", ids, len(self), "n", "length"))
        texts = []
        for row in ids.tolist():
            row = row[: row.index(END)] if END in row else row
            texts.append(" ".join(self.words[i] for i in row if i != PAD))
        return texts

    def nothing(self, n: int, device=None) -> Int[Tensor, "n length"]:
        """n sentences without a word: what a model hears that is told nothing."""
        at_least_one(n=n)
        row = torch.arange(self.length, device=device) == 0
        return torch.where(row, END, PAD).expand(n, -1)

    def _place(self, word: str) -> int:
        if word in self.index:
            return self.index[word]
        if "<other>" in self.index:
            return self.index["<other>"]
        close = difflib.get_close_matches(word, self.words, 1)
        advice = f": did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"the model does not know the word {word!r}{advice}")


@functools.cache
def tokeniser() -> Tokeniser:
    """The vocabulary of the sentences about faces, in alphabetical order."""
    tables = (*PHRASES.values(), HAIR_COLOURS, CLOTH_COLOURS)
    words = {word for table in tables for phrase in table for word in phrase.split()}
    words |= set("a an and person with drawing of face on".split())
    return Tokeniser(["<pad>", "<end>", *sorted(words)])


class Captioned:
    """Batches (x, sentences) without end: rows of x, and of each a sentence composed anew.

    x: (N, …), pictures or their tokens, kept on `device`; sentences: int64 (B, LENGTH). Each epoch
    is a new order; rows that do not fill a last batch wait for the next epoch. `state_dict` is the
    exact place. Raises ValueError for another number of facts and a batch larger than the set.
    """

    def __init__(
        self,
        x: Tensor,
        facts: Sequence[Facts],
        batch_size: int,
        device: str | torch.device = "cpu",
        generator: torch.Generator | None = None,
        share: float = 0.75,
    ):
        present("x", instance("x", x, Tensor)), instance("facts", facts, Sequence)
        instance("device", device, str | torch.device)
        random_source(generator), number("share", share, 0, 1)
        if x.is_complex() or not x.ndim:
            raise TypeError(f"x must be rows of real numbers; got {x.dtype} {tuple(x.shape)}")
        if len(facts) != len(x):
            raise ValueError(f"facts must be {len(x)}, one a row of x; got {len(facts)}")
        whole("batch_size", batch_size, most=len(x))
        self.x, self.facts, self.share = x.to(device), facts, share
        self.batch_size = batch_size
        self.generator = generator or torch.Generator().manual_seed(torch.initial_seed())
        self.order = torch.empty(0, dtype=torch.int64)

    def __iter__(self) -> "Captioned":
        return self

    def __next__(self) -> tuple[Tensor, Int[Tensor, "B length"]]:
        if len(self.order) < self.batch_size:
            self.order = torch.randperm(len(self.x), generator=self.generator)
        rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
        texts = [sentence(self.facts[i], self.generator, self.share) for i in rows.tolist()]
        where = self.x.device
        return self.x[rows.to(where)], tokeniser().encode(texts).to(where)

    def state_dict(self) -> dict:
        return {"order": self.order, "generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping) -> None:
        self.order = state["order"]
        self.generator.set_state(state["generator"])


# How far a picture does what was asked


class Score(NamedTuple):
    """Of the facts that were asked, the share that was found: each, their mean, and all at once."""

    shares: dict[str, float]  # fact -> share; nan where nobody asked
    mean: float
    every: float  # the share of pictures that have all that was asked of them
    n: int


@torch.no_grad()
def seen(x: Float[Tensor, "B 3 H W"], judge: nn.Module | None = None) -> list[dict[str, str]]:
    """What the judge takes each picture to show: fact -> phrase, of all five FACTS.

    The judge is `metrics.Classifier("peeps")` unless given: no model of the course learned from it.
    The drawings that a phrase allows count together. It tells glasses from none and a beard from
    none, but not which; of colours it knows the skin's only. Pictures as in `metrics.Classifier`.
    """
    judge = _judge() if judge is None else judge
    floats("x", x, like=next(judge.parameters(), None))
    found = {}
    for fact, (attribute, columns) in _columns().items():
        p = judge.probabilities(x, attribute)  # (B, drawings)
        sums = torch.stack([p[:, column].sum(1) for column in columns.values()], dim=1)
        found[fact] = [list(columns)[i] for i in sums.argmax(1).tolist()]
    return [{fact: found[fact][i] for fact in FACTS} for i in range(len(x))]


@functools.cache
def _columns() -> dict[str, tuple[str, dict[str, list[int]]]]:
    """fact -> the judge's attribute, and for each phrase the places of its drawings there."""
    values = data.load("peeps", "test").attribute_values
    found = {
        fact: (fact, {p: [values[fact].index(d) for d in of.split()] for p, of in table.items()})
        for fact, table in list(PHRASES.items())[:3]
    }
    found["glasses"] = "glasses", {"no glasses": [0], "glasses": [1]}
    found["beard"] = "facial_hair", {"no beard": [0], "a beard": [1]}
    return found


def hits(
    x: Float[Tensor, "B 3 H W"], asked: Sequence[Facts], judge: nn.Module | None = None
) -> Float[Tensor, "B 5"]:
    """1 where the judge finds an asked fact, 0 where it does not, nan where none was asked.

    Sunglasses count as glasses, a goatee and a moustache as a beard: see `seen`. Raises ValueError
    for facts that are not known and another number of them than of pictures.
    """
    present("x", floats("x", x, 4)), instance("asked", asked, Sequence)
    if len(asked) != len(x):
        raise ValueError(f"asked must be {len(x)}, the facts of each picture; got {len(asked)}")
    for facts in asked:
        _check_facts("asked", facts)
    rows = [
        [float(_same(fact, facts[fact], of[fact])) if fact in facts else math.nan for fact in FACTS]
        for facts, of in zip(asked, seen(x, judge), strict=True)
    ]
    return torch.tensor(rows)


def score(
    x: Float[Tensor, "B 3 H W"], asked: Sequence[Facts], judge: nn.Module | None = None
) -> Score:
    """The shares of the asked facts that the judge finds. Arguments and errors as of `hits`."""
    found = hits(x, asked, judge)
    shares = found.nanmean(0).tolist()
    every = ((found == 1) | found.isnan()).all(1).double().mean().item()
    mean = found.nanmean().item()
    return Score(dict(zip(FACTS, shares, strict=True)), mean, every, len(x))


@functools.cache
def _judge() -> nn.Module:
    return metrics.Classifier("peeps")


def _same(fact: str, asked: str, found: str) -> bool:
    if fact in ("glasses", "beard"):
        return asked.startswith("no ") == found.startswith("no ")
    return asked == found


def _check_facts(name: str, facts: Facts) -> None:
    instance(name, facts, Mapping)
    if not any(fact in facts for fact in FACTS):
        raise ValueError(f"{name} must hold at least one of {', '.join(FACTS)}; got {dict(facts)}")
    for fact, phrase in facts.items():
        allowed = {*HAIR_COLOURS, *CLOTH_COLOURS} if fact == "colour" else PHRASES.get(fact)
        if allowed is None:
            raise ValueError(f"{name} may be {', '.join(FACTS)} and colour; got {fact!r}")
        if phrase not in allowed:
            raise ValueError(f"{fact} must be one of {', '.join(sorted(allowed))}; got {phrase!r}")

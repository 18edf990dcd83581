import math

import pytest
import torch

from course_lib import data, words
from course_lib.training import train
from course_lib.words import (
    FACTS,
    HEADS,
    HELD_OUT,
    LENGTH,
    PHRASES,
    Captioned,
    Tokeniser,
    coloured,
    emoji_names,
    facts_of,
    hits,
    people,
    score,
    seen,
    sentence,
    tokeniser,
    understood,
)

FIVE = {
    "face": "angry",
    "head": "a mohawk",
    "colour": "red",
    "skin": "dark skin",
    "glasses": "no glasses",
    "beard": "a beard",
}


VALUES = data.load("peeps", "test").attribute_values


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def test_people():
    return people("test")


# The tables


@pytest.mark.parametrize(
    "fact, attribute",
    [("face", "face"), ("head", "head"), ("skin", "skin"), ("beard", "facial_hair_kind")],
)
def test_every_drawing_has_one_word_and_every_word_a_drawing(fact, attribute):
    drawings = [d for of in PHRASES[fact].values() for d in of.split() if d != "no"]
    assert sorted(drawings) == sorted(VALUES[attribute])


def test_every_colour_and_every_kind_of_glasses_has_one_word():
    for table, attribute in (
        (words.HAIR_COLOURS, "hair_colour"),
        (words.CLOTH_COLOURS, "clothing"),
        (words.GLASSES, "glasses_kind"),
    ):
        drawings = [d for of in table.values() for d in of.split() if d != "no"]
        assert sorted(drawings) == sorted(VALUES[attribute])


def test_heads_that_are_said_to_show_a_colour_do():
    # how much of the variance of its most coloured pixels the colour explains: all, or by chance
    faces = data.load("peeps", "all", size=32)
    heads, names = faces.attributes["head"], faces.attribute_values["head"]
    plain = faces.attributes["facial_hair"] == 0
    for i, name in enumerate(names):
        rows = (heads == i) & plain
        top = faces.images[rows][:, :, :18].float().flatten(1)
        for attribute, shows in (("hair_colour", words.SHOW_HAIR), ("clothing", words.SHOW_CLOTH)):
            if name in ("bun", "bun2", "hijab", "noHair3"):  # a ribbon, a seam, a tuft: not told
                continue
            values = faces.attributes[attribute][rows]
            within = torch.zeros(top.shape[1])
            for value in values.unique():
                group = top[values == value]
                within += (group - group.mean(0)).square().sum(0)
            whole = (top - top.mean(0)).square().sum(0)
            explained = (1 - within / whole.clamp(min=1)).where(whole > 1, 0.0)
            assert (explained.topk(20).values.mean() > 0.9) == (name in shows), (name, attribute)


# Sentences


def test_a_sentence_can_be_understood_whatever_its_order(test_people):
    g, seen_forms = seeded(), set()
    for facts in test_people[1]:
        text = sentence(facts, g, share=1.0)
        assert understood(text) == facts, text
        seen_forms.add((text.startswith("a drawing"), " on a" in text, "person" in text))
    assert len(seen_forms) == 6


def test_each_fact_is_told_with_the_asked_probability():
    g = seeded()
    told = [understood(sentence(FIVE, g, share=0.6)) for _ in range(3000)]
    for fact in FACTS:
        share = sum(fact in of for of in told) / len(told)
        assert share == pytest.approx(0.6 + 0.4**5 / 5, abs=0.04), fact
    coloured_share = sum("colour" in of for of in told) / sum("head" in of for of in told)
    assert coloured_share == pytest.approx(0.6, abs=0.04)
    assert all(of.items() <= FIVE.items() and of for of in told)


def test_every_template_comes_equally_often_and_facts_in_any_order():
    g = seeded()
    texts = [sentence(FIVE, g, share=1.0) for _ in range(1500)]
    assert sum(t.startswith("a drawing") for t in texts) == pytest.approx(500, abs=70)
    assert sum(t.endswith(("person", "face")) for t in texts) == pytest.approx(500, abs=70)
    assert sum("person" in t for t in texts) == pytest.approx(750, abs=80)
    orders = {tuple(sorted(("mohawk", "skin", "glasses", "beard"), key=t.index)) for t in texts}
    assert len(orders) == 24


def test_at_least_one_fact_is_told_each_equally_often():
    g = seeded()
    told = [understood(sentence(FIVE, g, share=0.0)) for _ in range(1000)]
    assert all(len(of) == 1 for of in told)
    for fact in FACTS:
        assert sum(fact in of for of in told) == pytest.approx(200, abs=45)


def test_a_word_that_begins_with_a_vowel_has_an_and_others_a():
    g = seeded()
    texts = [sentence(f, g) for f in people("test")[1] for _ in range(3)]
    for text in texts:
        parts = text.split()
        for article, noun in zip(parts, parts[1:], strict=False):
            if article in ("a", "an"):
                assert (article == "an") == (noun[0] in "aeiou"), text
    assert coloured("a mohawk", "orange") == "an orange mohawk"
    assert coloured("bangs", "orange") == "orange bangs"


def test_a_sentence_of_some_facts_tells_no_others():
    assert sentence({"skin": "dark skin"}, seeded(3)) in (
        f"{a}{b}" if b else a
        for noun in ("a person", "a face")
        for a, b in (
            (f"{noun} with dark skin", ""),
            (f"a drawing of {noun} with dark skin", ""),
            (f"dark skin on {noun}", ""),
        )
    )
    texts = {sentence({"face": "sad"}, seeded(i)) for i in range(30)}
    assert texts == {f"{b}a sad {n}" for b in ("", "a drawing of ") for n in ("person", "face")}


@pytest.mark.parametrize(
    "text, facts",
    [
        ("A happy person, with LONG hair!", {"face": "happy", "head": "long hair"}),
        ("long bangs", {"head": "long bangs"}),
        ("a long afro on a person with no beard", {"head": "a long afro", "beard": "no beard"}),
        ("light brown bangs and light skin", "bangs light-brown"),
        ("sunglasses", {"glasses": "sunglasses"}),
        ("a person", {}),
        ("", {}),
    ],
)
def test_free_text_is_understood_by_its_longest_phrases(text, facts):
    if isinstance(facts, str):
        facts = {"head": "bangs", "colour": "light brown", "skin": "light skin"}
    assert understood(text) == facts


@pytest.mark.parametrize(
    "facts, message",
    [
        ({"head": "a wig"}, "head must be one of a bald head, .*; got 'a wig'"),
        ({"hat": "a hat"}, r"facts must hold at least one of face, .*; got \{'hat': 'a hat'\}"),
        ({"head": "a hat", "age": "old"}, "facts may be face, .* and colour; got 'age'"),
        ({"head": "a hat", "colour": "grey"}, "colour must be one of .*; got 'grey'"),
        ({"colour": "red"}, "facts must hold at least one of"),
    ],
)
def test_facts_that_nobody_drew_are_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        sentence(facts)


def test_a_share_that_is_none_and_a_set_of_no_faces_are_refused():
    with pytest.raises(ValueError, match="share must be .* at most 1; got 75"):
        sentence(FIVE, share=75)
    with pytest.raises(ValueError, match="people must be a set of peeps; emoji has no "):
        facts_of(data.load("emoji", "test"))


# Splits


def test_unseen_combinations_are_held_out_and_every_word_is_seen():
    faces, facts = people("train", combinations="seen")
    others, apart = people("train", combinations="unseen")
    everyone = len(data.load("peeps", "train"))
    assert len(faces) + len(others) == everyone
    assert len(faces) == len(facts) and len(others) == len(apart)
    assert not {(f["head"], f["skin"]) for f in facts} & HELD_OUT
    assert {(f["head"], f["skin"]) for f in apart} == HELD_OUT
    for fact in FACTS:
        assert {f[fact] for f in facts} == set(PHRASES[fact])
    assert len(HELD_OUT) == len(HEADS) // 2 and len({skin for _, skin in HELD_OUT}) == 5
    assert 0.05 < len(others) / everyone < 0.15


def test_facts_stay_beside_their_pictures():
    faces, facts = people("test", combinations="unseen")
    assert facts == facts_of(faces)
    with pytest.raises(ValueError, match="combinations must be one of .*; got 'new'"):
        people("test", combinations="new")


def test_strangers_were_in_no_training_and_chose_nothing():
    faces, facts = words.strangers()
    assert len(faces) == len(facts) == 500
    late = len(people("test")[0]) - words.WATCHED
    assert torch.equal(faces.images[:late], people("test")[0].images[words.WATCHED :])
    assert torch.equal(faces.images[late:], people("train", combinations="unseen")[0].images[:113])
    assert facts[:late] == people("test")[1][words.WATCHED :]
    assert {(f["head"], f["skin"]) for f in facts[late:]} <= HELD_OUT
    assert words.strangers(3, size=64)[0].images.shape == (3, 3, 64, 64)
    with pytest.raises(ValueError, match="n must be"):
        words.strangers(10_000)


# Numbers


def test_the_vocabulary_has_some_seventy_words_and_every_sentence_fits():
    vocabulary = tokeniser()
    assert 60 <= len(vocabulary) <= 80 and vocabulary.words[:2] == ["<pad>", "<end>"]
    longest = max(len(sentence(f, seeded(), 1.0).split()) for f in people("train")[1])
    assert longest < LENGTH
    texts = [sentence(f, seeded(i)) for i, f in enumerate(people("test")[1])]
    assert vocabulary.decode(vocabulary.encode(texts)) == texts


def test_a_sentence_is_its_words_an_end_and_padding():
    small = Tokeniser(["<pad>", "<end>", "a", "sad", "face"], length=6)
    ids = small.encode(["a sad face", "A face.", ""])
    assert ids.tolist() == [[2, 3, 4, 1, 0, 0], [2, 4, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert ids.dtype == torch.int64 and small.encode([]).shape == (0, 6)
    assert small.decode(torch.tensor([[2, 0, 4, 1, 3, 3], [3] * 6])) == [
        "a face",
        "sad " * 5 + "sad",
    ]
    assert torch.equal(small.nothing(2), small.encode(["", ""]))


def test_an_unknown_word_is_named_with_the_nearest_known_one():
    with pytest.raises(ValueError, match="does not know the word 'hapy': did you mean 'happy'"):
        tokeniser().encode(["a hapy person"])
    with pytest.raises(ValueError, match="does not know the word 'zzzz'$"):
        tokeniser().encode(["zzzz"])
    with pytest.raises(ValueError, match="texts may have 23 words; got 'a a a"):
        tokeniser().encode(["a " * 24])
    with pytest.raises(TypeError, match="texts must be a list of sentences; got the string 'a'"):
        tokeniser().encode("a")


@pytest.mark.parametrize("names", [["a"], ["<end>", "<pad>"], ["<pad>", "<end>", "a", "a"]])
def test_a_vocabulary_without_its_first_words_is_refused(names):
    with pytest.raises(ValueError, match="words must begin with <pad> and <end>"):
        Tokeniser(names)


def test_emoji_names_are_a_second_vocabulary():
    emoji, names = emoji_names("train")
    assert len(names) == len(emoji) == 1262 and names[0] == "grinning face"
    vocabulary = Tokeniser.learned(names, least=2)
    assert 300 < len(vocabulary) < 600 and vocabulary.words[2] == "<other>"
    ids = vocabulary.encode(names)
    known = (ids > 2).sum() / (ids > 1).sum()
    assert known > 0.65  # of the words; the rest come once
    back = vocabulary.decode(vocabulary.encode(["grinning face", "a zzzz face"]))
    assert back == ["grinning face", "<other> <other> face"] or back[1].endswith("<other> face")
    assert len(Tokeniser.learned(["a b", "a"], least=2)) == 4
    assert len(Tokeniser.learned(["a b", "a"], least=1)) == 5


# Batches


def test_batches_are_true_sentences_of_their_pictures(test_people):
    faces, facts = test_people
    rows = torch.arange(len(faces))
    batches = Captioned(rows, facts, 100, generator=seeded())
    seen_rows = []
    for _ in range(5):
        chosen, ids = next(batches)
        assert ids.shape == (100, LENGTH)
        for i, text in zip(chosen.tolist(), tokeniser().decode(ids), strict=True):
            assert understood(text).items() <= facts[i].items()
        seen_rows += chosen.tolist()
    assert len(set(seen_rows)) == 500  # an epoch of 516: no row twice


def test_batches_go_on_exactly_where_they_were(test_people):
    faces, facts = test_people
    batches = Captioned(faces.floats()[:50], facts[:50], 8, generator=seeded())
    for _ in range(4):
        next(batches)
    state = batches.state_dict()
    expected = [next(batches) for _ in range(5)]
    other = Captioned(faces.floats()[:50], facts[:50], 8, generator=seeded(5))
    other.load_state_dict(state)
    for (x, ids), (y, others) in zip(expected, (next(other) for _ in range(5)), strict=True):
        assert torch.equal(x, y) and torch.equal(ids, others)
    assert iter(other) is other


@pytest.mark.parametrize(
    "n, size, message",
    [
        (3, 2, "facts must be 3, one a row of x; got 2"),
        (2, 3, "batch_size must be .* at most 2, got 3"),
        (2, 0, "batch_size must be .* at most 2, got 0"),
        (2, 1.0, "batch_size must be .* at most 2, got 1.0"),
    ],
)
def test_batches_that_cannot_be_made_are_refused(n, size, message):
    with pytest.raises(ValueError, match=message):
        Captioned(torch.zeros(n, 1), [FIVE, FIVE], size)


def test_training_draws_from_captioned_batches(test_people, tmp_path):
    faces, facts = test_people
    layer = torch.nn.Linear(LENGTH, 1)

    def step(batch):
        return {"loss": layer(batch[1].float()).mean() + batch[0].mean()}

    batches = Captioned(faces.floats()[:20], facts[:20], 5, generator=seeded())
    history = train(step, batches, 3, checkpoint=tmp_path)
    assert history.steps == 3


# The judge


def test_real_faces_have_what_their_sentences_ask(test_people):
    # 516 test people at 32 × 32, all five facts: head 1.000, skin .996, glasses .998, beard .986
    faces, facts = test_people
    found = score(faces.floats(), facts)
    assert found.n == 516
    assert found.shares == pytest.approx(
        {"face": 0.973, "head": 1.0, "skin": 0.996, "glasses": 0.998, "beard": 0.986}, abs=0.003
    )
    assert found.mean == pytest.approx(sum(found.shares.values()) / 5)
    assert found.every == pytest.approx(0.955, abs=0.003)


def test_another_persons_sentence_is_found_by_chance(test_people):
    faces, facts = test_people
    found = score(faces.floats(), facts[1:] + facts[:1])
    assert found.mean < 0.35 and found.every < 0.02
    assert found.shares["head"] < 0.1 and found.shares["skin"] == pytest.approx(0.2, abs=0.06)


class Judge(torch.nn.Module):
    """Gives every picture the same probabilities."""

    def __init__(self, **favoured):
        super().__init__()
        self.favoured = favoured

    def probabilities(self, x, attribute):
        values = VALUES[attribute]
        p = torch.full((len(x), len(values)), 1e-6)
        for name, probability in self.favoured.get(attribute, {values[0]: 1.0}).items():
            p[:, values.index(name)] = probability
        return p


def test_the_drawings_of_a_word_count_together():
    # no drawing is likelier than the mohawk, but the three short heads together are
    heads = {"mohawk": 0.3, "short1": 0.25, "short2": 0.2, "short3": 0.25}
    judge = Judge(head=heads, glasses={"yes": 1.0}, facial_hair={"no": 1.0}, face={"rage": 1.0})
    (found,) = seen(torch.zeros(1, 3, 32, 32), judge)
    assert found["head"] == "short hair" and found["face"] == "angry"
    assert found["glasses"] == "glasses" and found["beard"] == "no beard"


def test_only_what_was_asked_counts():
    judge = Judge(head={"mohawk": 1.0}, glasses={"yes": 1.0}, facial_hair={"yes": 1.0})
    x = torch.zeros(3, 3, 32, 32)
    asked = [
        {"head": "a mohawk", "glasses": "sunglasses", "colour": "red"},
        {"head": "a hat", "beard": "a goatee"},
        {"glasses": "no glasses"},
    ]
    found = hits(x, asked, judge)
    expected = torch.full((3, 5), math.nan)
    expected[0, 1] = expected[0, 3] = expected[1, 4] = 1.0
    expected[1, 1] = expected[2, 3] = 0.0
    torch.testing.assert_close(found, expected, equal_nan=True)
    told = score(x, asked, judge)
    assert told.shares["head"] == 0.5 and math.isnan(told.shares["skin"])
    assert told.mean == pytest.approx(3 / 5) and told.every == pytest.approx(1 / 3)


def test_a_score_needs_facts_for_every_picture():
    with pytest.raises(ValueError, match="asked must be 2, the facts of each picture; got 1"):
        hits(torch.zeros(2, 3, 32, 32), [FIVE])
    with pytest.raises(ValueError, match="head must be one of"):
        hits(torch.zeros(1, 3, 32, 32), [{"head": "a wig"}])


def test_what_a_head_shows_has_the_colour_that_was_drawn(test_people):
    faces, facts = test_people

    def drawn(name):
        values, rows = faces.attribute_values[name], faces.attributes[name].tolist()
        return [values[i] for i in rows]

    columns = zip(drawn("head"), drawn("hair_colour"), drawn("clothing"), facts, strict=True)
    for head, hair, cloth, told in columns:
        if head in words.SHOW_HAIR:
            assert hair in words.HAIR_COLOURS[told["colour"]].split()
        elif head in words.SHOW_CLOTH:
            assert cloth in words.CLOTH_COLOURS[told["colour"]].split()
        else:
            assert "colour" not in told
    assert {"colour"} < set().union(*facts)


def test_the_template_does_not_depend_on_what_is_told():
    g = seeded()
    told = [text for text in (sentence(FIVE, g, 0.5) for _ in range(600)) if "a beard" in text]
    for shape in (" on ", "a drawing of ", " with "):
        assert sum(shape in text for text in told) > len(told) / 5


def test_a_word_is_known_that_comes_twice():
    learned = Tokeniser.learned(["red hat", "red"])
    assert learned.words[2:] == ["<other>", "red"] and learned.encode(["red"]).shape == (1, 16)


def test_an_epoch_gives_each_row_once_also_where_batches_fill_it():
    batches = Captioned(torch.arange(20.0), [FIVE] * 20, 5, generator=seeded())
    for _ in range(2):
        rows = torch.cat([next(batches)[0] for _ in range(4)])
        assert rows.sort().values.tolist() == list(range(20))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: coloured(3, "red"), "head must be"),
        (lambda: coloured("a mohawk", None), "colour must be"),
        (lambda: Tokeniser(["<pad>", "<end>"], 0), "length must be .* got 0"),
        (lambda: tokeniser().encode(["red", 3]), "texts must be a str"),
        (lambda: tokeniser().nothing(0), "n must be .* got 0"),
    ],
)
def test_an_argument_without_sense_is_refused_by_its_name(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()

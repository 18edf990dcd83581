# %% [markdown]
# Imports that the section needs, for the first cells of the lecture: `align_draw` among the modules of `course_lib`, and the two classes.

# %%
from course_lib import align_draw
from course_lib.align_draw import AlignDraw, AlignDrawStep

# %% [markdown]
# ### Looking at words while drawing
#
# The first network that drew pictures from sentences was **alignDRAW** (Mansimov and others 2016). It paints a picture in several steps, and before each step it attends to the words of the sentence. **Which words does it look at, and does looking help?** We repeat the paper's first experiment in small: a digit on a larger canvas, and a caption that says which digit is where. Each digit is left out of the training set at one of the four places, so that we can ask for pairs that never occurred together.

# %%
placed = align_draw.placed_digits(4, "train", "seen", seed(0))
for line in align_draw.tokeniser().decode(placed.text):
    print(line)
never = [align_draw.caption(d, p, 2) for d, p in sorted(align_draw.HELD_OUT)]
print("never in training:", ", ".join(never[:3]), "…")
plots.grid(2 * placed.x - 1, width=3)

# %% [markdown]
# A bidirectional LSTM turns the $L$ words into vectors $h_1^{\text{lang}}, \dots, h_L^{\text{lang}}$. Painting takes $T = 6$ steps. In step $t$ the network compares its state $h_{t-1}$ with every word:
#
# $$\alpha_k \propto \exp\!\big(v^\top \tanh(U h_k^{\text{lang}} + W h_{t-1} + b)\big), \qquad s_t = \sum_k \alpha_k\, h_k^{\text{lang}} .$$
#
# The weights $\alpha_k$ add up to 1. Then the network samples a latent variable $z_t$, updates its state and adds a patch to the canvas $c$:
#
# $$z_t \sim P(z_t \mid h_{t-1}), \qquad h_t = \text{LSTM}(h_{t-1}, [z_t, s_t]), \qquad c_t = c_{t-1} + \text{write}(h_t), \qquad p(x) = \text{Bernoulli}(\sigma(c_T)) .$$
#
# The prior $P$ is a Gaussian with mean $\tanh(W_\mu h_{t-1})$ and standard deviation $\exp(\tanh(W_\sigma h_{t-1}))$. `write` places a grid of 8 × 8 Gaussians on the canvas; its position and stride depend on $h_t$ (DRAW, Gregor and others 2015).
#
# In training a second LSTM sees the picture $x$ and the error $x - \sigma(c_{t-1})$, and returns the Gaussian $Q(z_t \mid x, z_{<t})$ from which $z_t$ is sampled instead. The loss is the bound of lecture 02 with one KL term for each step:
#
# $$\mathcal L = -\log p(x \mid z) + \sum_{t=1}^{T} \mathrm{KL}\big(Q(z_t \mid x, z_{<t}) \,\|\, P(z_t \mid h_{t-1})\big) .$$
#
# As a control, we train the same network with $\alpha_k = 1/L$: it gets the mean of the words in every step.


# %%
def batches(g):
    """Digits in new places without end"""
    while True:
        placed = align_draw.placed_digits(32, "train", "seen", g)
        yield placed.x, placed.text


painters, steps = {}, pick(smoke=4, laptop=1600, gpu=4000)
for name, even in {"attention": False, "mean of words": True}.items():
    torch.manual_seed(0)
    painters[name] = AlignDraw(steps=6, even=even)
    step, begin = AlignDrawStep(painters[name], steps=steps, generator=seed(1)), process_time()
    history = train(step, batches(seed(2)), steps)
    print(f"{name}{history.recent()} nats a picture, {process_time() - begin:.0f} s")

# %% [markdown]
# The judge is again not part of the network. The place is the quadrant of the centre of mass. The digit is read from the 8 × 8 pixels around it, by a support vector machine that was fitted to training digits. We sample 15 pictures for each of the 40 pairs of a digit and a place. Chance is 0.25 for the place and 0.10 for the digit.

# %%
known = align_draw.placed_digits(4000, "train", "all", seed(3))
crops = align_draw.found_places(known.x)[1].flatten(1)
crop_reader = SVC().fit(crops.numpy(), known.digits.numpy())


def obeyed(x, digits, places):
    """Are place and digit of each picture those of its caption? (n, 2)"""
    found, crops = align_draw.found_places(x)
    read = torch.from_numpy(crop_reader.predict(crops.flatten(1).numpy()))
    return torch.stack([found == places, read == digits], dim=1).double()


# %%
pairs = [(digit, place) for digit in range(10) for place in range(4)] * 15
captions = align_draw.tokeniser().encode(
    [align_draw.caption(digit, place, i // 40 % 3) for i, (digit, place) in enumerate(pairs)]
)
digit, place = torch.tensor(pairs).T
new = torch.tensor([pair in align_draw.HELD_OUT for pair in pairs])
canvases, heard = {}, {}
for name, net in painters.items():
    canvases[name], heard[name] = net.sample(captions, seed(4))

# %%
true = align_draw.placed_digits(600, "test", "all", seed(5))
right = {
    "test digits (ceiling)": obeyed(true.x, true.digits, true.places),
    "another's caption (floor)": obeyed(true.x, true.digits.roll(1), true.places.roll(1)),
}
for name, c in canvases.items():
    found = obeyed(c[-1], digit, place)
    right |= {f"{name}, seen": found[~new], f"{name}, never together": found[new]}
for name, of in right.items():
    print(f"{name:30} place {of[:, 0].mean():.2f}, digit {of[:, 1].mean():.2f}")

"""Figures: what they draw, and what they refuse."""

import io
import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from course_lib import auditing, plots, shapes
from course_lib.diffusion import Diffusion, linear_betas
from course_lib.gan import Frame


def test_pictures_come_out_between_0_and_1_whatever_their_range():
    grey = plots.as_pictures(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    assert grey.shape == (2, 1, 1) and grey.ravel().tolist() == [0, 1]
    colour = plots.as_pictures(torch.full((1, 3, 2, 2), -1.0))
    assert colour.shape == (1, 2, 2, 3) and colour.max() == 0
    assert plots.as_pictures(torch.full((1, 1, 2, 2), 7.0)).max() == 1  # clipped


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 2, 8, 8), (8, 8)])
def test_what_is_no_batch_of_pictures_is_refused(shape):
    with pytest.raises(ValueError, match="images must have shape"):
        plots.as_pictures(torch.zeros(shape))


def test_a_sheet_has_each_picture_at_its_place():
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 4, 4) * 50
    sheet = plots._sheet(images, columns=3, gap=1)
    assert sheet.shape == (9, 14)
    assert np.allclose(sheet[0:4, 5:9], 50 / 255) and np.allclose(sheet[5:9, 0:4], 150 / 255)
    assert np.allclose(sheet[4], 1) and np.allclose(sheet[5:, 10:], 1)  # gap, and no sixth picture


def test_a_guess_is_drawn_and_none_is_not():
    def lines(guess):
        axes = plots.concentration([2, 784], [0.1, 0.9], guess).axes[0]
        return [text.get_text() for text in axes.get_legend().get_texts()]

    assert lines(None) == ["measured"]
    assert lines(0.5) == ["measured", "your guess at d = 784: 0.5"]


def test_the_bar_that_was_guessed_is_marked():
    figure = plots.bars({"a": 1.0, "b": -0.001}, "value", guess="b")
    weights = [label.get_fontweight() for label in figure.axes[0].get_yticklabels()]
    assert weights == ["normal", "bold"]


def test_the_plane_runs_row_by_row_from_the_bottom_left():
    points = plots.plane(3)
    low, high = plots.EXTENT
    assert points[0].tolist() == pytest.approx([low, low])
    assert points[1].tolist() == pytest.approx([0, low], abs=1e-6)
    assert points[-1].tolist() == pytest.approx([high, high])


def moment(seed: int, n: int = 6) -> Frame:
    """A made-up moment of a game in the plane."""
    torch.manual_seed(seed)
    return Frame(torch.rand(8, 8), torch.randn(n, 2) / 2, torch.randn(n, 2))


def test_a_moment_of_the_game_changes_only_what_moves():
    game, a, b = plots.GameInThePlane(torch.randn(20, 2), 6), moment(0), moment(1)
    first, second = game.show(a, "step 1"), game.show(b, "step 2")
    assert first.shape == second.shape == (360, 360, 3) and first.dtype == np.uint8
    assert not np.array_equal(first, second)
    assert np.array_equal(game.show(a, "step 1"), first)  # nothing is left of the other moment


def test_each_part_of_a_moment_is_drawn():
    game, a, b = plots.GameInThePlane(torch.randn(20, 2), 6), moment(0), moment(1)
    before = game.show(a)
    for part in Frame._fields:
        after = game.show(a._replace(**{part: getattr(b, part)}))
        assert not np.array_equal(before, after), part
    assert not np.array_equal(before, game.show(a, "step 1"))


def test_the_surface_is_drawn_upright_and_the_data_over_it():
    surface = torch.zeros(2, 2)
    surface[0, 1] = 1  # D says real at the bottom right
    still = Frame(surface, torch.zeros(1, 2), torch.zeros(1, 2))
    shown = plots.GameInThePlane(torch.tensor([[0.8, 0.8]]), 1, reach=1.6).show(still)
    real, fake = (np.array(plots.SURFACE(value)[:3]) * 255 for value in (1.0, 0.0))
    assert np.abs(shown[-20, -20] - real).max() < 2  # the last row is the lowest
    assert np.abs(shown[20, 20] - fake).max() < 2
    point = np.array([int(plots.DATA[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(shown[90, 270] - point).max() < 2  # (0.8, 0.8): three quarters across and up


def test_arrows_keep_their_direction_and_are_cut_where_they_are_long():
    arrows = torch.tensor([[0.1, 0.0], [0.0, 30.0], [0.0, 0.0]])
    game = plots.GameInThePlane(torch.zeros(1, 2), 3, reach=2.0)
    game.show(Frame(torch.zeros(2, 2), torch.zeros(3, 2), arrows))
    drawn = np.stack([game.arrows.U, game.arrows.V], 1)
    np.testing.assert_allclose(drawn, [[0.1, 0], [0, 0.5], [0, 0]], atol=1e-6)


def test_a_film_is_an_animated_gif_with_a_picture_a_moment():
    game = plots.GameInThePlane(torch.randn(20, 2), 6)
    shown = plots.film([game.show(moment(i), f"step {i}") for i in range(4)], milliseconds=70)
    gif = Image.open(io.BytesIO(shown.data))
    assert (gif.format, gif.n_frames, gif.size) == ("GIF", 4, (360, 360))
    assert gif.info["duration"] == 70 and gif.info["loop"] == 0  # for ever
    seen = set()
    for i in range(4):
        gif.seek(i)
        seen.add(gif.convert("RGB").tobytes())
    assert len(seen) == 4


CONVOLUTIONS = [(6, 3, 1, 0, 1), (6, 4, 2, 1, 1), (7, 2, 3, 0, 1), (6, 3, 1, 2, 2), (1, 1, 1, 0, 1)]


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_window_marks_just_the_pixels_that_the_convolution_sees(case):
    size, kernel, stride, padding, dilation = case
    padded = torch.zeros(1, 1, *[size + 2 * padding] * 2, requires_grad=True)
    numbers = {"stride": stride, "dilation": dilation}
    output = torch.conv2d(padded, torch.ones(1, 1, kernel, kernel), **numbers).flatten()
    assert len(output) == shapes.conv2d_size(size, kernel, stride, padding, dilation) ** 2
    for at, value in enumerate(output):
        (slope,) = torch.autograd.grad(value, padded, retain_graph=True)
        cells = plots.window_cells(*case, at=at)
        assert np.array_equal(cells == 2, slope[0, 0].numpy() != 0)
        picture = np.pad(np.ones((size, size), int), padding)
        assert np.array_equal(cells[cells < 2], picture[cells < 2])  # elsewhere as it was


def test_windows_are_titled_with_the_size_that_comes_out():
    names = ("size", "kernel", "stride", "padding", "dilation")
    cases = {str(case): dict(zip(names, case, strict=True)) for case in CONVOLUTIONS}
    titles = [axes.get_title() for axes in plots.windows(cases).axes]
    assert titles == [f"{case}\n{case[0]} → {shapes.conv2d_size(*case)}" for case in CONVOLUTIONS]


def test_overlaps_are_written_into_their_pixels():
    counts = torch.tensor([[1.0, 2, 1], [2, 4, 2]])
    (axes,) = plots.overlaps({"kernel 3": counts}).axes
    written = {text.get_position(): float(text.get_text()) for text in axes.texts}
    assert written == {(x, y): counts[y, x].item() for y in range(2) for x in range(3)}
    assert np.array_equal(axes.images[0].get_array(), counts)


def test_a_spectrum_is_shown_for_each_kind_with_nought_in_the_middle():
    power = torch.ones(8, 8)
    power[4, 4] = 0.0  # fftshift's middle; a power of 0 has no logarithm
    figure = plots.spectra({"noise": torch.zeros(2, 3, 8, 8)}, {"noise": power})
    image = figure.axes[1].images[0]
    assert np.isfinite(image.get_array()).all() and image.get_extent() == [-0.5, 0.5, -0.5, 0.5]


def test_neighbours_stand_below_their_samples():
    samples, neighbours = torch.full((2, 1, 4, 4), -1.0), torch.zeros(2, 3, 1, 4, 4)
    neighbours[:, 1] = 1.0  # the second nearest are white
    figure = plots.with_neighbours(samples, neighbours)
    means = [axes.images[0].get_array()[:4, :4].mean() for axes in figure.axes]
    assert means == pytest.approx([0, 0.5, 1, 0.5])


ORBIT = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


def test_an_orbit_is_drawn_as_it_goes():
    left, right = plots.orbit_strip({"in turns": ORBIT, "at once": 2 * ORBIT}).axes
    drawn = [np.stack(axes.lines[1].get_data(), 1) for axes in (left, right)]
    assert np.array_equal(drawn[0], ORBIT) and np.array_equal(drawn[1], 2 * ORBIT)
    assert left.get_ylabel() and not right.get_ylabel()


DISTANCES = torch.linspace(0, 4, 9)
PULLS = {"minimax": 0 * DISTANCES, "wasserstein": torch.ones(9), "own": DISTANCES - 2}


def test_fakes_slide_and_each_arrow_is_as_long_as_its_pull():
    picture = plots.SlidAway(DISTANCES, PULLS)
    for i in (0, 3, 8):
        left = picture.show(i).axes[0]
        at = DISTANCES[i].item()
        x, y = picture.fakes.get_xy()[:400].T
        assert x[y.argmax()] == pytest.approx(at, abs=0.03)
        ends = {name: arrow.get_xdata() for name, (arrow, _) in picture.arrows.items()}
        assert ends["minimax"] == [at, at] and ends["wasserstein"] == pytest.approx([at, at - 1])
        assert ends["own"] == pytest.approx([at, 2]) and len(left.texts) == 3
    assert picture.show(8).axes[1].lines[0].get_label() == "minimax"


def test_arrows_point_away_where_a_loss_pushes_away_and_are_cut_where_it_pulls_too_hard():
    picture = plots.SlidAway(DISTANCES, {"own": 10 * (DISTANCES - 2)})
    arrow, _ = picture.arrows["own"]
    picture.show(0)
    assert arrow.get_marker() == ">" and arrow.get_xdata() == pytest.approx([0, 3])
    picture.show(8)
    assert arrow.get_marker() == "<" and arrow.get_xdata() == pytest.approx([4, 1])


def test_arrows_of_trained_networks_take_the_place_of_the_best():
    trained = torch.tensor([0.0, 2.0, 4.0]), {"wasserstein": torch.tensor([0.0, 0.5, 0.25])}
    picture = plots.SlidAway(DISTANCES, PULLS, trained)
    assert list(picture.arrows) == ["wasserstein"]
    picture.show(7)  # 3.5, to which 4 is nearest
    assert picture.arrows["wasserstein"][0].get_xdata() == pytest.approx([3.5, 3.25])


def test_losses_that_are_one_for_g_share_a_line():
    scores = torch.linspace(-2, 2, 5)
    drawn = {"wasserstein": -scores, "hinge": -scores.clone(), "began": scores}
    figure = plots.losses_by_score(scores, drawn, {name: 0 * scores for name in drawn})
    left, right = figure.axes
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["wasserstein,\nhinge", "began"] and len(left.lines) == 3  # and the zero line


def test_a_scorecard_writes_each_number_beside_its_bar_and_greys_the_floor():
    table = {"real": {"Fréchet": 0.1, "recall": 0.9}, "noise": {"Fréchet": 120.0, "recall": 0.0}}
    figure = plots.scorecard(table, "real", logs=["Fréchet"])
    frechet, recall = figure.axes
    assert [text.get_text() for text in frechet.texts] == ["0.1", "120"]
    assert frechet.get_xscale() == "log" and recall.get_xscale() == "linear"
    widths = [bar.get_x() + bar.get_width() for bar in frechet.patches]
    assert widths == pytest.approx([0.1, 120.0]) and recall.patches[1].get_width() == 0
    colors = [matplotlib.colors.to_hex(bar.get_facecolor()).upper() for bar in recall.patches]
    assert colors == [plots.GREY, plots.MODEL]


def test_every_run_is_shown_and_broken_ones_above_all_others():
    runs = {"a": {0.1: [2.0, 3.0], 0.2: [math.nan, 5.0]}, "b": {0.1: [1.0, 1.0], 0.2: [4.0, 4.0]}}
    axes = plots.every_run(runs, floor=0.5, label="distance").axes[0]
    dots = [y for line in axes.lines if line.get_marker() == "o" for y in line.get_ydata()]
    crosses = [y for line in axes.lines if line.get_marker() == "x" for y in line.get_ydata()]
    assert sorted(dots) == [1, 1, 2, 3, 4, 4, 5] and len(crosses) == 1 and crosses[0] > 5
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["learning rate 0.1", "learning rate 0.2"]


def test_means_keep_their_order_from_the_top_and_ranks_their_shares():
    means = {"first": (1.0, 0.8, 1.3), "second": (2.0, 1.5, 2.2)}
    ranks = torch.tensor([[0.996, 0.004], [0.25, 0.75]])
    left, right = plots.means_and_ranks(means, ranks, 0.5, "distance").axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["first", "second"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first on top
    assert [text.get_text() for text in right.texts] == ["100%", "25%", "75%"]


def test_lines_of_equal_score_are_upright_where_a_critic_looks_at_x_alone():
    side = torch.linspace(-1, 1, 20)
    figure = plots.critics({"a": side.expand(20, 20)}, torch.zeros(3, 2), torch.ones(2, 2), reach=1)
    axes = figure.axes[0]
    lines = [c for c in axes.collections if not len(c.get_facecolor())]
    widths = [np.ptp(path.vertices[:, 0]) for c in lines for path in c.get_paths() if len(path)]
    assert widths and max(widths) < 1e-6 and axes.get_title() == "a"


def test_each_run_of_each_loss_is_a_dot_beside_the_baseline():
    panels = {"covered": {"a": [8.0, 7.0], "b": [math.nan, 2.0]}, "share": {"a": [0.3], "b": [0.1]}}
    covered, share = plots.runs_by_loss(panels, {"covered": 8, "share": 0.01}).axes
    assert list(covered.lines[0].get_xdata()) == [8, 7] and covered.get_xlabel() == "covered"
    assert covered.lines[-1].get_xdata()[0] == 8 and share.lines[-1].get_xdata()[0] == 0.01
    assert [tick.get_text() for tick in covered.get_yticklabels()] == ["a", "b"]
    assert covered.get_ylim()[0] > covered.get_ylim()[1]  # the first on top


def test_the_way_back_shows_what_has_been_walked_up_to_a_moment():
    way = way_back()
    way.show(2)
    assert [len(line.get_xdata()) for line in (way.noisy, way.guess, way.here)] == [3, 3, 1]
    assert way.here.get_xdata()[0] == 2 and "t = 20" in way.right.get_title()
    late = way.image.get_array().copy()
    way.show(0)
    assert len(way.guess.get_xdata()) == 1 and not np.allclose(way.image.get_array(), late)


def test_a_patch_is_drawn_around_the_middle_in_its_true_size():
    axes = plots.patches_seen(torch.zeros(3, 20, 30), {"small": 4, "large": 40}).axes[0]
    small, large = axes.patches
    assert (small.get_xy(), small.get_width()) == ((12.5, 7.5), 4)
    assert large.get_width() == large.get_height() == 40
    assert axes.get_xlim() == (-0.5, 29.5)  # what is larger than the picture is cut off


def test_each_colour_is_as_wide_as_its_share():
    shares = {(1.0, 0.0, 0.0): 0.25, (0.0, 0.0, 1.0): 0.75}
    top, bottom = plots.colours_and_their_middle(shares, torch.tensor([0.5, 0.5, 0.0])).axes
    assert [(bar.get_x(), bar.get_width()) for bar in top.patches] == [(0, 0.25), (0.25, 0.75)]
    assert bottom.patches[0].get_facecolor() == (0.5, 0.5, 0, 1)


def test_what_is_good_by_both_measures_lies_in_the_shaded_corner():
    named = {"doing nothing": (0.0, 0.0), "λ = 10": (0.02, 0.95), "λ = 0": (0.2, 0.95)}
    axes = plots.changed_and_kept(named, 0.9, 0.03, "share").axes[0]
    corner = axes.patches[0].get_bbox()
    inside = [corner.contains(*line.get_xydata()[0]) for line in axes.lines]
    assert inside == [False, True, False]


def test_quality_by_steps_has_a_dash_for_each_draw_and_the_floor():
    curves = {"DDIM": {10: [2.0, 4.0], 1: [9.0]}, "flow": {1: [8.0]}}
    axes = plots.by_steps(curves, 0.5, "distance").axes[0]
    lines = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    assert list(lines["DDIM"].get_xdata()) == [1, 10]
    assert list(lines["DDIM"].get_ydata()) == [9.0, 3.0]
    dashes = [y for line in axes.lines if line.get_marker() == "_" for y in line.get_ydata()]
    assert sorted(dashes) == [2.0, 4.0, 8.0, 9.0]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_methods_stand_from_the_top_with_a_line_from_low_to_high():
    table = {"a": {"x": (2.0, 1.0, 4.0)}, "b": {"x": (9.0, 8.0, 9.5)}}
    axes = plots.methods(table, titles=("x ↓",)).axes[0]
    assert axes.get_title() == "x ↓"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1] and axes.get_xscale() == "log"
    spans = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"]
    assert spans == [[1.0, 4.0], [8.0, 9.5]]


def test_schedules_mark_where_picture_and_noise_are_equally_strong():
    chain = Diffusion(linear_betas(50))
    left, middle, right = plots.schedules({"linear": chain}).axes
    assert len(left.lines[0].get_xdata()) == 50 and len(middle.lines) == 2
    size, noise = (np.asarray(line.get_ydata()) for line in middle.lines)
    assert np.allclose(size**2 + noise**2, 1)
    assert list(right.lines[-1].get_ydata()) == [1, 1]


def way_back():
    points = torch.arange(8.0).view(4, 2)
    sheets = [torch.full((8, 1, 4, 4), i / 4) for i in range(4)]
    return plots.WayBack(torch.randn(9, 2), points, points / 2, sheets, [40, 30, 20, 10])


# Lecture 08

SHARES = {20: (0.5, (0.4, 0.6)), 2000: (0.0, (0.0, 0.01))}
PAIRS = torch.zeros(3, 3, 8, 8), torch.ones(3, 3, 8, 8), torch.tensor([0.05, 0.2, 0.9]), 0.2


def test_copies_alone_are_framed_and_every_ratio_is_written():
    drawn = plots.copies(*PAIRS).axes[:3]
    assert [axes.get_title() for axes in drawn] == ["0.05", "0.20", "0.90"]
    framed = [axes.spines["left"].get_visible() for axes in drawn]
    assert framed == [True, False, False]  # at the threshold it is no copy


def test_copying_draws_both_curves_with_their_intervals():
    by_times = {4: SHARES[20], 64: SHARES[20]}
    figure = plots.copying(PAIRS, SHARES, {20: 0.01, 2000: 0.02}, by_times, {4: 0.01, 64: 0.06})
    left, right = figure.axes[-2:]
    assert left.get_xscale() == right.get_xscale() == "log"
    bars = [bar.get_segments() for bar in left.collections]
    ends = sorted(y for segments in bars for segment in segments for y in segment[:, 1])
    assert ends == pytest.approx([0.0, 0.01, 0.4, 0.6])
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["20", "2,000"]
    assert list(left.lines[-1].get_ydata()) == [0.01, 0.02]
    assert list(right.lines[-1].get_ydata()) == [0.01, 0.06]


def test_a_share_that_came_out_stands_above_the_one_that_went_in():
    points = [(0.5, 0.4, (0.3, 0.45)), (0.9, 0.95, (0.9, 0.99))]
    axes = plots.in_and_out({"vae": points, "gan": points}).axes[0]
    dots = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert [y for _, y in dots] == [0.4, 0.95] * 2
    assert [x for x, _ in dots] == pytest.approx([0.5, 0.9] * 2, abs=0.02)
    assert dots[0][0] != dots[2][0]  # two models lie beside each other


def test_a_roc_curve_begins_at_a_thousandth_and_ends_at_all():
    scores, labels = torch.arange(10.0), torch.arange(10) > 4
    axes = plots.roc({"perfect": auditing.roc_curve(scores, labels)}).axes[0]
    x, y = axes.lines[0].get_data()
    assert x[0] == pytest.approx(1e-3) and (x[-1], y[-1]) == (1, 1) and y[x <= 1e-3].max() == 1


def test_a_cross_table_writes_each_number_in_its_cell():
    table = {"a": {"c": 0.9, "d": 0.5}, "b": {"c": 0.1, "d": 1.0}}
    axes = plots.cross_table(table, "rows", "columns").axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.50", "0.10", "1.00"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]


def test_unmarked_pictures_follow_the_line_of_chance():
    p = torch.arange(1, 101) / 100
    axes = plots.p_values({"unmarked": p, "marked": torch.full((5,), 1e-30)}).axes[0]
    x, y = axes.lines[1].get_data()
    assert np.allclose(x, y) and axes.lines[2].get_ydata()[-1] == 1


FIGURES = {
    "game": lambda: plots.game_strip(torch.randn(9, 2), {"one": moment(0), "two": moment(1)}),
    "one moment": lambda: plots.game_strip(torch.randn(9, 2), {"one": moment(0)}),
    "best": lambda: plots.optimal_and_trained(*torch.rand(4, 9)),
    "best and trained": lambda: plots.optimal_and_trained(*torch.rand(5, 9)),
    "apart": lambda: plots.sliding_apart([0.0, 1.0], [0.0, 0.1]),
    "losses": lambda: plots.generator_losses(
        torch.rand(9),
        {"a": torch.randn(9), "b": torch.randn(9)},
        {"a": torch.rand(9), "b": torch.rand(9)},
    ),
    "vanishing": lambda: plots.vanishing([0, 10], {"a": [1.0, 0.1], "b": [1.0, 3.0]}),
    "orbits": lambda: plots.orbit_strip({"at once": ORBIT}),
    "copies": lambda: plots.with_neighbours(torch.zeros(4, 3, 8, 8), torch.zeros(4, 2, 3, 8, 8)),
    "windows": lambda: plots.windows(
        {"a": dict(size=6, kernel=3, stride=1, padding=1, dilation=1)}
    ),
    "overlaps": lambda: plots.overlaps({"a": torch.ones(3, 3), "b": torch.ones(2, 5)}),
    "spectra": lambda: plots.spectra({"a": torch.zeros(2, 1, 8, 8)}, {"a": torch.rand(8, 8)}),
    "minutes": lambda: plots.against_minutes({"a": ([0, 1], [9.0, 3.0])}, 0.5, "distance"),
    "through_a_vae": lambda: plots.through_a_vae(
        torch.zeros(3, 8, 8), *torch.randn(3, 5).abs(), torch.zeros(3, 8, 8)
    ),
    "grid": lambda: plots.grid(torch.zeros(5, 3, 8, 8), columns=3, title="five"),
    "rows": lambda: plots.rows({"a": torch.zeros(3, 1, 8, 8), "b": torch.zeros(3, 3, 8, 8)}),
    "panels": lambda: plots.panels({"a": torch.zeros(1, 4, 4), "b": torch.zeros(3, 9, 9)}),
    "plane": lambda: plots.density_in_the_plane(
        {"a": torch.ones(100)}, torch.zeros(4, 2), {"a": torch.ones(3, 2)}
    ),
    "curve": lambda: plots.bandwidth_curve([0.1, 1.0], torch.tensor([3.0, 1]), [-9.0, 0]),
    "bumps": lambda: plots.bumps(torch.zeros(9), torch.ones(9, 2), torch.zeros(2)),
    "bent": lambda: plots.bent_noise(torch.randn(9, 2), [torch.randn(9, 2)]),
    "slid away": lambda: plots.slid_away(DISTANCES, PULLS, at=3),
    "by score": lambda: plots.losses_by_score(DISTANCES, PULLS, PULLS),
    "curves": lambda: plots.curves([1, 2], {"a": [1.0, 2.0]}, "x", "y", {"here": 1.5}, 1.2),
    "critics": lambda: plots.critics(
        {"a": torch.randn(9, 9), "b": torch.randn(9, 9)}, torch.randn(4, 2), torch.randn(3, 2)
    ),
    "two sets": lambda: plots.two_sets(
        torch.randn(4, 2), torch.randn(3, 2), {"one": (1.0, 0.5), "other": (0.2, 0.1)}
    ),
    "scorecard": lambda: plots.scorecard({"a": {"x": 1.0, "y": -0.1}}, "a", ["x"]),
    "every run": lambda: plots.every_run({"a": {0.1: [math.nan]}}, 0.5, "distance"),
    "ranks": lambda: plots.means_and_ranks({"a": (2.0, 1.0, 3.0)}, torch.ones(1, 1), 0.5, "d"),
    "budgets": lambda: plots.by_budget({10: {"a": (2.0, 1.0, 3.0)}}, 0.5, "d"),
    "runs": lambda: plots.runs_by_loss({"covered": {"a": [8.0]}}, {"covered": 8}),
    "patches": lambda: plots.patches_seen(torch.zeros(3, 16, 16), {"layers 1: 6": 6}),
    "middle": lambda: plots.colours_and_their_middle({(1.0, 0.0, 0.0): 1.0}, torch.ones(3)),
    "kept": lambda: plots.changed_and_kept({"λ = 1": (0.1, 0.9)}, 0.9, 0.03, "share"),
    "schedules": lambda: plots.schedules({"a": Diffusion(linear_betas(9))}),
    "spread": lambda: plots.spread_over_steps({"a": [1.0, 2.0], "b": [1.0, 1.0]}),
    "clock": lambda: plots.clock(torch.rand(9, 4)),
    "way back": lambda: way_back().show(1),
    "points in steps": lambda: plots.points_in_steps(
        torch.randn(9, 2), {"noise": torch.randn(9, 2), "t = 0": torch.randn(9, 2)}
    ),
    "by steps": lambda: plots.by_steps({"DDIM": {1: [9.0], 10: [2.0, 3.0]}}, 0.5, "distance"),
    "guidance": lambda: plots.guidance_trade(
        [0.0, 1.0], {"variety": [2.0, 1.0], "distance": [3.0, 2.0]}, {"variety": 1.5}
    ),
    "methods": lambda: plots.methods({"a": {"x": (2.0, 1.0, 3.0), "y": (0.5, 0.4, 0.6)}}, "xy"),
    "chain strip": lambda: plots.chain_strip({"T = 9": torch.zeros(1, 4, 4)}, torch.randn(1, 4, 4)),
    "copied": lambda: plots.copies(*PAIRS),
    "copying": lambda: plots.copying(PAIRS, SHARES, {20: 0.0}, {4: SHARES[20]}, {4: 0.01}),
    "along": lambda: plots.along({"a": SHARES, "b": SHARES}, 0.5, "faces", "AUC"),
    "two kinds": lambda: plots.two_kinds(
        {"a": (torch.rand(9), torch.rand(8))}, ("members", "strangers"), "loss"
    ),
    "in and out": lambda: plots.in_and_out({"vae": [(0.5, 0.4, (0.3, 0.5))]}),
    "roc": lambda: plots.roc({"a": auditing.roc_curve(torch.rand(9), torch.arange(9) < 4)}),
    "crossed": lambda: plots.cross_table({"a": {"a": 1.0, "b": 0.5}}, "rows", "columns"),
    "attacks": lambda: plots.after_attacks({"a": {"none": SHARES[20]}}, "share", 0.01),
    "p-values": lambda: plots.p_values({"a": torch.rand(9)}),
    "neighbours": lambda: plots.neighbours_by_number([10, 100], [10.0, 9.0], -0.05, 784),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_and_not_left_to_pyplot(name):
    before = plt.get_fignums()
    figure = FIGURES[name]()
    assert isinstance(figure, Figure) and figure.axes
    figure.canvas.draw()
    assert plt.get_fignums() == before  # a notebook would show it a second time

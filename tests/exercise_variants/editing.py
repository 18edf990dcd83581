"""Right answers to lecture 10's exercises, each in another style: the checks must accept all."""

import torch
import torch.nn.functional as F

# --- perceptual_distance --------------------------------------------------------------------------


def by_torchs_normalize(maps_a, maps_b):
    distances = []
    for a, b in zip(maps_a, maps_b, strict=True):
        # One more channel, always 0.0001, adds 1e-8 under the root.
        a, b = (F.normalize(F.pad(m, (0, 0, 0, 0, 0, 1), value=1e-4), dim=1) for m in (a, b))
        difference = (a - b)[:, :-1]
        distances.append(difference.pow(2).sum(dim=1).flatten(1).mean(dim=1))
    return torch.stack(distances).sum(dim=0)


def by_products(maps_a, maps_b):
    """‖a − b‖² = ‖a‖² + ‖b‖² − 2 a · b, picture by picture."""
    result = []
    for i in range(len(maps_a[0])):
        total = 0.0
        for k in range(len(maps_a)):
            a, b = maps_a[k][i].flatten(1).double(), maps_b[k][i].flatten(1).double()
            a = a / torch.sqrt((a**2).sum(0) + 1e-8)
            b = b / torch.sqrt((b**2).sum(0) + 1e-8)
            products = torch.einsum("cp,cp->p", a, b)
            total = total + ((a**2).sum(0) + (b**2).sum(0) - 2 * products).mean()
        result.append(total)
    return torch.stack(result).float()


# --- invert ---------------------------------------------------------------------------------------


def adam_by_hand(synthesis, x, start, steps, lr):
    ws = start.detach().clone()
    first, second = torch.zeros_like(ws), torch.zeros_like(ws)
    for t in range(1, steps + 1):
        leaf = ws.clone().requires_grad_(True)
        error = (synthesis(leaf) - x).square().mean()
        (g,) = torch.autograd.grad(error, leaf)
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g * g
        ws = ws - lr * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
    return ws


def with_a_parameter(synthesis, x, start, steps, lr):
    code = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.Adam(params=[code], lr=lr, betas=(0.9, 0.999))
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=False)
        error = ((x - synthesis(code)) ** 2).flatten(1).mean(1).sum()  # Adam does not see the scale
        error.backward()
        optimizer.step()
    return code.data.clone()


# --- noise_regulariser ----------------------------------------------------------------------------


def by_indices(noise):
    total = noise.new_zeros(len(noise))
    n = noise[:, 0]
    while True:
        across = torch.cat([n[:, :, -1:], n[:, :, :-1]], dim=2)
        along = torch.cat([n[:, -1:], n[:, :-1]], dim=1)
        total = total + (n * across).flatten(1).mean(1) ** 2 + (n * along).flatten(1).mean(1) ** 2
        if n.shape[1] <= 8:
            return total
        b, s, _ = n.shape
        n = n.reshape(b, s // 2, 2, s // 2, 2).mean((2, 4))


def by_calling_itself(noise):
    right, below = torch.roll(noise, -1, dims=3), torch.roll(noise, -1, dims=2)
    here = sum(torch.einsum("bchw,bchw->b", noise, n) ** 2 for n in (right, below))
    here = here / noise[0].numel() ** 2
    if noise.shape[-1] <= 8:
        return here
    return here + by_calling_itself(F.interpolate(noise, scale_factor=0.5, mode="area"))


# --- strangeness ----------------------------------------------------------------------------------


def by_cholesky(ws, mean, covariance):
    undone = torch.where(ws < 0, 5 * ws, ws)
    factor = torch.linalg.cholesky(covariance)
    b, layers, n = ws.shape
    white = torch.linalg.solve_triangular(factor, (undone - mean).reshape(-1, n).T, upper=False)
    return white.square().sum(0).view(b, layers).mean(1) / n


def by_solving(ws, mean, covariance):
    d = (torch.clamp(ws, min=0) + 5 * torch.clamp(ws, max=0) - mean).double()
    solved = torch.linalg.solve(covariance.double(), d.unsqueeze(-1)).squeeze(-1)
    return (torch.einsum("bln,bln->bl", d, solved) / ws.shape[-1]).mean(-1).float()


# --- domain_regulariser ---------------------------------------------------------------------------


def flattened(ws, pictures, encode):
    difference = (encode(pictures) - ws).flatten(1)
    return (difference * difference).sum(1) / difference.shape[1]


def by_mse(ws, pictures, encode):
    code = encode(pictures)
    return F.mse_loss(code, ws, reduction="none").mean(dim=-1).mean(dim=-1)


# --- local_codes ----------------------------------------------------------------------------------


def by_normalize(pivot, w, alpha):
    way = (w - pivot).flatten(1)
    return pivot + alpha * F.normalize(way, dim=1).reshape(w.shape)


def one_code_at_a_time(pivot, w, alpha):
    found = []
    for i, code in enumerate(w):
        centre = pivot[i if len(pivot) > 1 else 0]
        step = code - centre
        found.append(torch.lerp(centre, code, alpha / step.norm()))
    return torch.stack(found)


# --- conditional_direction ------------------------------------------------------------------------


def gram_schmidt(n, others):
    basis = []
    for other in others:
        for b in basis:
            other = other - (other @ b) * b
        basis.append(other / other.norm())
    for b in basis:
        n = n - (n @ b) * b
    return n / n.norm()


def least_squares(n, others):
    wide = others.double()
    shares = torch.linalg.solve(wide @ wide.T, wide @ n.double())
    return F.normalize(n.double() - shares @ wide, dim=0).float()


def by_the_null_space(n, others):
    _, _, vh = torch.linalg.svd(others, full_matrices=True)
    free = vh[len(others) :]
    return F.normalize(free.T @ (free @ n), dim=0)


# --- sefa -----------------------------------------------------------------------------------------


def by_svd(weights, k):
    return torch.linalg.svd(torch.cat(list(weights), dim=0), full_matrices=True).Vh[:k]


def sorted_by_hand(weights, k):
    total = torch.zeros(weights[0].shape[1], weights[0].shape[1], dtype=torch.float64)
    for a in weights:
        total += torch.einsum("oi,oj->ij", a.double(), a.double())
    values, vectors = torch.linalg.eigh(total)
    order = torch.argsort(values, descending=True)[:k]
    return -vectors[:, order].T.contiguous().float()


# --- channel_relevance ----------------------------------------------------------------------------


def in_loops(up, down, text):
    result = []
    for c in range(len(up)):
        votes = []
        for p in range(up.shape[1]):
            d = up[c, p] - down[c, p]
            votes.append(d / d.norm() if d.norm() > 0 else d)
        way = sum(votes) / len(votes)
        result.append((way @ text / way.norm()).item() if way.norm() > 0 else 0.0)
    return torch.tensor(result)


def as_a_cosine(up, down, text):
    d = up - down
    votes = d / (d.norm(dim=-1, keepdim=True) + 1e-12)
    return F.cosine_similarity(votes.sum(1), text[None], dim=-1)


# --- spade ----------------------------------------------------------------------------------------


def by_moments(x, labels, scale_of, shift_of):
    h, w = x.shape[-2:]
    rows = torch.arange(h) * labels.shape[2] // h
    columns = torch.arange(w) * labels.shape[3] // w
    m = labels[:, :, rows][:, :, :, columns]
    flat = x.flatten(2)
    mean = flat.mean(2)[:, :, None, None]
    variance = (flat**2).mean(2)[:, :, None, None] - mean**2
    normal = (x - mean) / torch.sqrt(variance.clamp(min=0) + 1e-5)
    return normal + normal * scale_of(m) + shift_of(m)


def by_group_norm(x, labels, scale_of, shift_of):
    labels = F.interpolate(labels, size=tuple(x.shape[-2:]))  # nearest is its default
    gamma, beta = scale_of(labels), shift_of(labels)
    return torch.addcmul(beta, F.group_norm(x, x.shape[1], eps=1e-5), gamma + 1)


# --- feature_matching -----------------------------------------------------------------------------


def by_l1_loss(real, fake):
    losses = [
        F.l1_loss(drawn, goal.detach())
        for scale_real, scale_fake in zip(real, fake, strict=True)
        for goal, drawn in list(zip(scale_real, scale_fake, strict=True))[:-1]
    ]
    return torch.stack(losses).sum() / len(real)


def with_indices(real, fake):
    total = 0
    for s in range(len(real)):
        for i in range(len(real[s]) - 1):
            with torch.no_grad():
                goal = real[s][i].clone()
            total += (fake[s][i] - goal).abs().sum() / goal.numel() / len(real)
    return total


# --- instance_edges -------------------------------------------------------------------------------


def by_padding(ids):
    wide = F.pad(ids[:, None].double(), (1, 1, 1, 1), mode="replicate")[:, 0].long()
    inner = wide[:, 1:-1, 1:-1]
    edge = (inner != wide[:, :-2, 1:-1]) | (inner != wide[:, 2:, 1:-1])
    edge = edge | (inner != wide[:, 1:-1, :-2]) | (inner != wide[:, 1:-1, 2:])
    return edge.unsqueeze(1).to(torch.float32)


def place_by_place(ids):
    n, h, w = ids.shape
    edges = torch.zeros(n, 1, h, w)
    for b in range(n):
        for y in range(h):
            for x in range(w):
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= v < h and 0 <= u < w and ids[b, v, u] != ids[b, y, x]:
                        edges[b, 0, y, x] = 1
    return edges


def by_pools(ids):
    n = ids[:, None].double()

    def spread(kernel, padding):
        high = F.max_pool2d(n, kernel, 1, padding)
        return high + F.max_pool2d(-n, kernel, 1, padding) > 0

    return (spread((1, 3), (0, 1)) | spread((3, 1), (1, 0))).float()


VARIANTS = {
    "editing.perceptual_distance": (by_torchs_normalize, by_products),
    "editing.invert": (adam_by_hand, with_a_parameter),
    "editing.noise_regulariser": (by_indices, by_calling_itself),
    "editing.strangeness": (by_cholesky, by_solving),
    "editing.domain_regulariser": (flattened, by_mse),
    "editing.local_codes": (by_normalize, one_code_at_a_time),
    "editing.conditional_direction": (gram_schmidt, least_squares, by_the_null_space),
    "editing.sefa": (by_svd, sorted_by_hand),
    "editing.channel_relevance": (in_loops, as_a_cosine),
    "editing.spade": (by_moments, by_group_norm),
    "editing.feature_matching": (by_l1_loss, with_indices),
    "editing.instance_edges": (by_padding, place_by_place, by_pools),
}

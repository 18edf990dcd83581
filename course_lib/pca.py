"""Principal components: the best linear code of `k` numbers per image, found without any training.

With the centred data X (n, d), the components are the first k eigenvectors of the covariance
C = XᵀX / (n − 1). `fit` takes the cheapest of three routes to them:

- few pixels (d ≤ 2,000):  the eigenvectors of XᵀX, a d × d matrix;
- few images (n ≤ 2,000):  those of the Gram matrix XXᵀ, n × n; if XXᵀu = λu, then Xᵀu is an
  eigenvector of XᵀX with the same λ (Turk and Pentland 1991, the trick behind eigenfaces);
- many of both:            a block Krylov method (Musco and Musco 2015), which only ever multiplies
  by X, until its residual is below 1e-7 of the largest eigenvalue. The flatter the spectrum, the
  longer it takes: once it has cost as much as the exact route would, the exact route is taken, so
  that no data cost more than about twice the cheaper of the two.

All sums are in float64, over slices of the data, so that the memory stays small.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.checks import finite, floats, present, shaped

EXACT_UP_TO = 2000  # eigh of a 2,000 × 2,000 matrix takes about a second, and grows with the cube
SLICE = 2**22  # numbers converted to float64 at a time (32 MB)
RESIDUAL = 1e-7  # of the largest eigenvalue


class PCA:
    """The first k principal components.

    After `fit`: `mean` (d,), `components` (k, d), orthonormal rows of which the loading of largest
    magnitude is positive, `explained_variance` (k,), `explained_variance_ratio` (k,).
    Image batches (N, C, H, W) are accepted wherever rows (n, d) are, and flattened.
    """

    def __init__(self, k: int):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"k, the number of components, must be an integer above 0; got {k!r}")
        self.k = k

    def fit(self, x: Float[Tensor, "n d"]) -> "PCA":
        """Finds the k directions of largest variance of the rows of x.

        Raises TypeError unless x is floating point; ValueError for NaN, for fewer than 2 rows, for
        k > min(n, d), and for rows that are all equal.
        """
        x = present("x", _rows(x))
        home, dtype = x.device, x.dtype
        if home.type == "mps":  # which knows no float64
            x = x.cpu()
        n, d = x.shape
        if n < 2:
            raise ValueError(f"x must have at least 2 rows, or nothing varies; got {n}")
        if self.k > min(n, d):
            raise ValueError(
                f"k must be at most min(n, d) = {min(n, d)} for x {n} × {d}; got {self.k}"
            )
        mean = sum(rows.sum(0, dtype=torch.float64) for rows in x.split(_step(d))) / n
        total = sum((rows - mean).square().sum() for rows in x.split(_step(d))) / (n - 1)
        if not torch.isfinite(total):
            raise ValueError("x must be finite; it contains NaN or infinity")
        if not total > 1e-20 * (mean.square().sum() + 1e-300):
            raise ValueError("x must vary; all its rows are equal")

        found, exact = None, _from_covariance if d <= n else _from_gram
        if min(n, d) > EXACT_UP_TO and 8 * self.k <= min(n, d):
            found = _from_krylov(x, mean, self.k)
        values, components = found or exact(x, mean, self.k)
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        components = components * torch.where(largest < 0, -1.0, 1.0)  # an eigenvector has no sign
        variance = values.clamp(min=0) / (n - 1)
        self.mean, self.components = mean.to(home, dtype), components.to(home, dtype)
        self.explained_variance = variance.to(home, dtype)
        self.explained_variance_ratio = (variance / total).to(home, dtype)
        return self

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """The k coordinates of each row: (x − mean) Vᵀ."""
        x = floats("x", _rows(x, self._fitted()), like=self.mean)
        return (x - self.mean) @ self.components.T

    def decode(self, codes: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        """The row that the coordinates stand for: codes V + mean."""
        self._fitted()
        shaped("codes", codes, "n", self.k, like=self.mean)
        return codes @ self.components + self.mean

    def _fitted(self) -> int:
        if not hasattr(self, "components"):
            raise ValueError("this PCA knows no data yet: call fit(x) first")
        return self.components.shape[1]


def principal_angles(
    a: Float[Tensor, "p d"], b: Float[Tensor, "q d"]
) -> Float[Tensor, " min(p,q)"]:
    """The angles in degrees between the subspaces that the rows of a and of b span, ascending.

    The cosines are the singular values of QₐQᵦᵀ. Below 45° the sines are used instead, the singular
    values of Qᵦ − QᵦQₐᵀQₐ: a cosine cannot tell 0.01° from 0 in floating point (Björck and Golub
    1973). Equal to `scipy.linalg.subspace_angles`, which orders them the other way.

    Raises ValueError for another rank or width, NaN, or rows that depend linearly on each other.
    """
    bases = []
    for name, rows in (("a", a), ("b", b)):
        finite(name, present(name, floats(name, rows, 2)))
        rows = rows.detach().cpu().double()
        if torch.linalg.matrix_rank(rows) < len(rows):
            raise ValueError(f"{name} must have linearly independent rows; one is a sum of others")
        bases.append(torch.linalg.qr(rows.T).Q)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a and b must have rows of one length; got {a.shape[1]} and {b.shape[1]}")
    wide, narrow = sorted(bases, key=lambda basis: -basis.shape[1])
    cosines = torch.linalg.svdvals(wide.T @ narrow).clamp(max=1)
    sines = torch.linalg.svdvals(narrow - wide @ (wide.T @ narrow)).clamp(max=1).flip(0)
    angles = torch.where(cosines.square() > 0.5, sines.asin(), cosines.acos())
    return angles.rad2deg()


def _rows(x: Tensor, d: int | None = None) -> Tensor:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"x must be floating point, as `images.floats()` gives it; got {kind}")
    if x.ndim not in (2, 4):
        raise ValueError(f"x must be (n, d) or images (N, C, H, W); got {tuple(x.shape)}")
    x = x.flatten(1)
    if d is not None and x.shape[1] != d:
        raise ValueError(f"x must have {d} columns, as the fitted data had; got {x.shape[1]}")
    return x


def _step(width: int) -> int:
    return max(1, SLICE // width)


def _top(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(matrix)  # ascending
    return values[-k:].flip(0), vectors[:, -k:].flip(1)


def _from_covariance(x: Tensor, mean: Tensor, k: int) -> tuple[Tensor, Tensor]:
    d = x.shape[1]
    scatter = x.new_zeros(d, d, dtype=torch.float64)
    for rows in x.split(_step(d)):
        centred = rows - mean
        scatter += centred.T @ centred
    values, vectors = _top(scatter, k)
    return values, vectors.T


def _from_gram(x: Tensor, mean: Tensor, k: int) -> tuple[Tensor, Tensor]:
    n, d = x.shape
    gram = x.new_zeros(n, n, dtype=torch.float64)
    for columns, centre in zip(x.split(_step(n), 1), mean.split(_step(n)), strict=True):
        centred = columns - centre
        gram += centred @ centred.T
    values, u = _top(gram, k)
    pairs = zip(x.split(_step(d)), u.split(_step(d)), strict=True)
    v = sum((rows - mean).T @ part for rows, part in pairs)
    return values, torch.linalg.qr(v).Q.T  # QR completes the basis where an eigenvalue is zero


def _from_krylov(x: Tensor, mean: Tensor, k: int) -> tuple[Tensor, Tensor] | None:
    """Rayleigh–Ritz in the space of V, CV, C²V, … for a random block V of k + 10 columns.

    None where it has cost as much as the exact route and is not there yet. Costs are counted in
    multiplications; the weights (60 for a number's way to float64, 5 for eigh) were measured.
    """
    (n, d), width, spent = x.shape, k + 10, 0
    least, most = min(n, d), max(n, d)
    generator = torch.Generator().manual_seed(0)  # the same data give the same components
    block = torch.randn(d, width, generator=generator, dtype=torch.float64).to(x.device)
    basis, image = block[:, :0], block[:, :0]  # K and CK
    while spent < least**2 * (most + 5 * least):
        for _ in range(2):  # once leaves rounding errors along the basis, twice is enough
            block = torch.linalg.qr(block - basis @ (basis.T @ block)).Q
        product = torch.zeros_like(block)
        for rows in x.split(_step(d)):
            centred = rows - mean
            product += centred.T @ (centred @ block)
        basis, image = torch.cat([basis, block], 1), torch.cat([image, product], 1)
        values, u = _top(basis.T @ image, k)
        residual = (image @ u - basis @ u * values).norm(dim=0).max()
        if residual <= RESIDUAL * values[0]:
            return values, torch.linalg.qr(basis @ u).Q.T
        block, columns = product, basis.shape[1]
        spent += n * d * (2 * width + 60) + 6 * d * columns * width + 5 * columns**3
    return None

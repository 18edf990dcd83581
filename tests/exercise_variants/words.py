"""Correct answers to the exercises of lecture 12, each in another style."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from course_lib import attention, boltzmann, codebooks, contrastive, text_to_image, tokens

# --- machines and codes ---------------------------------------------------------------------------


def outer_products(v, W, b, c, u_h, u_v):
    p = torch.sigmoid(torch.einsum("bv,vh->bh", v, W) + c)
    h = torch.where(u_h < p, 1.0, 0.0)
    again = torch.where(u_v < torch.sigmoid(F.linear(h, W) + b), 1.0, 0.0)
    q = torch.sigmoid(again.matmul(W).add(c))
    change = (v[:, :, None] * p[:, None] - again[:, :, None] * q[:, None]).mean(0)
    return change, v.mean(0) - again.mean(0), p.mean(0) - q.mean(0)


def image_by_image(v, W, b, c, u_h, u_v):
    changes = [torch.zeros_like(W), torch.zeros_like(b), torch.zeros_like(c)]
    for i in range(len(v)):
        p = torch.sigmoid(c + v[i] @ W)
        again = (u_v[i] < torch.sigmoid(b + W @ (u_h[i] < p).float())).float()
        q = torch.sigmoid(c + again @ W)
        changes[0] += torch.outer(v[i], p) - torch.outer(again, q)
        changes[1] += v[i] - again
        changes[2] += p - q
    return [change / len(v) for change in changes]


def by_cdist(z, book):
    b, d, h, w = z.shape
    rows = z.flatten(2).transpose(1, 2).reshape(-1, d)
    return torch.cdist(rows, book).argmin(dim=1).reshape(b, h, w)


def code_by_code(z, book):
    distances = [(z - code[None, :, None, None]).pow(2).sum(1) for code in book]
    return torch.stack(distances).argmin(0)


def subtracting_itself(z, q):
    return z - z.detach() + q.detach()


def of_a_function(z, q):
    class Rounding(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, q):
            return q.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient, None

    return Rounding.apply(z, q)


def two_mse_losses(z, q, beta):
    return F.mse_loss(q, z.detach()) + beta * F.mse_loss(z, q.detach())


def by_categorical(tokens, codes):
    counts = F.one_hot(tokens.reshape(-1), codes).sum(0)
    return torch.distributions.Categorical(probs=counts.float()).entropy().exp()


def a_loop_over_codes(tokens, codes):
    entropy = 0.0
    for code in range(codes):
        share = (tokens == code).float().mean().item()
        entropy -= share * math.log(share) if share else 0.0
    return torch.tensor(math.exp(entropy))


# --- words and pictures ---------------------------------------------------------------------------


def log_softmax_diagonals(pictures, sentences, scale):
    cosines = F.cosine_similarity(pictures[:, None], sentences[None], dim=-1)
    logits = scale * cosines
    return -(logits.log_softmax(0) + logits.log_softmax(1)).diagonal().mean() / 2


def matching_with_targets(real_right, fake_right, real_wrong):
    loss = nn.BCEWithLogitsLoss()
    wrong = [loss(s, torch.zeros_like(s)) for s in (fake_right, real_wrong)]
    return loss(real_right, torch.ones_like(real_right)) + 0.5 * sum(wrong)


def gathered_log_probabilities(logits, tokens, start):
    log_p = logits.log_softmax(-1)
    places = range(start, tokens.shape[1])
    each = [log_p[:, i - 1].gather(1, tokens[:, i : i + 1]) for i in places]
    return -torch.cat(each, dim=1).mean()


def with_transposed_classes(logits, tokens, start):
    return F.cross_entropy(logits[:, start - 1 : -1].transpose(1, 2), tokens[:, start:])


def row_by_row(logits, p):
    rows, found = logits.reshape(-1, logits.shape[-1]), []
    for row in rows:
        shares, kept, total = row.softmax(0), torch.full_like(row, -math.inf), 0.0
        for i in shares.argsort(descending=True).tolist():
            if total >= p:
                break
            kept[i] = row[i]
            total += shares[i].item()
        found.append(kept)
    return torch.stack(found).view_as(logits)


def by_rank(logits, p):
    shares, order = logits.softmax(-1).sort(-1, descending=True)
    size = (shares.cumsum(-1) - shares < p).sum(-1, keepdim=True)
    return torch.where(order.argsort(-1) < size, logits, -torch.inf)


def masked_by_where(tokens, u, ranks, mask):
    share = torch.cos(u * torch.pi / 2)[:, None]
    n = torch.clamp(torch.ceil(share * tokens.size(1)), min=1)
    hidden = ranks.lt(n)
    shown = tokens.clone()
    shown[hidden] = mask
    return shown, hidden


def by_topk(tokens, drawn, confidence, left, mask):
    found = tokens.clone()
    hidden = tokens.eq(mask)
    found[hidden] = drawn[hidden]
    for row, (unknown, sure) in enumerate(zip(hidden, confidence, strict=True)):
        places = unknown.nonzero().flatten()
        worst = sure[places].topk(left, largest=False).indices
        found[row, places[worst]] = mask
    return found


def by_torch_attention(x, words, Wq, Wk, Wv, real):
    return F.scaled_dot_product_attention(
        x @ Wq, words @ Wk, words @ Wv, attn_mask=real[:, None].expand(-1, x.shape[1], -1)
    )


def leaving_padding_out(x, words, Wq, Wk, Wv, real):
    rows = []
    for places, told, there in zip(x, words, real, strict=True):
        told = told[there]
        scores = (places @ Wq) @ (told @ Wk).T / math.sqrt(Wk.shape[1])
        rows.append(scores.softmax(1) @ (told @ Wv))
    return torch.stack(rows)


VARIANTS = {
    "words.cd_gradient": [outer_products, image_by_image, boltzmann.cd_gradient],
    "words.nearest_code": [by_cdist, code_by_code, codebooks.nearest_code],
    "words.straight_through": [subtracting_itself, of_a_function, codebooks.straight_through],
    "words.codebook_loss": [two_mse_losses, codebooks.codebook_loss],
    "words.perplexity": [by_categorical, a_loop_over_codes, codebooks.perplexity],
    "words.contrastive_loss": [log_softmax_diagonals, contrastive.contrastive_loss],
    "words.matching_loss": [matching_with_targets, text_to_image.matching_loss],
    "words.next_token_loss": [
        gathered_log_probabilities,
        with_transposed_classes,
        tokens.next_token_loss,
    ],
    "words.nucleus": [row_by_row, by_rank, tokens.nucleus],
    "words.masked_input": [masked_by_where, tokens.masked_input],
    "words.keep_surest": [by_topk, tokens.keep_surest],
    "words.cross_attention": [
        by_torch_attention,
        leaving_padding_out,
        attention.cross_attention,
    ],
}

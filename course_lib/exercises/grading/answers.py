"""What answers an exercise: the reference, the library's own like it, and what they are made of.

None of it is there while the exercise is graded. It is found by what it is, not by how a notebook
spells it: the code of a function is taken away, whatever name, table or closure leads to it. Of
other exercises the references stay, as a later exercise may build on an earlier one, unless they
are in ALIKE.
"""

import dis
import functools
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import CodeType, FunctionType, ModuleType

import course_lib
from course_lib.exercises import EXERCISES, Exercise

# For each exercise what else does its work: functions and classes of course_lib, and the references
# of other exercises (by their ids, after "="). The reference itself, the library's function of the
# same name and all that these call in private come by themselves.
ALIKE = {
    "density.to_model_range": "data.imageset.to_float",
    "density.fit_gaussian": "metrics.fit_gaussian",
    "density.parzen_log_density": "density._log_densities",
    "density.select_bandwidth": "density._log_densities",
    "density.proxy_a_distance": "density.held_out_error",
    "vae.pca_components": "pca.PCA",
    "vae.pca_reconstruct": "pca.PCA",
    "vae.kl_to_standard_normal": "autoencoders.elbo_terms",
    "vae.negative_elbo": "autoencoders.elbo_terms autoencoders._total",
    "vae.morph": "scaling.fade_in =losses.interpolate =ddpm.guided_noise",
    "vae.condition": "translation.condition_on_class =cyclegan.condition_on_class",
    "gan.discriminator_loss": "gan_losses._log_d",
    "gan.generator_loss": "gan_losses._minimax_g gan_losses._non_saturating_g",
    "gan.adversarial_step": "gan.AdversarialStep",
    "dcgan.conv2d_size": "shapes.layer_table shapes._after",
    "dcgan.conv_transpose2d_size": "shapes.layer_table shapes._after",
    "dcgan.conv2d_params": "shapes.layer_table shapes._after shapes._weights",
    "dcgan.generator_block": "dcgan.Generator dcgan._rectified autoencoders._block",
    "dcgan.init_weights": "translation._init_weights",
    "dcgan.discriminator_update": "gan.AdversarialStep =gan.adversarial_step",
    "dcgan.generator_update": "gan.AdversarialStep =gan.adversarial_step",
    "losses.wasserstein_d": "gan_losses._critic_d",
    "losses.wasserstein_g": "gan_losses._critic_g",
    "losses.least_squares_d": "gan_losses._least_squares_d =losses.bug_least_squares",
    "losses.least_squares_g": "gan_losses._least_squares_g =losses.bug_least_squares",
    "losses.hinge_d": "gan_losses._hinge_d",
    "losses.gradient_penalty": "gan_losses.gradient_penalty =losses.bug_penalty_of_images"
    " =losses.bug_penalty_of_batches gan.AdversarialStep._penalty",
    "losses.interpolate": "scaling.fade_in",
    "losses.dragan_points": "gan_losses._around_the_data",
    "losses.began_update": "gan_losses.BeganBalance",
    "losses.precision_recall": "=losses.bug_precision_recall",
    "losses.bug_penalty_of_images": "gan_losses.gradient_penalty =losses.bug_penalty_of_batches",
    "losses.bug_penalty_of_batches": "gan_losses.gradient_penalty =losses.bug_penalty_of_images",
    "losses.bug_points_between": "gan_losses.interpolate",
    "losses.bug_least_squares": "gan_losses._least_squares_d gan_losses._least_squares_g",
    "losses.bug_precision_recall": "metrics.precision_recall =losses.precision_recall",
    "cyclegan.generator_update": "translation.CycleGANStep",
    "cyclegan.bug_pairs": "translation.Pix2PixStep",
    "ddpm.q_sample": "diffusion.Diffusion.q_sample",
    "ddpm.posterior": "diffusion.Diffusion.posterior",
    "ddpm.predict_x0": "diffusion.Diffusion.predict_x0 diffusion.Diffusion.ddim_step"
    " diffusion.Diffusion._implicit =ddpm.ddim_step",
    "ddpm.ddpm_step": "diffusion.Diffusion.ddpm_step diffusion.Diffusion._ancestral",
    "ddpm.ddim_step": "diffusion.Diffusion.ddim_step diffusion.Diffusion._implicit",
    "ddpm.guided_noise": "styles.truncate diffusion._ask scaling.fade_in =losses.interpolate",
    "ddpm.training_loss": "diffusion.Diffusion.loss",
    "ddpm.bug_last_step": "diffusion.Diffusion.ddpm_step diffusion.Diffusion.ddpm_sample",
    "ddpm.bug_hidden_labels": "diffusion._some_hidden",
    "ddpm.bug_short_chain": "diffusion.cosine_betas =ddpm.cosine_betas",
    "ethics.roc_auc": "auditing.roc_curve auditing.membership_auc =ethics.membership_auc",
    "ethics.membership_auc": "auditing.roc_auc",
    "ethics.attribute_shares": "auditing.wilson_interval auditing._share",
    "styles.equalized": "styles.EqualConv2d styles.EqualLinear",
    "styles.fade_in": "scaling.shrunk",
    "styles.adain": "styles.AdaINGenerator",
    "styles.modulated_conv": "styles.StyledConv styles.ToRGB",
    "styles.truncate": "diffusion.guided_noise =ddpm.guided_noise =losses.interpolate =vae.morph",
    "styles.adaptive_probability": "augmentation.Augmentation",
    "styles.self_attention": "scaling.attend scaling.SelfAttention attention.attention_weights",
    "words.nearest_code": "gan.nearest_neighbours =gan.nearest_neighbours",
    "words.cross_attention": "attention.attention_weights scaling.attend =styles.self_attention",
}

GONE = "<gone>"  # where the code of what was taken away comes from


class Gone(RuntimeError):
    """Raised in place of what answers the exercise."""

    def __init__(self) -> None:
        super().__init__(
            "write this yourself: the course's own version is not to be had while your work is "
            "graded"
        )


def take_away(exercise: Exercise) -> None:
    """From now on what answers the exercise only raises Gone, whoever calls it.

    The references of earlier exercises that are made of the same get copies of their own.
    """
    taken = [*answers(exercise).values()]
    for other in EXERCISES.values():
        mended = other.reference in taken or _apart(other.reference, taken)
        if callable(mended) and mended is not other.reference:
            EXERCISES[other.id] = replace(other, reference=mended)
            setattr(sys.modules[mended.__module__], mended.__name__, mended)
    for function in taken:
        if function.__code__.co_filename != GONE:
            refuse(function, Gone)


def _apart(function: Callable, taken: list[Callable]) -> Callable:
    """The function, or where it calls something private that is taken a copy that calls a copy."""
    if not inspect.isfunction(function):
        return function
    scope = function.__globals__
    names = [n for n in _names(function.__code__) if n[0] == "_" and scope.get(n) in taken]
    if not names:
        return function
    own = scope | {name: _copy(scope[name], scope) for name in names}
    return _copy(function, own)


def _copy(function: Callable, scope: dict) -> Callable:
    parts = function.__name__, function.__defaults__, function.__closure__
    return functools.update_wrapper(FunctionType(function.__code__, scope, *parts), function)


def refuse(function: Callable, error: type[Exception]) -> None:
    """From now on the function only raises `error`."""
    function.__signature__ = inspect.signature(function)
    free = "".join(f"{name}, " for name in function.__code__.co_freevars)
    source = f"def outer({free}):\n def gone(*_, **__):\n  ({free})\n  raise ..."
    code = _inner(_inner(compile(source, GONE, "exec")))
    consts = tuple(error if const is ... else const for const in code.co_consts)
    function.__code__ = code.replace(co_consts=consts)


def _inner(code: CodeType) -> CodeType:
    return next(const for const in code.co_consts if inspect.iscode(const))


# ---- which functions -----------------------------------------------------------------------------


@functools.cache
def answers(exercise: Exercise) -> dict[str, Callable]:
    """The functions that answer the exercise, with what only they use."""
    name, reference = exercise.id.partition(".")[2], exercise.reference
    alike = [getattr(module, name, None) for module in library()]
    roots = [reference, *(f for f in alike if inspect.isfunction(f) and _fits(f, reference))]
    for path in ALIKE.get(exercise.id, "").split():
        roots.append(EXERCISES[path[1:]].reference if path[0] == "=" else _found(path))
    roots = [f for root in roots for f in _functions(root)]
    wrong = [f for mistake in exercise.mistakes for f in _functions(mistake.wrong)]
    kept = {id(f) for p in exercise.probes for f in _private(_functions(p.observe))}
    found = {id(f): f for f in wrong if id(f) not in kept} | {id(f): f for f in roots}
    kept |= {id(f) for f in _earlier(exercise)}
    for inner in _private(roots + wrong):
        if id(inner) not in kept and _callers().get(id(inner), set()) <= {*found}:
            found[id(inner)] = inner
    return {f"{f.__module__}.{f.__qualname__} {n}": f for n, f in enumerate(found.values())}


def borrowed(exercise: Exercise, called: Iterable[tuple[CodeType, CodeType]]) -> str:
    """Which answer is among the pairs (function, what a student called to get to it); else "".

    What the references of earlier exercises call is allowed.
    """
    own = {f.__code__: name for name, f in answers(exercise).items()}
    allowed = {f.__code__ for f in _earlier(exercise)}.difference(own)
    used = {code for code, door in called if door not in allowed}
    names = (name for code, name in own.items() if code in used)
    name = next(names, "").partition(" ")[0].removeprefix("course_lib.")
    return name.removesuffix(".__init__")


@functools.cache
def _callers() -> dict[int, set[int]]:
    """Which functions of the library call a private one."""
    callers: dict[int, set[int]] = {}
    for module in library():
        for value in [v for v in vars(module).values() if callable(v)]:
            own = getattr(value, "__module__", "") == module.__name__
            for function in _functions(value) if own and _is_ours(value) else ():
                for inner in _called(function):
                    callers.setdefault(id(inner), set()).add(id(function))
    return callers


def _is_ours(value: Callable) -> bool:
    return isinstance(value, type) or inspect.isfunction(inspect.unwrap(value))


def _fits(function: Callable, reference: Callable) -> bool:
    """Whether a function can be called with as many arguments."""

    def needs(f: Callable) -> int:
        return sum(p.default is p.empty for p in inspect.signature(f).parameters.values())

    return isinstance(reference, type) or needs(function) <= needs(reference)


def _earlier(exercise: Exercise) -> list[Callable]:
    """The references of the earlier exercises, on which this one may build."""
    ids = list(EXERCISES)
    ids = ids[: ids.index(exercise.id)] if exercise.id in EXERCISES else []
    taken = ALIKE.get(exercise.id, "").replace("=", "").split()
    return [f for i in ids if i not in taken for f in _functions(EXERCISES[i].reference)]


def _found(path: str) -> Callable:
    """A function or class of course_lib by its path: "pca.PCA.fit"."""
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["course_lib", *parts[:n]]))
        except ImportError:
            continue
        return functools.reduce(getattr, parts[n:], found)
    raise LookupError(path)


def _functions(value: Callable) -> list[Callable]:
    """The function, or the methods of the class, without decorators."""
    if not isinstance(value, type):
        return [inspect.unwrap(getattr(value, "__func__", value))]
    members = [getattr(m, "__func__", getattr(m, "fget", m)) for m in vars(value).values()]
    return [m for m in map(inspect.unwrap, filter(callable, members)) if inspect.isfunction(m)]


def _private(functions: Iterable[Callable]) -> list[Callable]:
    """The private functions of the course that these call, and so on, which return something."""
    found, todo = {}, list(functions)
    while todo:
        for inner in _called(todo.pop()):
            private = re.match("_[^_]", inner.__name__) or ".topics." in inner.__module__
            if private and id(inner) not in found and inner.__module__.startswith("course_lib."):
                found[id(inner)] = inner
                todo.append(inner)
    return [f for f in found.values() if _returns(f)]


def _called(function: Callable) -> Iterator[Callable]:
    """What a function may call: by a global name, out of its closure, of its class."""
    held = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    held += [function.__globals__[n] for n in _names(function.__code__) & {*function.__globals__}]
    owner = function.__globals__.get(function.__qualname__.split(".")[0])
    if isinstance(owner, type):
        held += [vars(owner).get(name) for name in _names(function.__code__)]
    for value in held:
        if isinstance(value, (tuple, list)):
            held += [part for part in value if callable(part)][:20]
        ours = str(getattr(value, "__module__", "")).startswith("course_lib.")
        if ours and _is_ours(value):
            yield from _functions(value)


def _is_filled(cell: object) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _names(code: CodeType) -> set[str]:
    inner = (_names(const) for const in code.co_consts if inspect.iscode(const))
    return {*code.co_names}.union(*inner)


def _returns(function: Callable) -> bool:
    """Whether a function gives anything back; what only checks its arguments answers nothing."""
    before = None
    for step in dis.get_instructions(function.__code__):
        nothing = before is not None and (before.opname, before.argval) == ("LOAD_CONST", None)
        if step.opname == "YIELD_VALUE" or (step.opname == "RETURN_VALUE" and not nothing):
            return True
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return True
        before = step
    return False


@functools.cache
def library() -> list[ModuleType]:
    """All modules of the course but those of the exercises."""
    return [importlib.import_module(name) for name in modules() if ".exercises" not in name]


def modules() -> list[str]:
    """What a notebook imports. In a submission's process nothing of it can be read any more."""
    names = [m.name for m in pkgutil.walk_packages(course_lib.__path__, "course_lib.")]
    tools = {"build", "recipes", "__main__"}
    return [name for name in names if not tools & set(name.split("."))]

"""Vectors of LANES doubles as values inside kernels: one vector instruction of the processor for each operation.

A vector holds one quantity of the LANES atoms of a group. Arrays of vectors have LANES as their last axis and are C-contiguous;
`load(array, row)` takes the vector at a row of the array seen as (-1, LANES). Sums, differences, products and quotients of
vectors, or of a vector and a float, are written with the usual operators. LLVM divides a vector into as many registers as the
processor needs (one AVX-512 register, two AVX2 registers).

Multiply-adds may be fused; nothing is reordered, so results do not depend on how a loop is compiled. With NUMBA_DISABLE_JIT
vectors are NumPy arrays; with NUMBA_BOUNDSCHECK rows outside an array raise IndexError.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config as _config
from numba import types
from numba.core.imputils import lower_builtin, lower_cast
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array

from acefit.kernels._jit import LANES, driver

config: Any = _config

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_INDEX = ir.IntType(32)
_FLAGS = ("contract", "nsz")


class VectorType(types.Type):
    """Numba's type of a vector; floats convert to it with the same value in all lanes."""

    def __init__(self) -> None:
        super().__init__(name=f"vector{LANES}")

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Conversion | None:
        """Floats convert."""
        return Conversion.safe if isinstance(other, types.Float) else None


vector = VectorType()


def _instruction(function: Callable[..., Any]) -> Any:
    """Make a function that generates LLVM instructions callable from kernels."""
    return intrinsic(function)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: types.Type) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _filled(builder: Any, value: Any) -> Any:
    """Vector with the value in all lanes."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))


@lower_cast(types.Float, VectorType)
def _cast(context: Any, builder: Any, from_type: types.Type, to_type: types.Type, value: Any) -> Any:
    return _filled(builder, context.cast(builder, value, from_type, types.float64))


def _register_operator(function: Any, instruction: str) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if any(a == vector for a in args) and all(a == vector or isinstance(a, types.Float) for a in args):
                return signature(vector, vector, vector)
            return None

    @lower_builtin(function, VectorType, VectorType)
    def _lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FLAGS)


for _name, _opcode in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    _register_operator(getattr(operator, _name), _opcode)
    _register_operator(getattr(operator, f"i{_name}"), _opcode)


def _pointer(context: Any, builder: Any, array_type: types.Type, array: Any, offset: Any, n: int) -> Any:
    """Pointer to n entries from an offset on, checked where numba checks indices."""
    view = make_array(array_type)(context, builder, array)
    if config.BOUNDSCHECK:
        beyond = builder.icmp_signed(">", builder.add(offset, ir.Constant(offset.type, n)), view.nitems)
        outside = builder.or_(builder.icmp_signed("<", offset, ir.Constant(offset.type, 0)), beyond)
        with builder.if_then(outside, likely=False):
            context.call_conv.return_user_exc(builder, IndexError, ("vector out of range",))
    return builder.gep(view.data, [offset])


def _address(context: Any, builder: Any, array_type: types.Type, array: Any, row: Any, width: int = LANES) -> Any:
    """Pointer to the vector that begins at row * width."""
    offset = builder.mul(row, ir.Constant(row.type, width))
    return builder.bitcast(_pointer(context, builder, array_type, array, offset, LANES), _VECTOR.as_pointer())


def _is_vectors(array: types.Type) -> bool:
    return isinstance(array, types.Array) and array.layout == "C" and array.dtype == types.float64


def _intrinsic(builder: Any, name: str, result: Any, *args: Any) -> Any:
    """Call an LLVM intrinsic."""
    function_type = ir.FunctionType(result, [arg.type for arg in args])
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, function_type, name)
    return builder.call(function, args)


@_instruction
def item(typingctx, array, position):
    """Entry of a C-contiguous array, seen as flat, at a position that is not negative.

    Unlike an index it leaves out the question whether the position counts from the end, which costs more than the entry itself in
    a loop of vector operations.
    """
    if not (isinstance(array, types.Array) and array.layout == "C"):
        return None

    def generate(context, builder, sig, args):
        return builder.load(_pointer(context, builder, sig.args[0], args[0], args[1], 1))

    return array.dtype(array, types.intp), generate


@_instruction
def put(typingctx, array, position, value):
    """Set an entry of a C-contiguous float64 array, seen as flat, at a position that is not negative (see `item`)."""
    if not _is_vectors(array):
        return None

    def generate(context, builder, sig, args):
        builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], args[1], 1))
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float64), generate


@_instruction
def load(typingctx, array, row):
    """Return the vector at a row of a C-contiguous float64 array."""
    if not _is_vectors(array):
        return None

    def generate(context, builder, sig, args):
        return builder.load(_address(context, builder, sig.args[0], *args), align=8)

    return vector(array, types.intp), generate


@_instruction
def store(typingctx, array, row, value):
    """Put a vector into a row of a C-contiguous float64 array."""
    if not _is_vectors(array):
        return None

    def generate(context, builder, sig, args):
        builder.store(args[2], _address(context, builder, sig.args[0], args[0], args[1]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@_instruction
def add_at(typingctx, array, position, value):
    """Add a vector to LANES neighbouring entries of a C-contiguous float64 array from any position on."""
    if not _is_vectors(array):
        return None

    def generate(context, builder, sig, args):
        pointer = _address(context, builder, sig.args[0], args[0], args[1], 1)
        builder.store(builder.fadd(builder.load(pointer, align=8), args[2]), pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@_instruction
def add_halves_at(typingctx, one, two, position, value):
    """Add the lower half of a vector to entries of one, the upper half to entries of two, both from a position on."""
    if not (_is_vectors(one) and _is_vectors(two)):
        return None
    half = ir.VectorType(ir.DoubleType(), LANES // 2)

    def generate(context, builder, sig, args):
        for k, part in enumerate(_halves(builder, args[3], LANES)):
            entry = _pointer(context, builder, sig.args[k], args[k], args[2], LANES // 2)
            pointer = builder.bitcast(entry, half.as_pointer())
            builder.store(builder.fadd(builder.load(pointer, align=8), part), pointer, align=8)
        return context.get_dummy_value()

    return types.void(one, two, types.intp, vector), generate


@_instruction
def splat(typingctx, value):
    """Vector with the same value in all lanes."""

    def generate(context, builder, sig, args):
        return _filled(builder, args[0])

    return vector(types.float64), generate


@_instruction
def root(typingctx, value):
    """Square roots."""

    def generate(context, builder, sig, args):
        return _intrinsic(builder, f"llvm.sqrt.v{LANES}f64", _VECTOR, args[0])

    return vector(vector), generate


@_instruction
def where_below(typingctx, a, b, x, y):
    """Lanes of x where a < b, of y elsewhere."""

    def generate(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return vector(vector, vector, vector, vector), generate


@_instruction
def any_below(typingctx, a, b):
    """Whether a < b in any lane."""

    def generate(context, builder, sig, args):
        mask = builder.fcmp_ordered("<", args[0], args[1])
        return builder.icmp_unsigned("!=", builder.bitcast(mask, ir.IntType(LANES)), ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(vector, vector), generate


@_instruction
def times_power_of_two(typingctx, value, shifted):
    """Value times 2^n, n the integer in the low bits of shifted = n + 1.5 * 2^52; the result must be a normal number."""

    def generate(context, builder, sig, args):
        exponent = builder.shl(builder.bitcast(args[1], _INTEGERS), ir.Constant(_INTEGERS, [52] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(args[0], _INTEGERS), exponent), _VECTOR)

    return vector(vector, vector), generate


def _halves(builder: Any, value: Any, width: int) -> tuple[Any, Any]:
    """Lower and upper half of a vector of some width."""
    undefined = ir.Constant(value.type, ir.Undefined)
    parts = []
    for first in (0, width // 2):
        lanes = ir.Constant(ir.VectorType(_INDEX, width // 2), list(range(first, first + width // 2)))
        parts.append(builder.shuffle_vector(value, undefined, lanes))
    return parts[0], parts[1]


@_instruction
def total(typingctx, value):
    """Sum over the lanes, always in the same order."""

    def generate(context, builder, sig, args):
        result, width = args[0], LANES
        while width > 1:
            low, high = _halves(builder, result, width)
            result, width = builder.fadd(low, high), width // 2
        return builder.extract_element(result, ir.Constant(_INDEX, 0))

    return types.float64(vector), generate


@_instruction
def totals(typingctx, v0, v1, v2, v3, v4, v5, v6, v7):
    """Vector of the sums over the lanes of eight vectors."""

    def generate(context, builder, sig, args):
        values, distance = list(args), 1
        while len(values) > 1:
            pairs = []
            for a, b in zip(values[0::2], values[1::2], strict=True):
                # by the bit `distance` of k, lane k takes its own lane of a or b (a blend, no move) and adds its partner's
                low = [k if not k & distance else k + LANES for k in range(LANES)]
                high = [k + distance if not k & distance else k - distance + LANES for k in range(LANES)]
                index = ir.VectorType(_INDEX, LANES)
                one = builder.shuffle_vector(a, b, ir.Constant(index, low))
                two = builder.shuffle_vector(a, b, ir.Constant(index, high))
                pairs.append(builder.fadd(one, two))
            values, distance = pairs, 2 * distance
        return values[0]

    return vector(*[vector] * 8), generate


if config.DISABLE_JIT:
    # The same operations on rows of NumPy arrays, for coverage and debugging

    def item(array, position):
        """Entry of an array, seen as flat."""
        return array.reshape(-1)[position]

    def put(array, position, value):
        """Set an entry of an array, seen as flat."""
        array.reshape(-1)[position] = value

    def load(array, row):
        """Return the vector at a row."""
        return array.reshape(-1, LANES)[row].copy()

    def store(array, row, value):
        """Put a vector into a row."""
        array.reshape(-1, LANES)[row] = value

    def add_at(array, position, value):
        """Add a vector to neighbouring entries."""
        array.reshape(-1)[position : position + LANES] += value

    def add_halves_at(one, two, position, value):
        """Add the lower half of a vector to entries of one, the upper half to entries of two."""
        one.reshape(-1)[position : position + LANES // 2] += value[: LANES // 2]
        two.reshape(-1)[position : position + LANES // 2] += value[LANES // 2 :]

    def splat(value):
        """Vector with the same value in all lanes."""
        return np.full(LANES, value)

    def root(value):
        """Square roots."""
        return np.sqrt(value)

    def where_below(a, b, x, y):
        """Lanes of x where a < b, of y elsewhere."""
        return np.where(a < b, x, y)

    def any_below(a, b):
        """Whether a < b in any lane."""
        return bool((a < b).any())

    def times_power_of_two(value, shifted):
        """Value times 2^n."""
        return value * 2.0 ** (shifted - 6755399441055744.0)

    def total(value):
        """Sum over the lanes."""
        while len(value) > 1:
            value = value[: len(value) // 2] + value[len(value) // 2 :]
        return float(value[0])

    def totals(*values):
        """Vector of the sums over the lanes of eight vectors."""
        return np.array([value.sum() for value in values])


@driver
def zeros(rows):
    """Array (rows, LANES) of zeros that begins at a multiple of 64 bytes.

    A vector that crosses a line of the cache costs twice as much, and numba aligns arrays to 32 bytes only.
    """
    array = np.zeros((rows + 1) * LANES)
    shift = (-(array.ctypes.data // 8)) % LANES
    return array[shift : shift + rows * LANES].reshape((rows, LANES))

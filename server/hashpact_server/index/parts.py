"""The smallest parts of kernels: single machine instructions, and helpers that several kernels share.

numba's cache looks only at the file of the kernel itself, not at this one: kernels that were cached before it changed
keep the old parts. The server, and the tests, therefore keep kernels in a folder per version of all these files
(``hashpact_server.kernels``); with a cache of your own choice (``__pycache__`` among them), delete it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite ships no types
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hashpact_server.index.compiling import part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hashpact_server.index.base import Words

LANES: Final = 32
"""16-bit words that :func:`near_lanes` compares at once: one 512-bit register, two of 256, four of 128."""

WORDS_2D: Final = types.Array(types.uint64, 2, "C", readonly=True)
WORDS_1D: Final = types.Array(types.uint64, 1, "C", readonly=True)
BITMAP: Final = types.Array(types.uint8, 1, "C", readonly=True)

if TYPE_CHECKING:

    def popcount(value: np.uint64) -> np.uint64:
        """Number of one bits."""

    def trailing_zeros(value: np.uint64) -> np.uint64:
        """Number of zero bits below the lowest one bit."""

    def near_lanes(array: NDArray[np.uint16], position: int, word: np.uint16, distance_max: np.uint16) -> np.uint32:
        """Bit j is set where ``array[position + j]`` is within ``distance_max`` of ``word``, j < LANES."""

    def prefetch(array: NDArray[Any], position: int) -> None:
        """Ask for the cache line of ``array[position]``; a wrong position does no harm."""

    def memory_at(address: int) -> Any:
        """What ``numba.carray`` makes an array of."""

    def release_fence() -> None:
        """Everything written before is seen by a thread that sees what is written after."""
else:

    @intrinsic
    def popcount(typing_context, value):  # noqa: ARG001 -- here and below: the shape numba asks for
        """Number of one bits of a uint64, as one instruction (``llvm.ctpop``)."""

        def generate(context, builder, signature, arguments):  # noqa: ARG001
            return builder.ctpop(arguments[0])

        return types.uint64(types.uint64), generate

    @intrinsic
    def trailing_zeros(typing_context, value):  # noqa: ARG001
        """Number of zero bits below the lowest one bit of a uint64 (``llvm.cttz``); 64 for 0."""

        def generate(context, builder, signature, arguments):  # noqa: ARG001
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

        return types.uint64(types.uint64), generate

    @intrinsic
    def near_lanes(typing_context, array, position, word, distance_max):  # noqa: ARG001
        """Compare LANES 16-bit words at once; LLVM fits the vectors to the processor.

        Reads ``array[position : position + LANES]``: arrays carry that much padding.
        """
        vector = ir.VectorType(ir.IntType(16), LANES)

        def spread(builder, value):
            empty = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, empty, zeros)

        def generate(context, builder, signature, arguments):
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())
            words = builder.load(place)
            words.align = 2
            counting = ir.FunctionType(vector, [vector])
            count = cgutils.get_or_insert_function(builder.module, counting, f"llvm.ctpop.v{LANES}i16")
            distances = builder.call(count, [builder.xor(words, spread(builder, arguments[2]))])
            near = builder.icmp_unsigned("<=", distances, spread(builder, arguments[3]))
            return builder.bitcast(near, ir.IntType(LANES))

        return types.uint32(array, types.int64, types.uint16, types.uint16), generate

    @intrinsic
    def prefetch(typing_context, array, position):  # noqa: ARG001
        """Start loading a cache line into all levels (``llvm.prefetch``, read, keep)."""

        def generate(context, builder, signature, arguments):
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
            number = ir.IntType(32)
            asking = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
            ask = cgutils.get_or_insert_function(builder.module, asking, "llvm.prefetch.p0")
            builder.call(ask, [place, number(0), number(3), number(1)])
            return context.get_dummy_value()

        return types.void(array, types.int64), generate

    @intrinsic
    def memory_at(typing_context, address):  # noqa: ARG001
        """An address as a pointer. Whoever wrote the address down keeps the memory alive."""

        def generate(context, builder, signature, arguments):  # noqa: ARG001
            return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

        return types.voidptr(types.int64), generate

    @intrinsic
    def release_fence(typing_context):  # noqa: ARG001
        """A release fence: nothing on x86 but an order for the compiler, ``dmb`` on ARM."""

        def generate(context, builder, signature, arguments):  # noqa: ARG001
            builder.fence("release")
            return context.get_dummy_value()

        return types.void(), generate


@part
def distance_at(values: Words, row: int, queries: Words, query: int) -> np.uint64:
    """Hamming distance in bits of one row (of ``values``, flat) and one query."""
    words = np.uint64(queries.shape[1])
    total = np.uint64(0)
    for word in range(words):
        total += popcount(values[np.uint64(row) * words + word] ^ queries[query, word])
    return total


@part
def is_dead(dead: NDArray[np.uint8], row: int) -> bool:
    """Whether the row's bit is set; rows beyond the end of the bitmap are alive."""
    byte = row >> 3
    return byte < dead.shape[0] and bool((dead[byte] >> (row & 7)) & 1)


@part
def put(found: NDArray[np.int64], hits: int, query: int, distance: int, row: int) -> int:
    """Write one more hit behind the first ``hits``, if there is room; returns how many there are, room or not.

    Args:
        found: int64 [3, room]: query, distance and row of each hit.
        hits: how many there are.
        query: number of the query.
        distance: in bits.
        row: of the body that is searched.
    """
    if hits < found.shape[1]:
        found[0, hits], found[1, hits], found[2, hits] = query, distance, row
    return hits + 1


@part
def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """A copy with room for ``size`` elements."""
    larger = np.empty(size, array.dtype)
    larger[: array.shape[0]] = array
    return larger


@part
def quarter_at(values: Words, row: int, words: int, quarter: int) -> int:
    """16-bit word number ``quarter`` of a row of ``words`` machine words (flat), lowest bits first.

    By shifting, not by casting memory: the same cut on machines of either byte order.
    """
    word = values[np.uint64(row) * np.uint64(words) + np.uint64(quarter >> 2)]
    return int((word >> np.uint64(16 * (quarter & 3))) & np.uint64(0xFFFF))

"""Phrases of a sequence of symbols, in linear time."""

from __future__ import annotations

import numpy as np

from takens.series.kernels import compiled


@compiled("int64(int64[::1], int64)")
def exhaustive_phrases(symbols, n_symbols):  # type: ignore[no-untyped-def]
    """Number of phrases of the exhaustive history of Lempel and Ziv (1976).

    A phrase grows as long as it has occurred before, overlaps allowed. What has occurred is held by
    a suffix automaton, extended symbol by symbol (Blumer et al. 1985, Theor. Comput. Sci. 40, 31).
    """
    n = len(symbols)
    move = np.full((2 * n + 2, n_symbols), -1, np.int32)
    link, size = np.full(2 * n + 2, -1, np.int32), np.zeros(2 * n + 2, np.int32)
    states, last = 1, 0
    phrases, at, length = 0, 0, 0
    for q in range(n):
        symbol = symbols[q]
        seen = move[at, symbol]
        # Extend the automaton by the symbol.
        new = states
        states += 1
        size[new] = size[last] + 1
        p = last
        while p >= 0 and move[p, symbol] < 0:
            move[p, symbol] = new
            p = link[p]
        if p < 0:
            link[new] = 0
        else:
            target = move[p, symbol]
            if size[p] + 1 == size[target]:
                link[new] = target
            else:
                clone = states
                states += 1
                size[clone] = size[p] + 1
                for c in range(n_symbols):
                    move[clone, c] = move[target, c]
                link[clone] = link[target]
                while p >= 0 and move[p, symbol] == target:
                    move[p, symbol] = clone
                    p = link[p]
                link[target] = clone
                link[new] = clone
        last = new
        if seen < 0:  # new: the phrase ends here
            phrases += 1
            at, length = 0, 0
        else:
            at, length = seen, length + 1
            while at > 0 and size[link[at]] >= length:  # its state has been split
                at = link[at]
    return phrases + (1 if length > 0 else 0)

"""What the circuit's range check and accumulators determine, decided by a solver.

Claims (docs/protocol.md, section 5), over the scalar field of Vesta:

- *Range.* In a run of limbs, `z_i - m_i*z_(i+1)` is in `[0, 2^K)` for every row, with `m = 2^K` inside and `0` on the last row. Given the
  head, every cell below it is determined; and the head is a number below `2^(K*limbs)`: no other element of the field has a witness.
- *Accumulators.* Given the other columns, every cell of every accumulator is determined.

Two encodings. Everything about a run is linear, so that a cell can be an integer in `[0, p)` and an equation one up to a multiple of p: exact, and
decided for runs of every length that a circuit has. And the theory of finite fields, in which a limb is a sum of bits `b*b = b`: for
short runs and for the accumulators, whose equations are quadratic. Small primes are gone through by brute force, without a solver.

For every claim the script asks the solver for a counterexample, and wants none. For every check that a claim rests on it takes the check away, and wants a
counterexample. It ends with exit code 1 at the first answer that is another one; a solver that gives up is one, too.

    pip install cvc5-gpl==1.4.2     # the package "cvc5" has no solver for finite fields
    python tests/algebra/uniqueness.py
"""

import itertools
import sys
import time

import cvc5
from cvc5 import Kind

# The order of Vesta, the field of every cell.
P = 0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001
# Bits of a limb: k-1, k-2 and k-3 for columns of 2^6 to 2^12 rows.
LIMB_BITS = range(3, 12)
# The widest number that stands in a run.
WIDEST = 128
SOLVER_MILLISECONDS = 120_000


def multipliers(limb_bits, limbs):
    """The fixed column m of one run."""
    return [1 << limb_bits] * (limbs - 1) + [0]


class Solver:
    """A cvc5 solver for one question."""

    def __init__(self, logic):
        self.cvc5 = cvc5.Solver()
        self.cvc5.setLogic(logic)
        self.cvc5.setOption("produce-models", "true")
        self.cvc5.setOption("tlimit-per", str(SOLVER_MILLISECONDS))
        self.names = itertools.count()

    def fresh(self, sort):
        return self.cvc5.mkConst(sort, f"v{next(self.names)}")

    def require(self, term):
        self.cvc5.assertFormula(term)

    def equal(self, left, right):
        return self.cvc5.mkTerm(Kind.EQUAL, left, right)

    def differ(self, left, right):
        """Some pair of cells of two lists is not equal."""
        pairs = [self.cvc5.mkTerm(Kind.NOT, self.equal(x, y)) for x, y in zip(left, right)]
        return pairs[0] if len(pairs) == 1 else self.cvc5.mkTerm(Kind.OR, *pairs)

    def answer(self):
        return str(self.cvc5.checkSat())


class Integers(Solver):
    """Cells are integers in [0, p)."""

    def __init__(self):
        super().__init__("QF_LIA")
        self.sort = self.cvc5.getIntegerSort()

    def number(self, value):
        return self.cvc5.mkInteger(str(value))

    def below(self, bound):
        """An integer in [0, bound)."""
        value = self.fresh(self.sort)
        self.require(self.cvc5.mkTerm(Kind.LEQ, self.number(0), value))
        self.require(self.cvc5.mkTerm(Kind.LT, value, self.number(bound)))
        return value

    def at_least(self, value, bound):
        return self.cvc5.mkTerm(Kind.GEQ, value, self.number(bound))

    def congruent(self, left, terms):
        """left = sum of factor*value in the field."""
        product = [self.cvc5.mkTerm(Kind.MULT, self.number(factor), value) for factor, value in terms]
        multiple = self.cvc5.mkTerm(Kind.MULT, self.number(P), self.fresh(self.sort))
        self.require(self.equal(left, self.cvc5.mkTerm(Kind.ADD, *product, multiple)))

    def run(self, limb_bits, m, looked_up=None):
        """The cells of a run, and of the row below it; `looked_up`: in which rows the lookup is."""
        cells = [self.below(P) for _ in range(len(m) + 1)]
        for row, factor in enumerate(m):
            inside = looked_up is None or looked_up[row]
            limb = self.below(1 << limb_bits if inside else P)
            self.congruent(cells[row], [(1, limb), (factor, cells[row + 1])])
        return cells


class Field(Solver):
    """Cells are elements of the field."""

    def __init__(self):
        super().__init__("QF_FF")
        self.sort = self.cvc5.mkFiniteFieldSort(str(P))

    def number(self, value):
        return self.cvc5.mkFiniteFieldElem(str(value % P), self.sort)

    def cell(self):
        return self.fresh(self.sort)

    def sum(self, terms):
        return terms[0] if len(terms) == 1 else self.cvc5.mkTerm(Kind.FINITE_FIELD_ADD, *terms)

    def product(self, *factors):
        return self.cvc5.mkTerm(Kind.FINITE_FIELD_MULT, *factors)

    def limb(self, bits):
        """An element of the table: it has the numbers from 0 to 2^bits - 1, and nothing else."""
        parts = []
        for bit in range(bits):
            value = self.cell()
            self.require(self.equal(self.product(value, value), value))
            parts.append(self.product(self.number(1 << bit), value))
        return self.sum(parts)

    def run(self, limb_bits, m):
        cells = [self.cell() for _ in range(len(m) + 1)]
        for row, factor in enumerate(m):
            below = self.product(self.number(-factor), cells[row + 1])
            self.require(self.equal(self.sum([cells[row], below]), self.limb(limb_bits)))
        return cells


# --- range: no counterexample


def another_witness(limb_bits, m, looked_up=None):
    """Two witnesses of one head that differ in a cell."""
    solver = Integers()
    one, other = (solver.run(limb_bits, m, looked_up)[: len(m)] for _ in range(2))
    solver.require(solver.equal(one[0], other[0]))
    solver.require(solver.differ(one[1:], other[1:]))
    return solver.answer()


def head_out_of_range(limb_bits, m, looked_up=None):
    """A head that is not below 2^(K*limbs)."""
    solver = Integers()
    cells = solver.run(limb_bits, m, looked_up)
    solver.require(solver.at_least(cells[0], 1 << limb_bits * len(m)))
    return solver.answer()


def head(limb_bits, limbs, value):
    """A witness for one head."""
    solver = Integers()
    cells = solver.run(limb_bits, multipliers(limb_bits, limbs))
    solver.require(solver.equal(cells[0], solver.number(value % P)))
    return solver.answer()


def one_limb_more(limb_bits, limbs):
    """A run of `limbs` whose rest is a number below 2^(K*(limbs-1)): out of range, or with two witnesses. With a run of one limb, this is
    the claim for every length, by induction."""
    solver = Integers()
    tails = [solver.below(1 << limb_bits * (limbs - 1)) for _ in range(2)]
    lows = [solver.below(1 << limb_bits) for _ in range(2)]
    cell = solver.below(P)
    for low, tail in zip(lows, tails):
        solver.congruent(cell, [(1, low), (1 << limb_bits, tail)])
    outside = solver.at_least(cell, 1 << limb_bits * limbs)
    solver.require(solver.cvc5.mkTerm(Kind.OR, outside, solver.differ(tails + lows[:1], tails[::-1] + lows[1:])))
    return solver.answer()


def field_another_witness(limb_bits, limbs):
    solver = Field()
    m = multipliers(limb_bits, limbs)
    one, other = (solver.run(limb_bits, m)[:limbs] for _ in range(2))
    solver.require(solver.equal(one[0], other[0]))
    solver.require(solver.differ(one[1:], other[1:]))
    return solver.answer()


def field_head(limb_bits, limbs, value):
    solver = Field()
    cells = solver.run(limb_bits, multipliers(limb_bits, limbs))
    solver.require(solver.equal(cells[0], solver.number(value)))
    return solver.answer()


def witnesses(prime, limb_bits, limbs):
    """How many witnesses each element of a small field has as a head, by going through all of them."""
    table = range(1 << limb_bits)
    heads = {value: 1 for value in table if value < prime}
    if len(heads) < len(table):
        heads = {value: sum(1 for limb in table if limb % prime == value) for value in range(prime)}
    for _ in range(limbs - 1):
        longer = {}
        for (rest, count), limb in itertools.product(heads.items(), table):
            value = (limb + (rest << limb_bits)) % prime
            longer[value] = longer.get(value, 0) + count
        heads = longer
    return [heads.get(value, 0) for value in range(prime)]


# --- accumulators


def another_accumulator(group, rows, starts=True, skipped=None):
    """Two accumulators over the same columns that differ in a cell. Columns: one q with its a, one z with f and s', one group of x with
    its b and s. `skipped`: a row in which the gate is off."""
    solver = Field()
    sums = [[solver.cell() for _ in range(group)] for _ in range(rows)]
    columns = {}
    for row in range(rows):
        cell = lambda name: columns.setdefault((name, row), solver.cell())
        x = [cell(f"x{place}") for place in range(group)]
        squares = [solver.product(solver.number(-1), cell("s"), value, value) for value in x]
        program = [
            solver.product(cell("q"), cell("a")),
            solver.product(cell("z"), cell("f")),
            solver.product(cell("z"), cell("z"), cell("s'")),
        ]
        for place in range(group):
            own = solver.product(x[place], cell("b"))
            terms = [own, *program, *squares] if place == 0 else [own]
            solver.require(solver.equal(sums[row][place], solver.sum(terms)))
    accumulators = []
    for _ in range(2):
        acc = [[solver.cell() for _ in range(group)] for _ in range(rows + 1)]
        for place in range(group):
            if starts:
                solver.require(solver.equal(acc[0][place], solver.number(0)))
            for row in range(rows):
                if row != skipped:
                    next_sum = solver.sum([acc[row][place], sums[row][place]])
                    solver.require(solver.equal(acc[row + 1][place], next_sum))
        accumulators.append([cell for row in acc for cell in row])
    solver.require(solver.differ(*accumulators))
    return solver.answer()


# --- what is asked


def shown(claim, asked, wanted):
    """Asks, and ends the script if the answer is another one."""
    since = time.monotonic()
    found = asked()
    verdict = "as it should be" if found == wanted else f"NOT as it should be: {wanted} was wanted"
    print(f"{found:>6}  {time.monotonic() - since:6.2f} s  {claim}: {verdict}", flush=True)
    if found != wanted:
        sys.exit(1)


def range_claims():
    for limb_bits in LIMB_BITS:
        longest = -(-WIDEST // limb_bits)
        assert limb_bits * longest < P.bit_length() - 1, "a number in a run does not wrap around"
        for limbs in range(2, longest + 1):
            shown(
                f"K = {limb_bits}: no run of {limbs} limbs is out of range or has a second witness, if none of {limbs - 1} is or has",
                lambda: one_limb_more(limb_bits, limbs),
                "unsat",
            )
        for limbs in (1, longest):
            for value, wanted in [(0, "sat"), ((1 << limb_bits * limbs) - 1, "sat"), (1 << limb_bits * limbs, "unsat"), (-1, "unsat")]:
                shown(f"K = {limb_bits}, {limbs} limbs: a witness of {value}", lambda: head(limb_bits, limbs, value), wanted)
    for limb_bits, limbs in [(5, 1), (5, 9), (3, 12), (8, 16), (11, 12)]:
        m = multipliers(limb_bits, limbs)
        shown(f"K = {limb_bits}, {limbs} limbs, whole: a head out of range", lambda: head_out_of_range(limb_bits, m), "unsat")
        if limbs > 1:
            shown(f"K = {limb_bits}, {limbs} limbs, whole: a second witness", lambda: another_witness(limb_bits, m), "unsat")


def range_claims_in_the_field():
    for limb_bits, limbs in [(1, 2), (1, 3), (1, 4), (2, 2)]:
        shown(
            f"finite fields, K = {limb_bits}, {limbs} limbs: a second witness",
            lambda: field_another_witness(limb_bits, limbs),
            "unsat",
        )
    for limb_bits, limbs in [(3, 1), (5, 1), (2, 2), (3, 2)]:
        bound = 1 << limb_bits * limbs
        inverse = pow(1 << limb_bits, -1, P)
        for value, wanted in [(0, "sat"), (bound - 1, "sat"), (bound, "unsat"), (-1, "unsat"), (inverse, "unsat"), (P // 2, "unsat")]:
            shown(
                f"finite fields, K = {limb_bits}, {limbs} limbs: a witness of {value}",
                lambda: field_head(limb_bits, limbs, value),
                wanted,
            )


def small_primes():
    primes = [n for n in range(3, 600) if all(n % d for d in range(2, int(n**0.5) + 1))]
    fields = 0
    for prime, limb_bits, limbs in itertools.product(primes, (1, 2, 3), (1, 2, 3, 4)):
        bound = 1 << limb_bits * limbs
        counts = witnesses(prime, limb_bits, limbs)
        if bound <= prime:
            fields += 1
            if counts != [1] * bound + [0] * (prime - bound):
                sys.exit(f"p = {prime}, K = {limb_bits}, {limbs} limbs: {counts}")
        elif max(counts) < 2:
            sys.exit(f"p = {prime}, K = {limb_bits}, {limbs} limbs: every head has one witness, though the range is wider than the field")
    print(f"{fields} runs over small primes: each head below 2^(K*limbs) has one witness, every other element none")


def accumulator_claims():
    for group in (1, 2, 4):
        shown(f"g = {group}: a second accumulator", lambda: another_accumulator(group, 3), "unsat")


def controls():
    """Each check taken away: the solver must find what it kept out."""
    for limb_bits, limbs in [(5, 9), (11, 12)]:
        run = multipliers(limb_bits, limbs)
        open_end = [1 << limb_bits] * limbs
        shown(f"K = {limb_bits}, m not zero on the last row: a head out of range", lambda: head_out_of_range(limb_bits, open_end), "sat")
        narrow = [1 << limb_bits - 1] * (limbs - 1) + [0]
        shown(f"K = {limb_bits}, m = 2^(K-1): a second witness", lambda: another_witness(limb_bits, narrow), "sat")
        for row in (0, limbs // 2, limbs - 1):
            looked_up = [other != row for other in range(limbs)]
            shown(
                f"K = {limb_bits}, no lookup in row {row}: a head out of range",
                lambda: head_out_of_range(limb_bits, run, looked_up),
                "sat",
            )
    wraps = -(-P.bit_length() // 5)
    shown(f"K = 5, {wraps} limbs, wider than the field: a head out of range or with a second witness", lambda: one_limb_more(5, wraps), "sat")
    for group in (1, 2, 4):
        shown(f"g = {group}, the start is not pinned: a second accumulator", lambda: another_accumulator(group, 3, starts=False), "sat")
        shown(f"g = {group}, the gate is off in a row: a second accumulator", lambda: another_accumulator(group, 3, skipped=1), "sat")


if __name__ == "__main__":
    range_claims()
    range_claims_in_the_field()
    small_primes()
    accumulator_claims()
    controls()
    print("everything is as it should be")

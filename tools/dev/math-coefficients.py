#!/usr/bin/env python3
"""Prints the polynomials of passes/lib/CodeGen/MathCoefficients.h (needs python3-mpmath).

Each table interpolates a smooth function at Chebyshev nodes in 60 digits; the result is within a small factor of the
minimax polynomial. The printed bound is the largest absolute error of the fitted function.
"""
import struct
from mpmath import mp, mpf, chebyfit, exp, expm1, atanh, erf, erfc, sqrt, log, linspace

mp.dps = 60


def exp_tail(r):  # (e^r - 1 - r) / r^2
    return sum(r**i / mp.factorial(i + 2) for i in range(30)) if abs(r) < 0.1 else (expm1(r) - r) / r**2


def log_tail(z):  # (2 atanh(s) / s - 2) / z, z = s^2
    s = sqrt(z)
    return sum(2 * z**i / (2 * i + 3) for i in range(40)) if z < 0.001 else (2 * atanh(s) / s - 2) / z


def erf_head(w):  # erf(a) / a, w = a^2
    a = sqrt(w)
    return 2 / sqrt(mp.pi) if a < mpf("1e-30") else erf(a) / a


pivot = mpf("2.5")


def erfc_scaled(t):  # e^(a^2) erfc(a), t = (a - 2.5) / (a + 2.5)
    a = pivot * (1 + t) / (1 - t)
    return exp(a * a) * erfc(a)


def pivoted(a):
    return (mpf(a) - pivot) / (mpf(a) + pivot)


def show(name, function, low, high, terms, single):
    coefficients, _ = chebyfit(function, [low, high], terms, error=True)
    rounded = [float(c) for c in reversed(coefficients)]
    if single:
        rounded = [struct.unpack("f", struct.pack("f", c))[0] for c in rounded]
    worst = max(abs(sum(mpf(c) * x**i for i, c in enumerate(rounded)) - function(x))
                for x in linspace(low, high, 400))
    digits = 9 if single else 17
    print(f"/// Largest error {mp.nstr(worst, 2)}.")
    print(f"inline constexpr double {name}[] = {{" + ", ".join(f"{c:.{digits}g}" for c in rounded) + "};")


half_ln2 = log(2) / 2 * mpf("1.001")
log_end = ((sqrt(2) - 1) / (sqrt(2) + 1))**2 * mpf("1.001")
for name, single, terms in (("F64", False, (12, 7, 14, 22)), ("F32", True, (6, 4, 7, 10))):
    show(f"expTail{name}", exp_tail, -half_ln2, half_ln2, terms[0], single)
    show(f"logTail{name}", log_tail, mpf(0), log_end, terms[1], single)
    show(f"erfHead{name}", erf_head, mpf(0), mpf(1), terms[2], single)
    show(f"erfcScaled{name}", erfc_scaled, pivoted(1), pivoted(4 if single else 6), terms[3], single)

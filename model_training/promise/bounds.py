"""How large a share can be, so many having been seen, and how many it takes to show that it is small.

Exact and one-sided (Clopper and Pearson, Biometrika 1934), as conformal risk control uses them for the risk
on cases that were put aside (Bates et al., Distribution-free, risk-controlling prediction sets, Journal of
the ACM 2021). They hold for a number of cases that was fixed before they were seen, and for nothing else.
"""

from scipy import stats


def most(wrong: int, of: int, confidence: float) -> float:
    """The share of wrong ones is at most this.

    Args:
        wrong: seen to be wrong.
        of: cases, drawn alike and fixed in number beforehand.
        confidence: probability with which the bound lies above the true share, at the least.
    """
    if not of:
        return 1.0
    test = stats.binomtest(wrong, of, alternative="less")
    return float(test.proportion_ci(confidence, method="exact").high)


def needed(share: float, confidence: float, wrong: int = 0) -> int:
    """Cases it takes to show that at most this share is wrong, if so many of them are.

    How many cases come until one more is wrong follows the negative binomial distribution. Where the share is
    larger, more than these come first with a probability of 1 - ``confidence`` at most.
    """
    return int(stats.nbinom.ppf(confidence, wrong + 1, share)) + wrong + 1

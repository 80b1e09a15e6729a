"""Draws the figure of the README: ``python docs/figures/make_readme_figure.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import takens

laser = takens.data.load("laser")
report = takens.analyse(laser, seed=0)
figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.1), layout="constrained")
axes[0].plot(laser[0].times[:400], laser[0].states[:400, 0], lw=0.8)
axes[0].set(xlabel="sample", ylabel="intensity (counts)", title="What was measured")
report.motion.surrogates[0].plot(axes[1])
axes[1].set(title=f"Against its null: p = {report.motion.surrogates[0].p_value:.3g}")
report.backtest.plot(axes[2])
axes[2].set(title="Models on held-out data", xlabel="lead time (samples)", xlim=(0, 60))
axes[2].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
figure.suptitle(
    f"Santa Fe laser: {report.verdict.kind}; largest exponent {report.motion.exponent.exponent}"
)
target = Path(__file__).with_name("laser.png")
figure.savefig(target, dpi=110)
plt.close(figure)

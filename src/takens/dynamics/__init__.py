"""What a system tells: one implementation of each question, for known and learned systems alike."""

from takens.dynamics.all_fixed_points import all_fixed_points as all_fixed_points
from takens.dynamics.dimension import kaplan_yorke_dimension as kaplan_yorke_dimension
from takens.dynamics.ensemble import Ensemble as Ensemble
from takens.dynamics.escape import EscapeTimes as EscapeTimes
from takens.dynamics.escape import escape_times as escape_times
from takens.dynamics.exit_time import MeanExitTime as MeanExitTime
from takens.dynamics.exit_time import mean_exit_time as mean_exit_time
from takens.dynamics.fixed_points import FixedPoints as FixedPoints
from takens.dynamics.fixed_points import fixed_points as fixed_points
from takens.dynamics.kramers import KramersRate as KramersRate
from takens.dynamics.kramers import kramers_rate as kramers_rate
from takens.dynamics.lyapunov import LyapunovSpectrum as LyapunovSpectrum
from takens.dynamics.lyapunov import lyapunov_spectrum as lyapunov_spectrum
from takens.dynamics.lyapunov_diagram import LyapunovDiagram as LyapunovDiagram
from takens.dynamics.lyapunov_diagram import lyapunov_diagram as lyapunov_diagram
from takens.dynamics.orbit_diagram import HysteresisDiagram as HysteresisDiagram
from takens.dynamics.orbit_diagram import OrbitDiagram as OrbitDiagram
from takens.dynamics.orbit_diagram import hysteresis_diagram as hysteresis_diagram
from takens.dynamics.orbit_diagram import orbit_diagram as orbit_diagram
from takens.dynamics.trajectory import trajectories as trajectories
from takens.dynamics.trajectory import trajectory as trajectory

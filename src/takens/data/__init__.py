"""Reading files and arrays into recordings; gaps and resampling; small real data sets."""

from takens.data.door import as_recording as as_recording
from takens.data.segments import Segments as Segments
from takens.data.segments import regular_segments as regular_segments

"""Reading files and arrays into recordings; gaps and resampling; small real data sets."""

from takens.data.audit import audit as audit
from takens.data.bundled import catalogue as catalogue
from takens.data.bundled import load as load
from takens.data.bundled import open_any as open_any
from takens.data.door import as_recording as as_recording
from takens.data.reading import read as read
from takens.data.segments import Segments as Segments
from takens.data.segments import gridded_records as gridded_records
from takens.data.segments import regular_segments as regular_segments

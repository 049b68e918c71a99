"""The one node of the lab: pods of the API become real processes with real volumes and probes.

No controllers and no API live here. `launch.py` runs outside this interpreter, by itself.
"""

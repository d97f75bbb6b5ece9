"""The recipes of the measurements."""

BEFORE = """
name: {name}
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 0 }}
"""


def fetching(detectors=("4/1",), times=17, points=940_001, traces="tf"):
    """One sweep, then `times` fetches of all detectors. A range of 94 nm has 940,001 points."""
    step_pm = 94_000 / (points - 1)
    names = ", ".join(detectors)
    references = [f"  - create_reference: {{ detector: {detector} }}\n" for detector in detectors if traces != "raw"]
    return BEFORE.format(name="fetching") + f"""
  - configure_scan: {{ start_nm: 1502, stop_nm: 1596, resolution_pm: {max(step_pm, 0.1):g} }}
{''.join(references)}  - sweep:
  - repeat: {{ times: {times}, steps: [{{ fetch_trace: {{ detectors: [{names}], trace: {traces} }} }}] }}
"""


def readings(times):
    return f"""
name: readings
steps:
  - log: begin
  - repeat: {{ times: {times}, steps: [{{ read_power: {{ detector: 4/1 }} }}] }}
"""


def readings_in_rhai(times):
    return f'recipe(#{{ name: "readings" }});\nlog("begin");\nfor turn in 0..{times} {{ read_power(#{{ detector: "4/1" }}); }}\n'


def many_traces(times):
    """A sweep of 101 points with its fetch, again and again."""
    return BEFORE.format(name="many") + f"""
  - repeat:
      times: {times}
      steps:
        - sweep: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
        - fetch_trace: {{ detector: 4/1, trace: raw }}
"""

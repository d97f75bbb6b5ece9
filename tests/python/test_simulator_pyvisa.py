"""A whole measurement over PyVISA: an independent client decides whether the embedded instrument speaks the protocol."""

import math
import re

import numpy as np
import pytest
import pyvisa

from conftest import Simulator

LONG = {
    "identity": "*IDN?",
    "tls_laser": "INITiate:TLS1:IDentifier",
    "tls_start": "INITiate:TLS1:WAVelength:STARt",
    "tls_stop": "INITiate:TLS1:WAVelength:STOP",
    "tls_speed": "INITiate:TLS1:SPEed",
    "tls_power": "INITiate:TLS1:POWer",
    "start": "INITiate:WAVelength:STARt",
    "stop": "INITiate:WAVelength:STOP",
    "sampling": "INITiate:WAVelength:SAMPling",
    "stabilization": "INITiate:STABilization",
    "mode": "INITiate:SMODe",
    "condition": "STATus:OPERation:CONDition?",
    "reference": "REFerence:SENSe4:CHANnel1:INITiate",
    "reference_result": "REFerence:SENSe4:CHANnel1:RESult?",
    "sweep": "INITiate:IMMediate",
    "trace": "TRACe:SENSe4:CHANnel1:TYPE{}:DATA",
    "length": ":LENGth?",
    "trace_start": ":STARt?",
    "trace_sampling": ":SAMPling?",
    "laser": "CTP:RLASer1",
    "laser_wavelength": ":WAVelength",
    "laser_power": ":POWer",
    "laser_state": ":POWer:STATe",
    "power": "CTP:SENSe4:CHANnel{}:POWer?",
    "error": "SYSTem:ERRor:NEXT?",
}
# The short form is what is written in capitals.
SHORT = {name: re.sub(r"[a-z]", "", text).replace("INIT:IMM", "INIT").replace(":NEXT", "") for name, text in LONG.items()}
SHORT["trace"], SHORT["power"] = "TRAC:SENS4:CHAN1:TYPE{}:DATA", "CTP:SENS4:CHAN{}:POW?"


@pytest.fixture
def instrument():
    # Slower than real time, so that each state of a scan lasts long enough to be seen from a busy machine.
    simulator = Simulator("--seed", "3", "--time-scale", "3")
    manager = pyvisa.ResourceManager("@py")
    resource = manager.open_resource(f"TCPIP::{simulator.host}::{simulator.port}::SOCKET")
    resource.write_termination = resource.read_termination = "\r\n"
    resource.timeout = 20_000
    yield resource
    resource.close()
    manager.close()
    simulator.stop()


def wait_until_idle(instrument, words):
    seen = set()
    while (condition := int(instrument.query(words["condition"]))) != 0:
        seen.add(condition)
    return seen


def through_db(nm):
    """The ring's through port by its stated formula (Bogaerts et al. 2012), with its excess loss."""
    n_eff = 2.44 + (2.44 - 4.18) * (nm - 1550) / 1550
    r2, a = 0.973**2, 0.9965
    interference = 2 * r2 * a * np.cos(2 * math.pi * n_eff * 2 * math.pi * 10_000 / nm)
    through = (r2 * a**2 - interference + r2) / (1 - interference + (r2 * a) ** 2)
    return 10 * np.log10(through) - 3.5


@pytest.mark.parametrize("words", [LONG, SHORT, {name: text.lower() for name, text in SHORT.items()}], ids=["long", "short", "lower"])
def test_a_whole_measurement_gives_the_stated_physics(instrument, words):
    def binary(text, datatype):
        return instrument.query_binary_values(text, datatype=datatype, is_big_endian=True, container=np.array, expect_termination=False)

    maker, model, serial, _ = instrument.query(words["identity"]).split(",")
    assert (maker, model) == ("EXFO", "CTP10") and serial.startswith("SIMULATED")

    for word, value in [
        ("mode", "SING"),
        ("tls_laser", "1"),
        ("tls_start", "1500NM"),
        ("tls_stop", "1630 nm"),
        ("tls_speed", "50"),
        ("tls_power", "2MW"),
        ("start", "1540.5NM"),
        ("stop", "1560.5NM"),
        ("sampling", "1PM"),
        ("stabilization", "0,0.1"),
    ]:
        instrument.write(f"{words[word]} {value}")
    assert float(instrument.query(words["start"] + "?")) == pytest.approx(1540.5e-9, rel=1e-12)
    assert instrument.query(words["start"] + "?") == "1.54050000E-006"
    assert float(instrument.query(words["sampling"] + "?")) == pytest.approx(1e-12)
    assert float(instrument.query(words["tls_power"] + "?")) == pytest.approx(10 * math.log10(2), abs=1e-6)
    assert instrument.query(words["stabilization"] + "?") == "0,0.1"

    instrument.write(words["reference"])
    assert any(condition & 64 for condition in wait_until_idle(instrument, words))
    valid, kind, date, time = instrument.query(words["reference_result"]).split(",")
    assert (valid, kind, len(date), len(time)) == ("1", "0", 8, 6)

    instrument.write(words["sweep"])
    assert {4, 8} <= wait_until_idle(instrument, words)

    tf, raw, reference = (words["trace"].format(kind) for kind in (1, 11, 12))
    points = int(instrument.query(tf + words["length"]))
    start = float(instrument.query(tf + words["trace_start"]))
    step = float(instrument.query(tf + words["trace_sampling"]))
    assert points == 20_001
    # X, then Y in a row: nothing stands between the blocks.
    x = binary(f"{tf}:X? BIN,M", "d")
    y = binary(f"{tf}? BIN,DB", "f")
    assert len(x) == len(y) == points
    assert np.allclose(x, start + np.arange(points) * step, rtol=0, atol=1e-16)
    assert np.allclose(np.array(instrument.query_ascii_values(f"{tf}:X? ASCII,M")), x, rtol=0, atol=1e-14)
    assert np.allclose(np.array(instrument.query_ascii_values(f"{tf}:Y? ASCII,DB")), y, atol=1e-4)
    assert np.allclose(y, binary(f"{raw}? BIN,DB", "f") - binary(f"{reference}? BIN,DB", "f"), atol=1e-4)
    nm = x * 1e9
    assert np.max(np.abs(y - through_db(nm))) < 0.2
    assert abs(nm[np.argmin(y)] - nm[np.argmin(through_db(nm))]) < 0.005

    instrument.write(f"{words['laser']}{words['laser_wavelength']} 193.4THZ")
    instrument.write(f"{words['laser']}{words['laser_power']} 5DBM")
    instrument.write(f"{words['laser']}{words['laser_state']} ON")
    assert instrument.query(f"{words['laser']}{words['laser_state']}?") == "1"
    laser_nm = float(instrument.query(f"{words['laser']}{words['laser_wavelength']}?")) * 1e9
    assert laser_nm == pytest.approx(299_792.458 / 193.4, abs=1e-4)
    tap = float(instrument.query(words["power"].format(3)))
    through = float(instrument.query(words["power"].format(1)))
    assert tap == pytest.approx(5 - 0.6, abs=0.05)
    # Loss to OUT and of the patch cord, then the device.
    assert through == pytest.approx(5 - 2.9 + through_db(laser_nm), abs=0.2)
    instrument.write(f"{words['laser']}{words['laser_state']} OFF")
    assert float(instrument.query(words["power"].format(1))) < -70

    instrument.write(f"{words['tls_speed']} 999")
    instrument.write("NO:SUCH:HEADER")
    assert instrument.query(words["error"]).startswith("-222,")
    assert instrument.query(words["error"]).startswith("-113,")
    assert instrument.query(words["error"]) == "0,No error"
    assert instrument.query(words["tls_speed"] + "?") == "50"

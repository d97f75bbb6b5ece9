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
def connect():
    """Starts an embedded instrument with options, and gives a PyVISA resource that is connected to it."""
    manager = pyvisa.ResourceManager("@py")
    begun = []

    def connected(*arguments):
        simulator = Simulator(*arguments)
        resource = manager.open_resource(f"TCPIP::{simulator.host}::{simulator.port}::SOCKET")
        resource.write_termination = resource.read_termination = "\r\n"
        resource.timeout = 20_000
        begun.append((resource, simulator))
        return resource

    yield connected
    for resource, simulator in begun:
        resource.close()
        simulator.stop()
    manager.close()


@pytest.fixture
def instrument(connect):
    # Slower than real time, so that each state of a scan lasts long enough to be seen from a busy machine.
    return connect("--seed", "3", "--time-scale", "3")


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


class Setting:
    """A property in the manner of public drivers: what is written, and what is made of the reply."""

    def __init__(self, header, value, read=float, scale=1):
        self.header, self.value, self.read, self.scale = header, value, read, scale

    def __get__(self, owner, kind=None):
        return self.read(owner.ask(f"{self.header}?")) * self.scale

    def __set__(self, owner, value):
        owner.write(f"{self.header} {self.value % value}")


class Part:
    """A numbered part of the instrument: `{}` in its headers stands for its numbers."""

    def __init__(self, instrument, *numbers):
        self.instrument, self.numbers = instrument, numbers

    def ask(self, command):
        return self.instrument.query(command.format(*self.numbers))

    def write(self, command):
        self.instrument.write(command.format(*self.numbers))


class Laser(Part):
    power_dbm = Setting(":CTP:RLASer{}:POWer", "%gDBM")
    power_mw = Setting(":CTP:RLASer{}:POWer", "%gMW")
    is_on = Setting(":CTP:RLASer{}:POWer:STATe", "%s", int)
    wavelength_pm = Setting(":CTP:RLASer{}:WAVelength", "%.9gPM", scale=1e12)
    wavelength_nm = Setting(":CTP:RLASer{}:WAVelength", "%gNM", scale=1e9)
    wavelength_m = Setting(":CTP:RLASer{}:WAVelength", "%gM")
    frequency_hz = Setting(":CTP:RLASer{}:WAVelength", "%gHZ")
    frequency_ghz = Setting(":CTP:RLASer{}:WAVelength", "%gGHZ")
    frequency_thz = Setting(":CTP:RLASer{}:WAVelength", "%gTHZ")


class Tls(Part):
    identifier = Setting(":INIT:TLS{}:IDentifier", "%d", int)
    start_nm = Setting(":INIT:TLS{}:WAVelength:STARt", "%gNM", scale=1e9)
    stop_nm = Setting(":INIT:TLS{}:WAVelength:STOP", "%gNM", scale=1e9)
    speed = Setting(":INIT:TLS{}:SPEed", "%d", int)
    power_dbm = Setting(":INIT:TLS{}:POWer", "%gDBM")
    power_mw = Setting(":INIT:TLS{}:POWer", "%gMW")
    trigger = Setting(":INIT:TLS{}:TRIGin", "%d", int)


class Detector(Part):
    power = Setting(":CTP:SENSe{}:CHANnel{}:POWer", "")
    spectral_unit = Setting(":CTP:SENSe{}:CHANnel{}:UNIT:X", "%s", int)
    power_unit = Setting(":CTP:SENSe{}:CHANnel{}:UNIT:Y", "%s", int)
    trigger = Setting(":CTP:SENSe{}:CHANnel{}:FUNCtion:TRIGGer", "%d", int)
    wavelength_nm = Setting(":CTP:SENSe{}:CHANnel{}:WAVelength", "%gNM", scale=1e9)
    frequency_thz = Setting(":CTP:SENSe{}:CHANnel{}:WAVelength", "%gTHZ")

    def trace(self, kind, what):
        return self.ask(f":TRACe:SENSe{{}}:CHANnel{{}}:TYPE{kind}:DATA:{what}?")

    def data(self, kind, axis, unit, datatype):
        """Reads exactly the bytes that are announced, as they come."""
        self.write(f":TRACe:SENSe{{}}:CHANnel{{}}:TYPE{kind}:DATA{axis}? BIN,{unit}")
        head = self.instrument.read_bytes(2, break_on_termchar=False)
        assert head[:1] == b"#"
        length = int(self.instrument.read_bytes(int(head[1:])))
        return np.frombuffer(self.instrument.read_bytes(length, break_on_termchar=False), datatype)


class Unit(Part):
    resolution_pm = Setting(":INIT:WAVelength:SAMPling", "%gPM", scale=1e12)
    condition = Setting(":STATus:OPERation:CONDition", "", int)

    def wait_for_sweep_complete(self):
        while self.condition & 4:
            pass

    def errors(self):
        found = []
        while (entry := self.ask("SYST:ERR?").split(",", 1))[0] != "0":
            found.append(entry)
        return found


def test_the_documented_example_of_a_public_driver_runs_as_it_stands(connect):
    # Analyzing takes a second, and this client does not wait for its end.
    instrument = connect("--time-scale", "5")
    unit, tls, laser, detector = Unit(instrument), Tls(instrument, 1), Laser(instrument, 2), Detector(instrument, 4, 1)
    unit.resolution_pm = 10.0
    tls.start_nm, tls.stop_nm, tls.speed, tls.power_dbm = 1520.0, 1580.0, 100, 5.0
    laser.power_dbm, laser.wavelength_nm, laser.is_on = 1.5, 1310.0, "ON"
    for start in [":REFerence:SENSe4:CHANnel1:INITiate", ":INITiate:IMMediate"]:
        unit.write(start)
        unit.wait_for_sweep_complete()
    detector.power_unit, detector.spectral_unit, detector.trigger = "DBM", "WAV", 0
    assert detector.power < 10
    for kind in (1, 11, 12, 13):
        x, y = detector.data(kind, ":X", "M", ">f8"), detector.data(kind, "", "DB", ">f4")
        assert int(detector.trace(kind, "LENGth")) == len(x) == len(y) == 6001
        assert float(detector.trace(kind, "STARt")) == x[0] == pytest.approx(1520e-9)
        assert float(detector.trace(kind, "SAMPling")) == pytest.approx(x[1] - x[0]) == pytest.approx(1e-11)
        detector.write(f":TRACe:SENSe{{}}:CHANnel{{}}:TYPE{kind}:SAVE")
    unit.write(":INITiate:IMMediate")
    unit.wait_for_sweep_complete()
    # A start right after another scan is not refused.
    unit.write(":INITiate:IMMediate")
    assert unit.ask("*OPC?") == "1"
    assert len(detector.data(11, ":Y", "Y", ">f4")) == 6001
    assert unit.errors() == []


def test_every_property_of_a_public_driver_is_taken_and_read_back(connect):
    instrument = connect()
    unit = Unit(instrument)
    values = {
        Laser(instrument, 1): {"power_dbm": 1.5, "power_mw": (2.5, 10 * math.log10(2.5)), "is_on": ("ON", 1)}
        | {"wavelength_pm": 1_550_120, "wavelength_nm": 1545.5, "wavelength_m": 1.56e-6}
        | {"frequency_hz": (1.934e14, 1.55011612e-6), "frequency_ghz": (193_400, 1.55011612e-6)}
        | {"frequency_thz": (193.4, 1.55011612e-6)},
        Tls(instrument, 1): {"identifier": 1, "start_nm": 1520.25, "stop_nm": 1590.5, "speed": 67, "trigger": 3}
        | {"power_dbm": -7.5, "power_mw": (10.0, 10.0)},
        Tls(instrument, 4): {"identifier": 2, "start_nm": 1262.5, "stop_nm": 1355.0, "speed": 20, "trigger": 8},
        Detector(instrument, 4, 3): {"spectral_unit": ("FREQ", 1), "power_unit": ("MW", 1), "trigger": 4}
        | {"wavelength_nm": 1310.0, "frequency_thz": (193.4, 1.55011612e-6)},
        unit: {"resolution_pm": 0.02},
    }
    for part, properties in values.items():
        for name, value in properties.items():
            given, expected = value if isinstance(value, tuple) else (value, value)
            setattr(part, name, given)
            assert getattr(part, name) == pytest.approx(expected, rel=1e-7), f"{type(part).__name__}.{name}"
    assert instrument.query(":CTP:RLASer2:IDN?").split(",")[:3] == ["EXFO", "T200S-O-M", "SIMULATED"]
    unit.write(":INIT:STABilization 1,12.3")
    assert [float(part) for part in unit.ask(":INIT:STABilization?").split(",")] == [1, 12.3]
    assert unit.errors() == []


def test_a_scan_beyond_the_laser_by_a_client_that_reads_text(connect):
    """The whole sequence of a small public client: the scan is wider than its lasers, and the data come as text."""
    instrument = connect("--time-scale", "0.02")
    unit = Unit(instrument)
    instrument.write("CLE")
    for command in [":INIT:WAV:STAR 1300.000NM", ":INIT:WAV:STOP 1600.000NM", ":INIT:WAV:SAMP 250PM"]:
        instrument.write(command)
    for command in [":INIT:TLS1:SPE 100", ":INIT:TLS1:POW 0.00DBM", ":INIT:STAB ON", ":INIT:SMOD SING", "*CLS", ":INIT"]:
        instrument.write(command)
    while unit.condition != 0:
        pass
    assert instrument.query(":SYST:ERR?") == "0,No error"
    instrument.write("INIT:FBC:SENS 1")
    instrument.write("CTP:RLAS1:WAV 1550NM")
    name = ":TRAC:SENS4:CHAN1:TYPE11:DATA"
    start, step = float(instrument.query(f"{name}:STAR?")), float(instrument.query(f"{name}:SAMP?"))
    count = int(instrument.query(f"{name}:LENG?"))
    assert (start, step, count) == (pytest.approx(1300e-9), pytest.approx(250e-12), 1201)
    levels = [float(value) for value in instrument.query(f"{name}? 0,DB").split(",")]
    assert len(levels) == count and max(levels) > -10
    assert unit.errors() == []


def test_a_client_that_reads_a_reply_after_routing_an_analog_output(connect):
    instrument = connect("--analog-output", "answers", "--preload")
    for output in (1, 2):
        assert instrument.query(f":SYST:ANLG:OUT{output}:SOUR 4,1") == "4,1"
    instrument.write(":INIT:LAS:POW 3.00DBM")
    instrument.write(":CTP:SENS:FBC 1")
    instrument.write(f":INIT:WAV:SAMP {10.0:5.1f}PM")
    assert int(instrument.query(":TRAC:SENS4:CHAN1:TYPE1:DATA:LENG?")) == 6001
    assert instrument.query("*STB?") == "0"
    assert instrument.query("SYST:ERR?") == "0,No error"

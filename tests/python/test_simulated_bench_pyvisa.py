"""The simulated source-meter, switch and thermostat over PyVISA: an independent client decides whether they speak SCPI."""

import time

import numpy as np
import pytest
import pyvisa

from conftest import Simulator

FREE = "127.0.0.1:0"


class Bench:
    """A simulator with all instruments, each as a PyVISA resource."""

    def __init__(self, *arguments):
        self.simulator = Simulator("--smu", FREE, "--switch", FREE, "--thermostat", FREE, "--time-scale", "0.02", *arguments)
        self.manager = pyvisa.ResourceManager("@py")
        self.ctp10 = self.open(self.simulator.address, "\r\n")
        self.smu, self.switch, self.thermostat = (self.open(self.simulator.instruments[name]) for name in ("smu", "switch", "thermostat"))

    def open(self, address, line_end="\n"):
        host, port = address.rsplit(":", 1)
        resource = self.manager.open_resource(f"TCPIP::{host}::{port}::SOCKET")
        resource.write_termination = resource.read_termination = line_end
        resource.timeout = 20_000
        return resource

    def resonance_nm(self):
        """The wavelength of the deepest point between 1547 and 1553 nm."""
        self.ctp10.write("INIT:WAV:STAR 1547NM;STOP 1553NM;SAMP 1PM;:INIT")
        self.ctp10.query("*OPC?")
        block = self.ctp10.query_binary_values(
            "TRAC:SENS4:CHAN1:TYPE11:DATA? BIN,DB", datatype="f", is_big_endian=True, container=np.array, expect_termination=False
        )
        return 1547 + np.argmin(block) * 1e-3

    def close(self):
        self.manager.close()
        self.simulator.stop()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


def test_every_instrument_says_that_it_is_simulated(bench):
    for resource, model in [(bench.smu, "SOURCE-METER"), (bench.switch, "OPTICAL-SWITCH"), (bench.thermostat, "THERMOSTAT")]:
        maker, given, serial, version = resource.query("*IDN?").split(",")
        assert (given, serial) == (model, "SIMULATED") and maker and version
        assert resource.query("SYST:ERR?") == "0,No error"
        assert resource.query("*OPC?") == "1"


def test_a_bias_sweep_gives_the_stated_slope_and_the_resistance_of_a_heater(bench):
    smu = bench.smu
    smu.write("*RST")
    smu.write(":SOUR:FUNC CURR")
    smu.write(":SENS:VOLT:PROT 5")
    smu.write(":OUTP ON")
    powers_mw, shifts_nm, ohms = [], [], []
    for current in np.linspace(0, 0.007, 6):
        smu.write(f":SOUR:CURR {current:.6f}")
        volts, amperes = smu.query_ascii_values(":READ?")
        assert amperes == pytest.approx(current, abs=1e-9)
        assert volts == pytest.approx(float(smu.query(":MEAS:VOLT?")))
        powers_mw.append(volts * amperes * 1e3)
        shifts_nm.append(bench.resonance_nm())
        ohms.append(float(smu.query(":MEAS:RES?")))
    slope, _ = np.polyfit(powers_mw, shifts_nm, 1)
    assert slope == pytest.approx(0.1, rel=0.01)
    # Without a current there is no resistance: SCPI's "not a number".
    assert ohms[0] == 9.91e37
    assert ohms[1:] == pytest.approx([500 * (1 + 1e-3 * 2 * power) for power in powers_mw[1:]], rel=1e-4)
    smu.write(":OUTP OFF")
    # A command has no reply, and the CTP10 has a connection of its own: the sweep waits until the output is off.
    assert smu.query("*OPC?") == "1"
    assert bench.resonance_nm() == pytest.approx(shifts_nm[0], abs=0.005)
    assert smu.query("SYST:ERR?") == "0,No error"


def test_the_limit_acts_before_the_level(bench):
    smu = bench.smu
    smu.write(":SOUR:VOLT 5V;:SENS:CURR:PROT 2MA;:OUTP ON")
    assert float(smu.query(":MEAS:CURR?")) == pytest.approx(0.002)
    assert float(smu.query(":MEAS:VOLT?")) == pytest.approx(1.0, rel=0.01)
    assert smu.query(":SENS:CURR:PROT:TRIP?") == "1"
    smu.write(":SENS:CURR:PROT 0.02")
    assert float(smu.query(":MEAS:VOLT?")) == pytest.approx(5)
    assert smu.query(":SENS:CURR:PROT:TRIP?") == "0"


def test_errors_are_queued_and_a_wrong_query_has_no_reply(bench):
    smu = bench.smu
    smu.write(":SOUR:VOLT 100;:NO:SUCH;:SOUR:VOLT?")
    assert float(smu.read()) == 0
    assert smu.query("SYST:ERR:COUN?") == "2"
    assert smu.query("SYST:ERR?").startswith("-222,")
    assert smu.query("SYST:ERR?").startswith("-113,")
    smu.timeout = 200
    with pytest.raises(pyvisa.errors.VisaIOError):
        smu.query(":MEAS:VOLT?")
    smu.timeout = 20_000
    assert smu.query("SYST:ERR?").startswith("803,")
    smu.write(":SOUR:VOLT 100;*CLS")
    assert smu.query("SYST:ERR?") == "0,No error"


def test_the_switch_changes_the_polarisation_and_the_thermostat_the_resonance(bench):
    te = bench.resonance_nm()
    bench.switch.write("ROUT:CLOS (@2)")
    assert bench.switch.query("ROUT:CLOS:STAT?") == "(@2)"
    assert abs(bench.resonance_nm() - te) > 0.1
    bench.switch.write("ROUT:CLOS (@1)")
    assert bench.switch.query("*OPC?") == "1"
    bench.thermostat.write("SOUR:TEMP 30;:OUTP ON")
    give_up = time.monotonic() + 30
    while float(bench.thermostat.query("MEAS:TEMP?")) != 30:
        assert time.monotonic() < give_up
    assert bench.resonance_nm() - te == pytest.approx(0.375, abs=0.01)


def test_a_late_reply_and_a_closed_connection():
    bench = Bench("--fault", "smu:late@:MEAS:VOLT?=0.5", "--fault", "smu:drop@MEAS:CURR?")
    bench.smu.write(":OUTP ON")
    bench.smu.timeout = 100
    with pytest.raises(pyvisa.errors.VisaIOError):
        bench.smu.query(":MEAS:VOLT?")
    bench.smu.timeout = 20_000
    # The late reply is read now: a client that does not know this takes it for another.
    assert float(bench.smu.read()) == 0
    with pytest.raises(pyvisa.errors.VisaIOError):
        bench.smu.query(":MEAS:CURR?")
    again = bench.open(bench.simulator.instruments["smu"])
    assert again.query(":OUTP?") == "1"
    bench.close()

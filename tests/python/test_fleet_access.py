"""How benches reach their broker: TLS, files with credentials, several servers, and a clock that is wrong."""

import datetime
import ipaddress
import re
import subprocess

import pytest
from conftest import ctp10, until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fleet import SERVERS, Broker, Fleet, has_fleet
from nats_accounts import accounts

pytestmark = [
    pytest.mark.skipif(not SERVERS, reason="no nats-server is on PATH or in tests/.venv"),
    pytest.mark.skipif(not has_fleet(), reason="the program was built without the feature `fleet`"),
]
ONE = [{"recipe": "sweep.yaml"}]


@pytest.fixture
def lab(start, tmp_path):
    """Makes fleets whose brokers have their own settings. The benches read the settings of `[fleet]` from a file."""
    brokers, fleets = [], []

    def make(settings, *arguments, scheme="nats"):
        folder = tmp_path / "broker"
        folder.mkdir()
        broker = Broker(SERVERS[-1], folder, *arguments)
        broker.scheme = scheme
        brokers.append(broker)
        fleet = Fleet(broker, start, tmp_path)
        (tmp_path / "ctp10.toml").write_text(f"[fleet]\n{settings}\n")
        bench = tmp_path / "bench"
        bench.mkdir()
        (bench / "ctp10.toml").write_text(f"[fleet]\n{settings}\n")
        fleets.append(fleet)
        return fleet

    yield make
    # A bench says goodbye to its broker.
    for bench in (bench for fleet in fleets for bench in fleet.benches.values()):
        bench.stop()
    for broker in brokers:
        broker.stop()


def measures(fleet, **options):
    """One bench measures one item."""
    fleet.batch("night", ONE)
    bench = fleet.bench("a", folder=fleet.folder / "bench", **options)
    until("it is measured", lambda: fleet.states("night") == ["measured"])
    return bench


def certificate(name, key, issuer=None):
    """A certificate of an authority, or one of a server that the authority has signed."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def pem(thing):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    return thing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_broker_with_tls_is_reached_with_the_authority_of_the_lab_only(lab, tmp_path):
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority = certificate("lab", keys[0])
    (tmp_path / "ca.pem").write_bytes(pem(authority))
    (tmp_path / "cert.pem").write_bytes(pem(certificate("broker", keys[1], (authority, keys[0]))))
    (tmp_path / "key.pem").write_bytes(pem(keys[1]))
    tls = ["--tls", f"--tlscert={tmp_path / 'cert.pem'}", f"--tlskey={tmp_path / 'key.pem'}"]
    fleet = lab(f'ca_file = "{tmp_path / "ca.pem"}"', *tls, scheme="tls")
    measures(fleet)
    # Without the file, the certificate of the broker is unknown.
    (tmp_path / "other").mkdir()
    refused = ctp10("fleet", "status", "--fleet", fleet.broker.url, cwd=tmp_path / "other")
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stderr and "certificate" in refused.stderr, refused.stderr
    missing = tmp_path / "other" / "ctp10.toml"
    missing.write_text('[fleet]\nca_file = "no-such.pem"\n')
    refused = ctp10("fleet", "status", "--fleet", fleet.broker.url, cwd=tmp_path / "other")
    assert refused.returncode == 2 and "no-such.pem" in refused.stderr, refused.stderr


def test_a_file_with_credentials_opens_a_broker_with_accounts(lab, tmp_path):
    settings, credentials = accounts()
    (tmp_path / "server.conf").write_text(settings)
    (tmp_path / "bench-a.creds").write_text(credentials)
    fleet = lab(f'credentials_file = "{tmp_path / "bench-a.creds"}"', "-c", tmp_path / "server.conf")
    bench = measures(fleet)
    seed = re.search(r"\nSU\w+", credentials)[0].strip()
    assert seed not in bench.said()
    # The environment names another file; a user of another account is refused.
    (tmp_path / "stranger.creds").write_text(accounts()[1])
    refused = ctp10("fleet", "status", "--fleet", fleet.broker.url, cwd=tmp_path,
                    CTP10_FLEET_CREDENTIALS=str(tmp_path / "stranger.creds"))
    assert refused.returncode == 2 and "refused the credentials" in refused.stderr, refused.stderr
    refused = ctp10("fleet", "status", "--fleet", fleet.broker.url, cwd=tmp_path, CTP10_FLEET_CREDENTIALS="/no-such.creds")
    assert refused.returncode == 2 and "/no-such.creds" in refused.stderr, refused.stderr


def test_a_server_of_a_cluster_that_is_down_is_passed_over(lab):
    fleet = lab("")
    fleet.broker.before = "nats://127.0.0.1:1,"
    measures(fleet)
    assert fleet.bench_status("a")["bench"] == "a"


# Adds seconds to the time of day of a program. The monotonic clock stays as it is.
CLOCK = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *time) {
    int done = syscall(SYS_clock_gettime, id, time);
    if (id == CLOCK_REALTIME) time->tv_sec += atoi(getenv("CLOCK_OFFSET_S"));
    return done;
}
"""


@pytest.fixture
def clock(tmp_path):
    """The environment of a program whose clock is off."""
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return lambda seconds: {"LD_PRELOAD": str(library), "CLOCK_OFFSET_S": str(seconds)}


@pytest.mark.parametrize("seconds", [10, -10])
def test_a_clock_that_is_off_by_seconds_is_a_warning(lab, clock, seconds):
    fleet = lab("")
    bench = measures(fleet, **clock(seconds))
    shown = re.search(r"differs from the clock of the broker \S+ by (-?[\d.]+) s", bench.said())
    # The request to the broker takes some of the time.
    assert abs(float(shown[1]) - seconds) < 5, bench.said()
    assert abs(fleet.bench_status("a")["clock_offset_s"] - seconds) < 5


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_is_off_by_minutes_ends_the_start(lab, clock, seconds):
    fleet = lab("")
    fleet.batch("night", ONE)
    command = ["serve", "--instrument", "sim", "--listen", "127.0.0.1:0", "--fleet", fleet.broker.url, "--bench", "a"]
    refused = ctp10(*command, cwd=fleet.folder, **clock(seconds))
    assert refused.returncode == 2
    assert re.search(r"differs from the clock of the broker by -?\d+\.\d s", refused.stderr), refused.stderr
    assert "at most 60 s" in refused.stderr and "NTP" in refused.stderr
    # The name is free, and nothing was claimed.
    assert fleet.states("night") == ["queued"]
    assert fleet.status()["benches"][0]["ended"]

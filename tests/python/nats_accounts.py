"""Credentials of a NATS user as a lab gets them: an operator, an account and a user with signed tokens (JWT and NKEY)."""

import base64
import hashlib
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


def crc16(data):
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value


def base32(data):
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, kind):
        self.kind, self.key = kind, Ed25519PrivateKey.generate()

    @property
    def public(self):
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base32(bytes([self.kind]) + raw)

    @property
    def seed(self):
        return base32(bytes([SEED | self.kind >> 5, (self.kind & 31) << 3]) + self.key.private_bytes_raw())

    def token(self, name, subject, claims):
        body = {"iat": int(time.time()) - 10, "iss": self.public, "sub": subject.public, "name": name, "nats": {"version": 2, **claims}}
        body["jti"] = base32(hashlib.sha256(json.dumps(body).encode()).digest())
        signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
        return f"{signed}.{base64url(self.key.sign(signed.encode()))}"


def accounts():
    """The configuration of a server, and the credentials of a user of its only account."""
    operator, system, account, user = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT), Key(USER)
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1) | {"wildcards": True}
    storage = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    preload = {
        system.public: operator.token("system", system, {"type": "account", "limits": unlimited}),
        account.public: operator.token("lab", account, {"type": "account", "limits": {**unlimited, **storage}}),
    }
    settings = [
        f"operator: {operator.token('lab', operator, {'type': 'operator'})}",
        f"system_account: {system.public}",
        "resolver: MEMORY",
        "resolver_preload: {",
        *(f"  {name}: {token}" for name, token in preload.items()),
        "}",
    ]
    limits = dict.fromkeys(("subs", "data", "payload"), -1)
    token = account.token("bench-a", user, {"type": "user", "pub": {}, "sub": {}, **limits})
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return "\n".join(settings) + "\n", credentials

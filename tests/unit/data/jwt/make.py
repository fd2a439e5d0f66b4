#!/usr/bin/python3
"""Makes vectors.json: tokens of PyJWT (python3-jwt) in every algorithm, with their keys as JWKS, PEM and secrets, and
tokens as attackers make them. Run by hand; the result is kept, so that the unit tests need no Python."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
number = lambda n, width=None: b64(n.to_bytes(width or (n.bit_length() + 7) // 8, "big"))
CLAIMS = {"sub": "ann", "name": "Ann", "iss": "https://issuer.test", "aud": ["gateway", "other"], "iat": 1700000000, "exp": 4102444800, "roles": ["clerk"]}

keys = {
    "rsa": rsa.generate_private_key(65537, 2048), "p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()), "ed25519": ed25519.Ed25519PrivateKey.generate(), "ed448": ed448.Ed448PrivateKey.generate(),
    "secret": b"a secret that is long enough, and 64 bytes of it for HS512 too!!",
}


def jwk(name, key):
    if name == "secret":
        return {"kty": "oct", "k": b64(key)}
    public = key.public_key()
    if name == "rsa":
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if name.startswith("p"):
        numbers, bits = public.public_numbers(), int(name[1:])
        width = (bits + 7) // 8
        return {"kty": "EC", "crv": f"P-{bits}", "x": number(numbers.x, width), "y": number(numbers.y, width)}
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": {"ed25519": "Ed25519", "ed448": "Ed448"}[name], "x": b64(raw)}


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def by_hand(header, claims, sign):
    text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(sign(text.encode()))


fits = {"RS": "rsa", "PS": "rsa", "HS": "secret"}
tokens = []
for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"):
    name = fits.get(algorithm[:2]) or {"ES256": "p256", "ES384": "p384", "ES512": "p521"}[algorithm]
    tokens.append({"alg": algorithm, "key": name, "token": jwt.encode(CLAIMS, keys[name], algorithm, headers={"kid": name})})
for name in ("ed25519", "ed448"):
    tokens.append({"alg": "EdDSA", "key": name, "token": jwt.encode(CLAIMS, keys[name], "EdDSA", headers={"kid": name})})

hs256 = lambda secret: lambda text: hmac.new(secret, text, hashlib.sha256).digest()
rs256 = lambda text: keys["rsa"].sign(text, padding.PKCS1v15(), hashes.SHA256())
rsa_jwk = jwk("rsa", keys["rsa"])
attacks = {
    "none": by_hand({"alg": "none"}, CLAIMS, lambda text: b""),
    "None": by_hand({"alg": "None", "kid": "rsa"}, CLAIMS, lambda text: b""),
    "empty alg": by_hand({"alg": ""}, CLAIMS, lambda text: b""),
    "public key as secret, PEM": by_hand({"alg": "HS256", "kid": "rsa"}, CLAIMS, hs256(pem(keys["rsa"]).encode())),
    "public key as secret, n": by_hand({"alg": "HS256"}, CLAIMS, hs256(base64.urlsafe_b64decode(rsa_jwk["n"] + "=="))),
    "own key in the header": by_hand({"alg": "RS256", "jwk": rsa_jwk}, CLAIMS, lambda text: b"x" * 256),
    "empty signature": by_hand({"alg": "RS256", "kid": "rsa"}, CLAIMS, lambda text: b""),
    "critical header": by_hand({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": False}, CLAIMS, rs256),
    "another curve's algorithm": by_hand({"alg": "ES512", "kid": "p256"}, CLAIMS, lambda text: b"\0" * 132),
    "zero signature": by_hand({"alg": "ES256", "kid": "p256"}, CLAIMS, lambda text: b"\0" * 64),
}
rules = {
    "expired": {**CLAIMS, "exp": 1000}, "exp is a text": {**CLAIMS, "exp": "4102444800"}, "not yet": {**CLAIMS, "nbf": 4000000000},
    "from the future": {**CLAIMS, "iat": 4000000000}, "another's": {**CLAIMS, "aud": "elsewhere"}, "no aud": {k: v for k, v in CLAIMS.items() if k != "aud"},
    "no exp": {k: v for k, v in CLAIMS.items() if k != "exp"}, "other issuer": {**CLAIMS, "iss": "https://evil.test"}, "aud is a text": {**CLAIMS, "aud": "gateway"},
    "no sub": {k: v for k, v in CLAIMS.items() if k != "sub"},
}
Path(__file__).with_name("vectors.json").write_text(json.dumps({
    "note": "made by make.py with PyJWT",
    "jwks": {"keys": [{**jwk(name, keys[name]), "kid": name, "use": "sig"} for name in keys]},
    "pem": {name: pem(keys[name]) for name in keys if name != "secret"},
    "secret": keys["secret"].decode(),
    "private": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n",
    "tokens": tokens, "attacks": attacks,
    "claims": {name: by_hand({"alg": "HS256", "kid": "secret"}, claims, hs256(keys["secret"])) for name, claims in rules.items()},
}, indent=1) + "\n")

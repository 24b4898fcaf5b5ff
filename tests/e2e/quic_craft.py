"""QUIC Initials made by hand, sealed with Debian's python3-cryptography: nothing of it is Nightjar's. RFC 9000, 9001, 9369."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import craft

V1, V2 = 0x00000001, 0x6B3343CF
SALTS = {V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")}
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)


def expand_label(secret, label, size):
    full = b"tls13 " + label.encode()
    info = struct.pack(">HB", size, len(full)) + full + b"\0"
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


def keys(version, dcid, client):
    initial = hmac.digest(SALTS[version], dcid, "sha256")
    secret = expand_label(initial, "client in" if client else "server in", 32)
    prefix = "quicv2 " if version == V2 else "quic "
    return expand_label(secret, prefix + "key", 16), expand_label(secret, prefix + "iv", 12), expand_label(secret, prefix + "hp", 16)


def variable(number):
    for bits, size in ((6, 1), (14, 2), (30, 4), (62, 8)):
        if number < 1 << bits:
            return (number | ((size.bit_length() - 1) << (8 * size - 2))).to_bytes(size, "big")


def first_byte(version, kind, low=0):
    return 0xC0 | ((kind + 1) % 4 if version == V2 else kind) << 4 | low


def initial(frames, dcid, number=0, version=V1, scid=b"", token=b"", key_id=None, client=True, pad=1162):
    """One protected Initial; *key_id*: the connection id its keys are made of, by default its own."""
    frames = frames + bytes(max(0, pad - len(frames)))
    key, iv, hp = keys(version, key_id if key_id is not None else dcid, client)
    head = struct.pack(">BI", first_byte(version, INITIAL, 1), version) + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid
    head += variable(len(token)) + token + variable(2 + len(frames) + 16) + struct.pack(">H", number)
    nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    packet = bytearray(head + sealed)
    at = len(head) - 2
    encryptor = Cipher(algorithms.AES(hp), modes.ECB()).encryptor()
    mask = encryptor.update(bytes(packet[at + 4:at + 20]))
    packet[0] ^= mask[0] & 15
    packet[at] ^= mask[1]
    packet[at + 1] ^= mask[2]
    return bytes(packet)


def crypto(data, start=0, end=None):
    piece = data[start:end]
    return b"\x06" + variable(start) + variable(len(piece)) + piece


def hello(name):
    """The ClientHello alone, without a record around it, long enough to be cut."""
    message = craft.client_hello(name)[5:]
    body = message[4:]
    filler = struct.pack(">HH", 21, 400) + bytes(400)  # padding extension
    extensions = body[45:] + filler
    body = body[:43] + struct.pack(">H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def ja4(name_given=True):
    """Of hello(): two ciphers; extensions SNI, groups, signature algorithms, ALPN and padding; no supported_versions."""
    ciphers = hashlib.sha256(b"1301,c02f").hexdigest()[:12]
    extensions = hashlib.sha256(b"000a,000d,0015_0403").hexdigest()[:12]
    return f"q12{'d' if name_given else 'i'}0205h2_{ciphers}_{extensions}"

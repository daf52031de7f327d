#!/usr/bin/env python3
"""Verifies a bundle of `luci audit export` (luci-history/2) with Python's standard library alone.

verify.py FILE [--key HEX]... [--head HASH]     Exit code 0: intact. 1: not intact. The format: ../evidence.md
"""
import argparse, datetime, hashlib, json, re, sys

ZEROS = "0" * 64
EVENT = re.compile(
    r'\{"position":(?P<position>0|[1-9]\d*),"version":(?P<version>0|[1-9]\d*),"eventId":"(?P<eventId>[ !#-\[\]-~]+)",'
    r'"type":"(?P<type>[ !#-\[\]-~]+)","schemaVersion":(?P<schemaVersion>0|[1-9]\d*),"tenantId":"(?P<tenantId>[ !#-\[\]-~]+)",'
    r'"streamId":"(?P<streamId>[ !#-\[\]-~]+)","actor":"(?P<actor>[ !#-\[\]-~]+)","commandId":"(?P<commandId>[ !#-\[\]-~]+)",'
    r'"correlationId":"(?P<correlationId>[ !#-\[\]-~]+)","causationId":(?:null|"(?P<causationId>[ !#-\[\]-~]+)"),'
    r'"recordedAtMicros":(?P<recordedAtMicros>0|[1-9]\d*),"recordedAt":"(?P<recordedAt>[ !#-\[\]-~]+)","data":', re.ASCII)
TAIL = re.compile(r',"previousHash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}', re.ASCII)
HASHED = ["eventId", "tenantId", "streamId", "version", "type", "schemaVersion", "recordedAtMicros", "commandId",
          "correlationId", "causationId", "actor"]
SEAL = ["sealId", "fromPosition", "toPosition", "root", "previousHash", "sealHash", "publicKey", "signature",
        "sealedAtMicros"]


class Fault(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Fault(why)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u64(number):
    need(type(number) is int and 0 <= number < 2**64, "it is not a number, or out of range")
    return number.to_bytes(8, "big")


def strict(line, fields):
    """A line with exactly these fields in this order, and no other byte."""
    value = json.loads(line)
    need(isinstance(value, dict) and list(value) == fields, f"its fields are not {fields}")
    need(json.dumps(value, separators=(",", ":"), ensure_ascii=False) == line, "it has bytes that do not belong there")
    return value


def time_text(micros):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    fraction = f".{micros % 10**6:06}".rstrip("0") if micros % 10**6 else ""
    return at.strftime("%Y-%m-%dT%H:%M:%S").zfill(19) + fraction + "Z"


def event(line):
    found = EVENT.match(line)
    need(found, "it is not written as an event is")
    tail = TAIL.fullmatch(line, max(found.end(), len(line) - 157))
    need(tail, "it does not end with two hashes")
    body = line[found.end():tail.start()]
    _, end = json.JSONDecoder().raw_decode(body)
    data, metadata = body[:end], body[end:]
    need(metadata.startswith(',"metadata":'), "it has no metadata")
    one = found.groupdict()
    header = "\x1f".join(one[name] or "" for name in HASHED)
    parts = [sha(text.encode()) for text in (header, data, metadata[len(',"metadata":'):])]
    need(sha(b"\x01", bytes.fromhex(tail[1]), *parts).hex() == tail[2], "its bytes do not match its hash")
    one.update(previous=tail[1], hash=tail[2], position=int(one["position"]), version=int(one["version"]),
               micros=int(one["recordedAtMicros"]))
    need(one["recordedAt"] == time_text(one["micros"]), "recordedAt is not the time of recordedAtMicros")
    return one


def root(own, first, leaves, nodes):
    """Merkle root (RFC 6962) from some leaves, as (index, hash), and the roots of the subtrees without any."""
    if not own:
        need(nodes, "a node is missing")
        return nodes.pop(0)
    if leaves == 1:
        return own[0][1]
    half = 1 << (leaves - 1).bit_length() - 1
    left = [one for one in own if one[0] < first + half]
    right = own[len(left):]
    return sha(b"\x01", root(left, first, half, nodes), root(right, first + half, leaves - half, nodes))


def check_seal(line, open_events):
    found = strict(line, ["seal", "nodes"])
    seal = found["seal"]
    need(isinstance(seal, dict) and list(seal) == SEAL, "its seal has other fields")
    for name, digits in [("root", 64), ("previousHash", 64), ("sealHash", 64), ("publicKey", 64), ("signature", 128)]:
        need(re.fullmatch(r"[0-9a-f]{%d}" % digits, seal[name]), f"{name} is not lower-case hex")
    first, last = seal["fromPosition"], seal["toPosition"]
    whole = sha(b"\x02", bytes.fromhex(seal["previousHash"]), u64(seal["sealId"]), u64(first), u64(last),
                u64(seal["sealedAtMicros"]), bytes.fromhex(seal["root"]))
    need(whole.hex() == seal["sealHash"], "the seal's hash is not that of what it says")
    key, signature = bytes.fromhex(seal["publicKey"]), bytes.fromhex(seal["signature"])
    need(ed25519(key, whole, signature), "the seal's signature is not its key's")
    own = [one for one in open_events if one[0] >= first]
    need(own and own[-1][0] <= last and last - first < 10_000, "it covers none of the events before it")
    leaves = [(at - first, sha(b"\x00", u64(at), bytes.fromhex(hash))) for at, hash in own]
    need(all(re.fullmatch("[0-9a-f]{64}", node) for node in found["nodes"]), "a node is not lower-case hex")
    nodes = [bytes.fromhex(node) for node in found["nodes"]]
    need(root(leaves, 0, last - first + 1, nodes).hex() == seal["root"] and not nodes,
         "the events before it do not lead to its root")
    return seal, len(open_events) - len(own)


# Ed25519 (RFC 8032, section 5.1.7), for a few signatures: slow, and only for verifying.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, p):
    q = (0, 1, 1, 0)
    while number:
        q = add(q, p) if number & 1 else q
        p, number = add(p, p), number >> 1
    return q


def ed25519(key, message, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    base = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    left, right = times(s, base), add(r, times(k, a))
    return all((left[n] * right[2] - right[n] * left[2]) % P == 0 for n in (0, 1))


def scope_of(line):
    value = json.loads(line)
    fields = list(value) if isinstance(value, dict) else []
    strict(line, fields)
    kinds = [["streamId", "tenantId"], ["tenantId", "fromPosition", "toPosition"], ["fromPosition", "toPosition"]]
    need(fields[:1] == ["format"] and fields[1:] in kinds and value["format"] == "luci-history/2",
         "it is not a header of luci-history/2")
    for name in fields[1:]:
        u64(value[name]) if name.endswith("Position") else need(isinstance(value[name], str), f"{name} is not a text")
    return value


def verify(file, keys, head):
    """Returns the number of events and what is not covered, or raises a Fault."""
    streams, open_events, unsealed, digest = {}, [], 0, hashlib.sha256()
    scope = seal = trailer = last = None
    events = seals = number = 0
    for number, line in enumerate(file, 1):
        try:
            need(line.endswith(b"\n") and trailer is None, "it has no line break, or stands behind the trailer")
            text = line[:-1].decode()
            if scope is None:
                scope = scope_of(text)
                position, dense = scope.get("fromPosition", 1) - 1, "tenantId" not in scope
                digest.update(line)
            elif text.startswith('{"position":'):
                last = event(text)
                for name in ("streamId", "tenantId"):
                    need(scope.get(name, last[name]) == last[name], f"it is an event of {last[name]}")
                step = last["position"] - position
                need(step == 1 if dense else step > 0, "its position does not follow")
                need(last["position"] <= scope.get("toPosition", 2**64), "its position is beyond the range")
                before = streams.get(last["streamId"])
                if before:
                    need(last["version"] == before["version"] + 1, "its version does not follow")
                    need(last["previous"] == before["hash"], "it does not name the hash of the event before it")
                    need(last["micros"] >= before["micros"], "it was recorded before the event before it")
                else:
                    need(last["version"] == 1 or scope.get("fromPosition", 1) > 1, "the stream's beginning is missing")
                    need((last["version"] == 1) == (last["previous"] == ZEROS), "its previous hash is wrong")
                streams[last["streamId"]], position, events = last, last["position"], events + 1
                open_events.append((position, last["hash"]))
                digest.update(b"\x00" + u64(position) + bytes.fromhex(last["hash"]))
            elif text.startswith('{"seal":'):
                found, left_out = check_seal(text, open_events)
                if seal:
                    next_one = found["sealId"] == seal["sealId"] + 1
                    need(found["sealId"] > seal["sealId"] and found["fromPosition"] > seal["toPosition"], "seals do not rise")
                    need(not next_one or (found["previousHash"] == seal["sealHash"]
                                          and found["fromPosition"] == seal["toPosition"] + 1), "seals do not follow")
                need(not keys or found["publicKey"] in keys, f"it is sealed by {found['publicKey']}")
                seal, seals, unsealed, open_events = found, seals + 1, unsealed + left_out, []
                digest.update(b"\x01" + bytes.fromhex(found["sealHash"]))
            else:
                trailer = {"events": events, "seals": seals, "headHash": last["hash"] if last else ZEROS,
                           "digest": digest.hexdigest()}
                need(text == json.dumps(trailer, separators=(",", ":")), f"it is not the trailer {trailer}")
                need(not dense or position == scope["toPosition"], "the range is not whole")
        except (Fault, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise Fault(f"line {number}: {error}") from None
    need(trailer is not None, "the file ends without a trailer")
    need(head is None or head == trailer["headHash"], f"the last event's hash is {trailer['headHash']}")
    need(not keys or seal, "it is sealed by nobody")
    unsealed += len(open_events)
    whole = dense or "streamId" in scope and head is not None
    lacks = [("position", f"no seal covers the position of {unsealed} events", unsealed),
             ("publicKey", "the file names its key itself: compare it (--key)", seal and not keys),
             ("completeness", "later events or streams may be left out", not whole)]
    return events, [f"{part}: {why}" for part, why, applies in lacks if applies]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=argparse.FileType("rb"))
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--head")
    given = parser.parse_args()
    try:
        events, not_covered = verify(given.file, given.key, given.head)
    except Fault as fault:
        print(f"NOT intact: {fault}")
        return 1
    print(f"intact: {events} events")
    for one in not_covered:
        print(f"not covered: {one}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

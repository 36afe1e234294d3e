// SPDX-License-Identifier: GPL-2.0-only
/* Frames as bytes: what their headers say, where two of them differ, and a dump of both. */

const ETHERTYPES = {0x0806: "ARP", 0x0800: "IPv4", 0x86dd: "IPv6"};
const VLAN_TAGS = new Set([0x8100, 0x88a8]);
const PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"};
const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
const SAME = 0, DIFFERS = 1, HEADER = 2, ALONE = 3;
const MARK_CLASSES = ["", "differs", "header", "alone"];
const ROW_BYTES = 16;

function bytesOf(hex) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.substr(2 * i, 2), 16);
  return bytes;
}

const get16 = (bytes, at) => (bytes[at] << 8) | bytes[at + 1];
const get32 = (bytes, at) => ((get16(bytes, at) << 16) | get16(bytes, at + 2)) >>> 0;

function addressOf4(bytes, at) {
  return bytes.subarray(at, at + 4).join(".");
}

/* The longest run of zeros becomes "::" (RFC 5952). */
function addressOf6(bytes, at) {
  const words = Array.from({length: 8}, (_, i) => get16(bytes, at + 2 * i).toString(16));
  let from = 0, length = 0;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (words[end] === "0") end++;
    if (end - i > length) [from, length] = [i, end - i];
  }
  if (length < 2) return words.join(":");
  return words.slice(0, from).join(":") + "::" + words.slice(from + length).join(":");
}

/* Options of a TCP header, in the words of packetdrill. */
function optionsOf(bytes, at, end) {
  const words = [];
  while (at < end && bytes[at] !== 0) {
    if (bytes[at] === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (at + 1 >= end || length < 2 || at + length > end) {
      words.push("cut");
      break;
    }
    const known = {
      2: () => `mss ${get16(bytes, at + 2)}`,
      3: () => `wscale ${bytes[at + 2]}`,
      4: () => "sackOK",
      5: () => `sack ${(length - 2) / 8}`,
      8: () => `TS ${get32(bytes, at + 2)}/${get32(bytes, at + 6)}`,
    }[bytes[at]];
    words.push(known ? known() : `option ${bytes[at]}`);
    at += length;
  }
  return words.join(", ");
}

function decodeTcp(bytes, packet, from, to) {
  const at = packet.payloadAt;
  const headerBytes = (bytes[at + 12] >> 4) * 4;
  if (packet.end - at < 20 || headerBytes < 20 || at + headerBytes > packet.end) return;
  const flags = FLAGS.filter((_, bit) => bytes[at + 13] & (1 << bit));
  const options = optionsOf(bytes, at + 20, at + headerBytes);
  packet.payloadAt = at + headerBytes;
  packet.seq = get32(bytes, at + 4);
  packet.position = (packet.seq + (flags.includes("SYN") ? 1 : 0)) >>> 0;
  packet.line = `TCP ${from}:${get16(bytes, at)} > ${to}:${get16(bytes, at + 2)} ` +
    `[${flags.join(" ")}] seq ${packet.seq} ack ${get32(bytes, at + 8)} ` +
    `window ${get16(bytes, at + 14)}, ${packet.end - packet.payloadAt} bytes` +
    (options && `; ${options}`);
}

/* What is above IP; a later fragment has no ports. */
function decodeAboveIp(bytes, packet, protocol, from, to, isLaterFragment) {
  const at = packet.payloadAt;
  const name = PROTOCOLS[protocol] || `protocol ${protocol}`;
  packet.line = `${name} ${from} > ${to}, ${packet.end - at} bytes`;
  if (isLaterFragment) {
    packet.line += ", a fragment";
  } else if (protocol === 6) {
    decodeTcp(bytes, packet, from, to);
  } else if (protocol === 17 && packet.end - at >= 8) {
    packet.payloadAt = at + 8;
    packet.line = `UDP ${from}:${get16(bytes, at)} > ${to}:${get16(bytes, at + 2)}, ` +
      `${packet.end - packet.payloadAt} bytes`;
  }
}

/*
 * Reads no more than there is. payloadAt to end is the payload, without what pads a short frame;
 * position is where it begins in the stream, undefined but for TCP.
 */
function decodePacket(bytes) {
  const packet = {line: "a frame that cannot be read", payloadAt: 0, end: bytes.length};
  let at = 12;
  while (VLAN_TAGS.has(get16(bytes, at)) && at + 6 <= bytes.length) at += 4;
  const type = get16(bytes, at);
  at += 2;
  if (at > bytes.length) return packet;
  packet.payloadAt = at;
  packet.line = ETHERTYPES[type] || `ethertype 0x${type.toString(16).padStart(4, "0")}`;
  if (type === 0x0800 && at + 20 <= bytes.length && (bytes[at] & 15) >= 5) {
    packet.end = Math.min(bytes.length, at + get16(bytes, at + 2));
    packet.payloadAt = Math.min(packet.end, at + (bytes[at] & 15) * 4);
    const isLater = (get16(bytes, at + 6) & 0x1fff) !== 0;
    decodeAboveIp(bytes, packet, bytes[at + 9], addressOf4(bytes, at + 12),
                  addressOf4(bytes, at + 16), isLater);
  } else if (type === 0x86dd && at + 40 <= bytes.length) {
    packet.end = Math.min(bytes.length, at + 40 + get16(bytes, at + 4));
    packet.payloadAt = at + 40;
    decodeAboveIp(bytes, packet, bytes[at + 6], `[${addressOf6(bytes, at + 8)}]`,
                  `[${addressOf6(bytes, at + 24)}]`, false);
  }
  return packet;
}

/*
 * A mark for each byte of one frame, seen from the other. Payloads of TCP are laid side by side
 * by their place in the stream, as guests may cut it differently; all others by their beginning.
 */
function marksOf(bytes, packet, otherBytes, other) {
  const marks = new Uint8Array(bytes.length);
  const isStream = packet.position !== undefined && other.position !== undefined;
  const shift = isStream ? (packet.position - other.position) | 0 : 0;
  for (let i = 0; i < packet.payloadAt; i++) {
    if (i >= other.payloadAt || bytes[i] !== otherBytes[i]) marks[i] = HEADER;
  }
  for (let i = packet.payloadAt; i < packet.end; i++) {
    const there = i - packet.payloadAt + shift + other.payloadAt;
    if (there < other.payloadAt || there >= other.end) marks[i] = ALONE;
    else if (bytes[i] !== otherBytes[there]) marks[i] = DIFFERS;
  }
  return marks;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/* One row's bytes as text, an element around each run that has a mark. */
function runsOf(marks, from, to, textOf, between) {
  const parts = [];
  for (let at = from; at < to;) {
    let end = at + 1;
    while (end < to && marks[end] === marks[at]) end++;
    const text = Array.from({length: end - at}, (_, i) => textOf(at + i)).join(between);
    const kind = MARK_CLASSES[marks[at]];
    const tag = marks[at] === ALONE ? "span" : "mark";
    parts.push(kind ? element(tag, {class: kind, "data-offset": at}, text) : text);
    if (end < to && between) parts.push(between);
    at = end;
  }
  return parts;
}

function dumpOf(bytes, marks) {
  const dump = element("pre", {tabindex: 0});
  const hexOf = (at) => bytes[at].toString(16).padStart(2, "0");
  const charOf = (at) => (bytes[at] > 31 && bytes[at] < 127 ? String.fromCharCode(bytes[at]) : ".");
  for (let from = 0; from < bytes.length; from += ROW_BYTES) {
    const to = Math.min(from + ROW_BYTES, bytes.length);
    const hex = element("span", {class: "hex"}, ...runsOf(marks, from, to, hexOf, " "));
    const text = element("span", {class: "ascii"}, ...runsOf(marks, from, to, charOf, ""));
    const gap = "   ".repeat(ROW_BYTES - (to - from));
    dump.append(from.toString(16).padStart(4, "0") + "  ", hex, gap + "  ", text, "\n");
  }
  return dump;
}

/* Both packets of a mismatch, side by side; either may be missing. */
function packetsOf(mismatch) {
  const sides = ["primary", "secondary"].map((role) => {
    const shown = mismatch[role];
    const bytes = shown && bytesOf(shown.frame);
    return {role, shown, bytes, packet: bytes && decodePacket(bytes)};
  });
  const box = element("div", {class: "packets"});
  sides.forEach((side, index) => {
    const other = sides[1 - index];
    const part = element("section", {class: side.role},
                         element("h3", {}, `The ${side.role}'s packet`));
    if (!side.shown) {
      part.append(element("p", {class: "alone"}, absenceOf(mismatch, side.role)));
    } else {
      const marks = other.bytes ? marksOf(side.bytes, side.packet, other.bytes, other.packet)
                                : new Uint8Array(side.bytes.length);
      part.append(element("div", {class: "decoded"}, side.packet.line));
      part.append(dumpOf(side.bytes, marks));
      if (side.shown.bytes > side.bytes.length) {
        const text = `The first ${side.bytes.length} of ${side.shown.bytes} bytes.`;
        part.append(element("p", {class: "alone"}, text));
      }
    }
    box.append(part);
  });
  return box;
}

function absenceOf(mismatch, role) {
  if (mismatch.frames_left_out) return "Left out of this page, which would have become too large.";
  const other = role === "primary" ? "secondary" : "primary";
  if (!mismatch[other]) {
    return "The run has not kept it: no packet alone was to blame, or the run is of an earlier " +
      "version.";
  }
  return `There is none: the ${role} had not sent any when the compare timeout was over.`;
}

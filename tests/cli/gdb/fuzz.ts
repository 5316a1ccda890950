/** Random packets for a session of gdb: real ones, damaged ones, and noise. */
import { encodePacket, latin1Bytes, toHex } from "../../../machine/debugger_packets.ts";
import type { Random } from "../../journal/support.ts";
import type { Client } from "./support.ts";

/** What is damaged: packets that do something, with places of the guest. */
// deno-fmt-ignore
const SEEDS: readonly string[] = [
  "?", "g", "p20", "p21", "pff", "m40080000,40", "x40080000,40", "mffff800000000000,8", "m9000000,4",
  "G00", "P0=00", "M40080000,1:00", "X40080000,1:a", "Hg1", "Hg2", "Hc-1", "Hc0", "Hgp1.1", "T1", "T7",
  "c", "s", "C05", "S05;40080000", "bs", "bc", "D", "k", "vCont?", "vCont;c", "vCont;s:1;c", "vCont;s:2", "vCont;r40080000,40080100:1",
  "vCont;t", "Z0,4008005c,4", "z0,4008005c,4", "Z1,40080068,4", "Z2,40080200,8", "Z3,40080208,8", "Z4,400801e0,20",
  "Z2,0,ffff", "Z0,0,0", "z4,400801e0,20", "qSupported:swbreak+;hwbreak+;QThreadEvents+", "QStartNoAckMode", "qC", "qAttached:1",
  "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,1", "qXfer:features:read:target.xml:0,1000", "qXfer:features:read:x:0,10",
  "qXfer:memory-map:read::0,ffff", "qXfer:threads:read::0,1ffff", "qXfer:threads:read::ffffffff,ffffffff",
  "qqemu.PhyMemMode", "Qqemu.PhyMemMode:1", "Qqemu.PhyMemMode:0", "vKill;1", "vMustReplyEmpty", "vCtrlC",
  ...["instant", "seek 100", "seek 999999999999", "seek -1", "events", "events 20", "root", "symbols", "symbols start", "symbols 0x40080000",
    "phys 0x40080000 64", "phys 0 1", "phys x", "checkpoints", "record end", "help", "", "\\u0000"].map((text) => `qRcmd,${toHex(text)}`),
];

/** A packet, whole or with some of its bytes changed, doubled or left out. */
export function randomPayload(random: Random): string {
  let text = SEEDS[random(SEEDS.length)]!;
  for (let changes = random(3) === 0 ? random(5) : 0; changes > 0; changes--) {
    const at = random(text.length + 1), byte = String.fromCharCode(random(256));
    const kind = random(3);
    if (kind === 0) text = text.slice(0, at) + byte + text.slice(at + 1);
    else if (kind === 1) text = text.slice(0, at) + byte + text.slice(at);
    else text = text.slice(0, at) + text.slice(at + 1 + random(4));
  }
  return text;
}

/** What goes over the wire: mostly a packet, at times damaged, an acknowledgement, an interrupt, or noise. */
function randomWire(random: Random): Uint8Array {
  const wire = encodePacket(randomPayload(random));
  switch (random(12)) {
    case 0:
      wire[random(wire.length)] = random(256);
      return wire;
    case 1:
      return wire.subarray(0, random(wire.length));
    case 2:
      return Uint8Array.of(3);
    case 3:
      return latin1Bytes("+-"[random(2)]!);
    case 4:
      return Uint8Array.from({ length: random(64) }, () => random(256));
    default:
      return wire;
  }
}

/**
 * Sends `count` packets, with new clients where one is closed; a session has to stay alive, or close. `check` is called
 * for each closed session.
 */
export function fuzzSessions(count: number, random: Random, newClient: () => Client): { closed: number } {
  let client = newClient(), closed = 0;
  for (let sent = 0; sent < count; sent++) {
    client.received = [];
    client.session.receive(randomWire(random));
    // Some runs are interrupted, the others go to where they stop.
    for (let slices = random(4) === 0 ? random(3) : 10_000; client.session.isBusy && slices > 0; slices--) {
      client.session.advance();
    }
    if (client.session.isBusy && random(2) === 0) client.session.receive(Uint8Array.of(3));
    if (!client.session.isClosed) continue;
    closed++;
    client = newClient();
  }
  // A cut packet swallows what follows up to its checksum: the second is whole.
  client.session.receive(Uint8Array.of(3, 0x23, 0x30, 0x30));
  while (client.session.isBusy) client.session.advance();
  if (!client.session.isClosed && !/^QC[12]$/.test(client.ask("qC"))) throw new Error("the session is dead");
  return { closed };
}

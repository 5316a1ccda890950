/** The parts of unified-backdoor by themselves: the decoder, channels over checkpoints, variables, calls, commands. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  type Channel,
  Channels,
  CHANNELS_MAX,
  MESSAGE_MAX,
  STATUS,
} from "../../../../hypervisor/systems/unified_backdoor/channels.ts";
import { commandOf } from "../../../../hypervisor/systems/unified_backdoor/commands.ts";
import { callByGuest, replyOf } from "../../../../hypervisor/systems/unified_backdoor/guest_calls.ts";
import { GuestInfo, VARIABLES_MAX } from "../../../../hypervisor/systems/unified_backdoor/guest_info.ts";
import { decodeInstruction } from "../../../../hypervisor/systems/unified_backdoor/instruction.ts";
import { unifiedBackdoorOptions } from "../../../../hypervisor/systems/unified_backdoor/options.ts";
import { InputRefusedError } from "../../../../machine/errors.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

Deno.test("decodeInstruction takes exactly the values of W7 without reserved bits", () => {
  for (let w7 = 0; w7 < 1 << 15; w7++) {
    const decoded = decodeInstruction(w7, 0xabcd_5658n), type = w7 >> 3 & 3;
    const wanted = (w7 & 3) !== 3 && w7 >> [13, 5, 6, 6][type]! === 0;
    assertEquals(decoded !== undefined, wanted, `W7 0x${w7.toString(16)}`);
    if (decoded === undefined) continue;
    assertEquals(decoded.port, type === 0 ? w7 >> 5 : 0x5658);
    assertEquals(decoded.isIn, (w7 >> 2 & 1) === 1);
    assertEquals(decoded.string?.repeats, type < 2 ? undefined : type === 3);
    if (type >= 2) assertEquals(decoded.string!.step, (w7 >> 5 & 1) === 1 ? -decoded.size : decoded.size);
  }
  for (let bit = 15; bit < 32; bit++) assertEquals(decodeInstruction(0x0e | 1 << bit, 0n), undefined);
});

/** Channels whose messages are answered by themselves in capitals. */
function channels(): { readonly channels: Channels; readonly log: string[] } {
  const log: string[] = [];
  const made = new Channels(7n, true, {
    opened: () => {},
    received: (_, message) => {
      log.push(`received ${decode(message)}`);
      return encode(decode(message).toUpperCase());
    },
    delivered: (_, message) => void log.push(`delivered ${decode(message)}`),
    interrupted: () => void log.push("interrupted"),
  });
  return { channels: made, log };
}

const READY = STATUS.success | STATUS.highBandwidth;

/** Sends a message in pieces of 4, beginning again when told; `before` is called before each request. */
function send(channels: Channels, channel: Channel, message: Uint8Array, before: () => void): void {
  for (let isDone = false; !isDone;) {
    before();
    assertEquals(channels.announce(channel, message.length), READY);
    isDone = true;
    for (let at = 0; at < message.length; at += 4) {
      const part = message.slice(at, at + 4);
      before();
      const status = channels.mayTake(channel, part.length);
      if (status === STATUS.success) channels.take(channel, part);
      else {
        assertEquals(status, STATUS.checkpoint);
        isDone = false;
        break;
      }
    }
  }
}

function receive(channels: Channels, channel: Channel, before: () => void): string {
  for (;;) {
    before();
    const { status, size } = channels.offer(channel);
    assertEquals(status, READY | STATUS.toReceive);
    let text = "", last: number = STATUS.success;
    while (text.length < size! && last === STATUS.success) {
      before();
      last = channels.mayGive(channel, 1);
      if (last !== STATUS.success) break;
      const part = channels.next(channel, 4);
      channels.given(channel, part.length);
      text += decode(part);
    }
    before();
    if (last === STATUS.success) last = channels.finish(channel, true);
    if (last === STATUS.success) return text;
    assertEquals(last, STATUS.checkpoint);
  }
}

Deno.test("Channels deliver a message once and whole, wherever checkpoints come, and as restored from their state", () => {
  const message = encode("a text of twenty-six bytes");
  let requests = 0;
  for (let first = -1; first < 24; first++) {
    for (let second = first; second < 24; second += 5) {
      const { channels: all, log } = channels(), channel = all.openFor("RPCI", true)!;
      let count = 0, told = 0;
      const before = () => {
        if (count === first || count === second) {
          all.checkpoint();
          told++;
        }
        count++;
      };
      send(all, channel, message, before);
      assertEquals(receive(all, channel, before), "A TEXT OF TWENTY-SIX BYTES");
      assertEquals(log.filter((line) => line.startsWith("received")), [
        "received a text of twenty-six bytes",
      ]);
      assertEquals(log.filter((line) => line.startsWith("delivered")).length, 1);
      assert(log.filter((line) => line === "interrupted").length <= told);
      requests = Math.max(requests, count);
      const { state } = all, other = channels().channels;
      other.state = state;
      assertEquals(other.state, state);
    }
  }
  assert(requests > 17, "no checkpoint made anything begin again");
});

Deno.test("Channels are eight, each by its cookie, and take no more than a message's most", () => {
  const { channels: all } = channels();
  const opened = Array.from(
    { length: CHANNELS_MAX },
    (_, n) => all.openFor(n % 2 === 0 ? "RPCI" : "TCLO", true)!,
  );
  assertEquals(opened.map(({ number }) => number), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(new Set(opened.map(({ cookie }) => cookie)).size, CHANNELS_MAX);
  assertEquals(all.openFor("RPCI", true), undefined);
  const [one] = opened as [Channel];
  assertEquals(all.find(0, one.cookie), one);
  assertEquals(all.find(0, one.cookie + 1n), undefined);
  assertEquals(all.find(99, 0n), undefined);
  all.close(one);
  assertEquals(all.find(0, one.cookie), undefined);
  const again = all.openFor("RPCI", false)!;
  assertEquals(all.find(0, 12n), again);
  assertEquals(all.announce(again, MESSAGE_MAX + 1), 0);
  assertEquals(all.announce(again, MESSAGE_MAX), READY);
  assertEquals(all.mayTake(again, MESSAGE_MAX + 1), 0);
  assertEquals(all.mayTake(again, MESSAGE_MAX), STATUS.success);
  assertEquals(all.mayGive(again, 1), 0);
  assertEquals(all.finish(again, true), 0);
  for (let n = 0; n < 16; n++) assert(all.post(again, encode("x")));
  assert(!all.post(again, encode("x")));
  assertThrows(
    () => (all.state = { opened: 1n, channels: [{ ...again, number: 9 }] }),
    RangeError,
    "there are 8",
  );
  assertThrows(
    () => (all.state = { opened: 1n, channels: [{ ...again, waiting: [], isReceiving: true }] }),
    RangeError,
    "has not",
  );
});

Deno.test("callByGuest gets and sets variables of guestinfo alone, and knows what tools tell a host", () => {
  const info = new GuestInfo(), call = (text: string) => decode(replyOf(callByGuest(encode(text), info)));
  const rows: readonly (readonly [call: string, reply: string])[] = [
    ["info-get guestinfo.k", "0 No value found"],
    ["info-set guestinfo.k a b  c", "1 "],
    ["info-get guestinfo.k", "1 a b  c"],
    ["info-get guestinfo.k\0", "1 a b  c"],
    ["info-set guestinfo.k ", "1 "],
    ["info-get guestinfo.k", "1 "],
    ["info-set guestinfo.k", "0 Two and exactly two arguments expected"],
    ["info-set other.k v", "0 Permission denied"],
    ["info-get other.k", "0 No value found"],
    ["info-get ", "0 No value found"],
    ["tools.capability.statechange ", "1 "],
    ["tools.capability.", "1 "],
    ["toString", "0 Unknown command"],
    ["", "0 Unknown command"],
    ["log something\0", "1 "],
  ];
  for (const [text, reply] of rows) assertEquals([text, call(text)], [text, reply]);
  assertMatch(call("info-set guestinfo. v"), /^0 Cannot set guestinfo\.: .* is no name/);
  for (let n = 0; info.problem(`n${n}`, encode("v")) === undefined; n++) info.set(`n${n}`, encode("v"));
  assertEquals(info.state.variables.length, VARIABLES_MAX);
  assertMatch(call("info-set guestinfo.more v"), /^0 .*there are 256 already/);
  const full = new GuestInfo(), large = new Uint8Array(MESSAGE_MAX);
  for (let n = 0; n < 16; n++) full.set(`n${n}`, large);
  assertMatch(full.problem("more", encode("v"))!, /1048576 bytes/);
  assertEquals(full.problem("n3", large), undefined);
  const restored = new GuestInfo();
  restored.state = info.state;
  assertEquals(restored.state, info.state);
});

Deno.test("commandOf and the options say what is wrong with what they are given, and change nothing", () => {
  const { channels: all } = channels(), info = new GuestInfo();
  const refusals: readonly (readonly [words: string, reason: RegExp])[] = [
    ["", /no command ""; use checkpoint/],
    ["checkpoint 1", /takes no words/],
    ["guestinfo k", /not NAME=VALUE/],
    ["guestinfo =v", /is no name/],
    ["call", /takes a text/],
    ["call ping", /no program/],
  ];
  for (const [words, reason] of refusals) {
    const error = assertThrows(() => commandOf(words.split(" "), { channels: all, info }), InputRefusedError);
    assertMatch(error.message, reason);
  }
  assertEquals(info.state.variables, []);
  const channel = all.openFor("TCLO", false)!;
  commandOf(["call", "ping", "twice"], { channels: all, info })();
  assertEquals(decode(all.next({ ...channel, taken: 0 }, 99)), "ping twice");
  for (let n = 0; n < 15; n++) all.post(channel, encode("x"));
  assertThrows(() => commandOf(["call", "ping"], { channels: all, info }), InputRefusedError, "wait already");
  commandOf(["guestinfo", "guestinfo.k=a", "b=c"], { channels: all, info })();
  assertEquals(decode(info.get("k")), "a b=c");
  assertEquals(unifiedBackdoorOptions.parse({ guestinfo: "a=1;b=x=y" }).guestInfo, [["a", "1"], [
    "b",
    "x=y",
  ]]);
  for (
    const options of [{ product: "x" }, { guestinfo: "" }, { guestinfo: "a" }, { more: "1" }, { brk: "1" }]
  ) {
    assert(!unifiedBackdoorOptions.safeParse(options).success, JSON.stringify(options));
  }
});

/** The guests of unified-backdoor: their tables and layout, what they print with a monitor and without. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CALLS_BASE,
  CALLS_MAX,
  callsGuest,
  callTable,
  readResults,
  resultBytes,
} from "../../../firmware/unified_backdoor/calls_guest.ts";
import { debugGuest } from "../../../firmware/unified_backdoor/debug_guest.ts";
import { messageClient } from "../../../firmware/unified_backdoor/message_client.ts";
import "../../../hypervisor/install.ts";
import type { Program } from "../../../machine/a64/program.ts";
import { Machine } from "../../../machine/machine.ts";
import { programGuest } from "../../journal/guest.ts";

/** What a program prints until it powers off, under a monitor with a system or without one. */
function printed(
  program: Program,
  system?: { readonly name: string; readonly options: Record<string, string> },
): string {
  const guest = programGuest(program);
  const monitors = system && [{ level: 2 as const, systems: [system] }];
  const configuration = guest.configuration({ memoryMiB: 16, ...monitors && { monitors } });
  const machine = new Machine(configuration, guest.images, { engine: "reference" });
  let console = "";
  machine.board.transmitted = (byte) => (console += String.fromCharCode(byte));
  assertEquals(machine.run(1_000_000).reason, "poweredOff");
  return console;
}

Deno.test("callsGuest differs by its trigger in one word of a page by itself", () => {
  const [hvc, mrs, brk] = (["hvc", "mrs", "brk"] as const).map(callsGuest) as [Program, Program, Program];
  const words = ({ bytes }: Program) => new Uint32Array(bytes.slice().buffer);
  const [one, two, three] = [hvc, mrs, brk].map(words) as [Uint32Array, Uint32Array, Uint32Array];
  const differing = [...one.keys()].filter((at) => one[at] !== two[at] || one[at] !== three[at]);
  assertEquals(differing, [Number(hvc.symbols.get("stub")! - CALLS_BASE) / 4]);
  assertEquals(hvc.symbols.get("stub"), CALLS_BASE + 4096n);
  assertEquals([one, two, three].map((words) => words[differing[0]!]), [
    0xd400_10c2,
    0xd533_011f,
    0xd420_10c0,
  ]);
});

Deno.test("callTable and readResults have calls in the words that the guest has them in", () => {
  const x = Array.from({ length: 8 }, (_, n) => BigInt(n) << 60n);
  const table = new BigUint64Array(callTable([{ x, level: 1, mends: true }]).buffer);
  assertEquals([...table], [1n, ...x, 1n, 1n]);
  const words = BigUint64Array.from({ length: 22 }, (_, at) => BigInt(at));
  assertEquals(words.byteLength, resultBytes(2));
  const second = readResults(new Uint8Array(words.buffer))[1]!;
  assertEquals([second.x[0], second.syndrome, second.faultAddress, second.offset, second.mended], [
    11n,
    18n,
    19n,
    20n,
    21,
  ]);
  const call = { x, level: 0 as const };
  assertThrows(
    () => callTable(Array.from({ length: CALLS_MAX + 1 }, () => call)),
    RangeError,
    "at most 150000",
  );
});

Deno.test("messageClient prints the answer by words and by the high-bandwidth port, and fails without a host", () => {
  for (const bandwidth of ["on", "off"]) {
    const options = { "high-bandwidth": bandwidth, guestinfo: "k=five words that are said" };
    const system = { name: "unified-backdoor", options };
    assertEquals(printed(messageClient("info-get guestinfo.k"), system), "1 five words that are said\n");
    assertEquals(printed(messageClient("nothing"), system), "0 Unknown command\n");
  }
});

Deno.test("debugGuest prints the same whether debug exceptions come to EL2 first or not", () => {
  const plain = printed(debugGuest());
  assert(plain.split("\n").length > 90, plain);
  for (const brk of ["on", "off"]) {
    assertEquals(printed(debugGuest(), { name: "unified-backdoor", options: { brk } }), plain);
  }
});

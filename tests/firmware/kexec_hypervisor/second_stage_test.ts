/** The second stage of kexec-hypervisor alone: what it verifies, refuses, quiets and moves; and SHA-256 in A64. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { bootInfoBytes, MOST_DEVICES, readBootInfo } from "../../../firmware/kexec_hypervisor/layout.ts";
import {
  type SecondStageGuest,
  secondStageGuest,
} from "../../../firmware/kexec_hypervisor/second_stage_guest.ts";
import { SHA256, SHA256_WORK } from "../../../firmware/kexec_hypervisor/sha256.ts";
import { sha256 } from "../../../cli/host/guests/store.ts";
import { type ConfigurationInput, parseConfiguration } from "../../../machine/configuration.ts";
import { asm, bytes, label, Part, part, program } from "../../../machine/a64/program_parts.ts";
import { Machine } from "../../../machine/machine.ts";

/** How a run ends that a guest resets. */
const RESET = "requested";

const digest = (content: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(content).digest());

/** Runs an image up to its end; what the console wrote, and how it ended. */
function run(image: Uint8Array, more: ConfigurationInput = {}): { text: string; ends: string } {
  const hash = sha256(image), kernel = { sha256: hash, size: image.length, name: "guest" };
  const configuration = parseConfiguration({ memoryMiB: 16, ...more, boot: { kernel } });
  const machine = new Machine(configuration, new Map([[hash, image]]), { engine: "threaded" });
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  const { reason } = machine.run(3_000_000);
  return { text, ends: reason };
}

const stage = (options: Partial<SecondStageGuest> = {}, more: ConfigurationInput = {}) =>
  run(secondStageGuest({ conduit: "smc", sha256: digest, ...options }).bytes, {
    virtualization: true,
    ...more,
  });

Deno.test("secondStageGuest() launches what it verified and moved, with X0 and X1, at EL2", () => {
  const { text, ends } = stage();
  assertEquals(ends, "poweredOff", text);
  assertStringIncludes(text, "entered at EL2, of a host at EL1");
  assertEquals(text.match(/verified/g)?.length, 2);
  const [, x0, x1, el, hcr, tail] = /hypervisor: (0x.{16})(0x.{16})(0x.{16})(0x.{16})(0x.{16})/.exec(text) ??
    [];
  assertEquals([x0, x1, el, hcr, tail].map(Number), [0x1badb005, 0x12345678, 8, 0x80000000, 0x2a]);
});

Deno.test("secondStageGuest() leaves a VHE host's HCR_EL2 behind", () => {
  const { text, ends } = stage({ hcr: 0x4_8800_0000n }, { cpuModel: "max" });
  assertEquals(ends, "poweredOff", text);
  assertStringIncludes(text, "of a VHE host");
  assertStringIncludes(text, "0x00000000800000000x000000000000002a");
});

Deno.test("secondStageGuest() refuses a wrong byte of each segment, and resets", () => {
  for (const [segment, byte] of [[0, 0], [0, 0x1007], [1, 999]] as const) {
    const { text, ends } = stage({ wrong: { segment, byte } });
    assertEquals(ends, RESET, text);
    assertStringIncludes(text, "refused: SHA-256 of this segment");
    assertEquals(text.match(/verified/g)?.length ?? 0, segment);
  }
});

Deno.test("secondStageGuest() refuses EL1, and resets", () => {
  const { text, ends } = stage({ conduit: "hvc" }, { virtualization: false });
  assertEquals(ends, RESET, text);
  assertStringIncludes(
    text,
    "refused: a hypervisor needs EL2",
  );
});

Deno.test("secondStageGuest() passes over devices that are still, and tells an exception of one that is not there", () => {
  const still = stage({ devices: [{ kind: "virtio-mmio", address: 0x0a00_0000n }] });
  assertEquals(still.ends, "poweredOff", still.text);
  const missing = stage({ devices: [{ kind: "virtio-mmio", address: 0x0d00_0000n }] });
  assertEquals(missing.ends, RESET, missing.text);
  assertStringIncludes(missing.text, "refused: an exception");
});

Deno.test("readBootInfo() reads what bootInfoBytes() writes", () => {
  const info = {
    segments: [{ name: "kernel", address: 0x4000_0000n, size: 5, digest: digest(new Uint8Array(5)) }],
    moves: [{ from: 0x10n, to: 0x20n, size: 3, total: 4 }],
    devices: [{ kind: "ecam" as const, address: 0x40_1000_0000n }],
    entry: 1n,
    x0: 2n,
    x1: 3n,
    conduit: "hvc" as const,
    uart: 4n,
  };
  assertEquals(readBootInfo(bootInfoBytes(info)), info);
  const many = Array.from({ length: MOST_DEVICES + 1 }, () => info.devices[0]!);
  assertThrows(() => bootInfoBytes({ ...info, devices: many }), RangeError, "at most 40 devices");
  assertThrows(() => readBootInfo(new Uint8Array(4096)), RangeError, "no boot info");
});

/** SHA-256 of some bytes as A64 code prints it, with FEAT_SHA256 or as if there were none. */
function printed(content: Uint8Array, isFast: boolean): string {
  const data = label("data");
  const code = isFast ? SHA256.text : SHA256.text.replace("cbnz    x4, sha256_fast", "nop");
  const { bytes: image } = program([
    part(
      "main",
      asm`
        mov     x0, #(3 << 20)
        msr     cpacr_el1, x0
        isb
        ldr     x0, =stack
        mov     sp, x0
        ldr     x0, =${data}
        mov     x1, #${content.length}
        ldr     x2, =out
        ldr     x3, =work
        bl      sha256
        ldr     x0, =out
        ldr     x1, =0x09000000
        mov     x2, #32
1:      ldrb    w3, [x0], #1
        strb    w3, [x1]
        subs    x2, x2, #1
        b.ne    1b
        ldr     w0, =0x84000008
        hvc     #0
        .ltorg`,
    ),
    new Part(() => code, "sha256"),
    asm`        .balign 16`,
    data,
    bytes(content),
    asm`
        .balign 16
out:    .space 32
work:   .space ${SHA256_WORK}
        .space 1024
stack:`,
  ], { name: "digest", base: 0x4008_0000n });
  const { text } = run(image);
  return [...text].map((character) => character.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

Deno.test("SHA256 gives the digest of any length, with FEAT_SHA256 and without", () => {
  for (const size of [0, 55, 56, 64, 200]) {
    const content = Uint8Array.from({ length: size }, (_, at) => at * 31 & 0xff);
    for (const isFast of [true, false]) {
      assertEquals(printed(content, isFast), sha256(content), `${size} ${isFast}`);
    }
  }
});
